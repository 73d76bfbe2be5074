package watching

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// stream is a watch that somebody listens in on.
type stream struct {
	ctx    context.Context // of the reflector
	in     watch.Interface
	out    chan watch.Event
	done   chan struct{}
	once   sync.Once
	doubts chan string // at most one: why the watch is not to be trusted
	// filling lasts until the list that was asked for has been streamed.
	filling bool
	began   time.Time
	until   time.Time // when the API server is to end it
	spoke   bool
}

// ResultChan is watch.Interface's.
func (w *stream) ResultChan() <-chan watch.Event { return w.out }

// Stop is watch.Interface's.
func (w *stream) Stop() { w.once.Do(func() { close(w.done) }) }

// pass hands an event on. It fails where nobody takes it any more.
func (w *stream) pass(e watch.Event) bool {
	select {
	case w.out <- e:
		return true
	case <-w.done:
		return false
	}
}

// follow listens in on a watch that was opened and is to last until then.
func (s *Source[L]) follow(ctx context.Context, in watch.Interface, streamed bool, until time.Time) watch.Interface {
	now := time.Now()
	w := &stream{ctx: ctx, in: in, out: make(chan watch.Event), done: make(chan struct{}), doubts: make(chan string, 1), filling: streamed, began: now, until: until}
	s.mu.Lock()
	s.resumed(now)
	s.current = w
	s.mu.Unlock()
	go s.listen(w)
	return w
}

// resumed leaves out of the silence what is none. While no watch is open nothing can be told. And one that is cut off may have been about to
// tell something, so the next has all of its time; but where each is cut off, that does not go on for ever.
//
//	heard ---- 20 s ---- cut off    2 min    opened ---- 8 s ---- bookmark
//	                     |--- no watch ----|
func (s *Source[L]) resumed(now time.Time) {
	if s.heard.IsZero() {
		s.heard = now
	}
	if since := later(s.shut, s.heard); !s.shut.IsZero() && now.After(since) {
		s.heard = s.heard.Add(now.Sub(since))
	}
	if s.cut {
		more := min(now.Sub(s.heard), max(s.quiet-s.forgiven, 0))
		s.heard, s.forgiven = s.heard.Add(more), s.forgiven+more
	}
	s.shut, s.cut = time.Time{}, false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// ended notes that a watch is no longer open.
func (s *Source[L]) ended(w *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != w {
		return
	}
	now := time.Now()
	s.current, s.shut = nil, now
	s.cut = now.Before(w.until.Add(-onTime))
}

// listen passes events on until the watch ends, or until it must be taken for silent.
func (s *Source[L]) listen(w *stream) {
	defer close(w.out)
	defer s.ended(w)
	defer w.in.Stop()
	quiet := time.NewTimer(s.patience(w))
	defer quiet.Stop()
	last := false // the process may have been stopped itself, and what has come meanwhile is not read yet
	for {
		select {
		case e, open := <-w.in.ResultChan():
			if !open {
				s.closed(w)
				return
			}
			if e.Type == watch.Error && !w.filling && apierrors.IsTooManyRequests(apierrors.FromObject(e.Object)) {
				s.postpone(w, apierrors.FromObject(e.Object))
				return // without an error, so that the reflector watches again from where it is
			}
			if !w.pass(s.hear(w, e)) {
				return
			}
			last = false
			quiet.Reset(s.patience(w))
		case <-quiet.C:
			if last {
				s.distrust(w, fault{FailedSilent, fmt.Sprintf("open and silent for %s", time.Since(s.lastHeard()).Round(time.Second))})
				return
			}
			last = true
			quiet.Reset(lastHearing)
		case why := <-w.doubts:
			s.distrust(w, fault{FailedLate, why})
			return
		case <-w.done:
			return
		}
	}
}

// patience is how long this watch may go on saying nothing.
func (s *Source[L]) patience(w *stream) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.quiet
	switch {
	case w.filling:
		limit = quietFill
	case s.proving:
		limit = quietFirst
	}
	return time.Until(s.heard.Add(limit))
}

func (s *Source[L]) lastHeard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard
}

// hear notes an event, and returns what the reflector is to be told.
func (s *Source[L]) hear(w *stream, e watch.Event) watch.Event {
	w.spoke = true
	if e.Type == watch.Error {
		return s.broken(w, e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard, s.forgiven, s.busy = time.Now(), 0, 0
	if w.filling && !endsInitialEvents(e) {
		return e
	}
	s.expired, s.proving = 0, false
	if e.Type == watch.Bookmark && !w.filling {
		s.marks, s.quiet = true, quietLimit
	}
	w.filling = false
	return e
}

// broken notes an error amid a watch.
func (s *Source[L]) broken(w *stream, e watch.Event) watch.Event {
	err := apierrors.FromObject(e.Object)
	if w.ctx.Err() != nil {
		return e // it was ended from here
	}
	if expired(err) {
		s.endedEarly(err)
		return e
	}
	s.failed(FailedRefused, err)
	if apierrors.IsTooManyRequests(err) {
		// Amid a list that is streamed: to be asked for as it is, instead of being streamed again and again.
		e.Object = &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable, Message: err.Error()}
	}
	return e
}

// postpone lets a watch pass that the API server is too busy for.
func (s *Source[L]) postpone(w *stream, err error) {
	s.failed(FailedRefused, err)
	w.in.Stop()
	s.ended(w)
	_ = s.comeLater(w.ctx, w.done) // whatever has ended it, the reflector knows
}

// endsInitialEvents says whether an event is the bookmark after a list that was streamed.
func endsInitialEvents(e watch.Event) bool {
	if e.Type != watch.Bookmark {
		return false
	}
	mark, err := meta.Accessor(e.Object)
	return err == nil && mark.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true"
}

// closed notes that the API server has ended a watch. That is how they end, but not at once nor amid a list.
func (s *Source[L]) closed(w *stream) {
	if w.filling || !w.spoke && time.Since(w.began) < time.Second {
		s.endedEarly(errors.New("closed by the API server"))
	}
}

// distrust makes the reflector list again: it does where the version that it knows is said to have expired.
func (s *Source[L]) distrust(w *stream, found fault) {
	s.mu.Lock()
	s.fault, s.proving = found, true
	s.mu.Unlock()
	status := apierrors.NewResourceExpired(found.how).Status()
	w.pass(watch.Event{Type: watch.Error, Object: &status})
}

// Doubt is told that the API server has said elsewhere what the watch has not told: the objects are listed again, unless they were
// because of that a short while ago. Why is how it is told. A watch that is late tells all in the end, and a list does not make it any faster.
func (s *Source[L]) Doubt(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || s.fault.reason != "" || !s.late.due(lateRelist) {
		return
	}
	select {
	case s.current.doubts <- why:
	default: // it is under way
	}
}
