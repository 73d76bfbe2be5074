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

// follow listens in on a watch that was opened.
func (s *Source[L]) follow(ctx context.Context, in watch.Interface, streamed bool) watch.Interface {
	w := &stream{ctx: ctx, in: in, out: make(chan watch.Event), done: make(chan struct{}), doubts: make(chan string, 1), filling: streamed, began: time.Now()}
	s.mu.Lock()
	s.current = w
	s.mu.Unlock()
	go s.listen(w)
	return w
}

// listen passes events on until the watch ends, or until it must be taken for silent.
func (s *Source[L]) listen(w *stream) {
	defer close(w.out)
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
			if !w.pass(s.hear(w, e)) {
				return
			}
			last = false
			quiet.Reset(s.patience(w))
		case <-quiet.C:
			if last {
				s.distrust(w, fmt.Sprintf("open and silent for %s", time.Since(s.lastHeard()).Round(time.Second)))
				return
			}
			last = true
			quiet.Reset(lastHearing)
		case why := <-w.doubts:
			s.distrust(w, why)
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
	if w.filling || s.proving {
		limit = quietFirst
	}
	if s.heard.IsZero() {
		s.heard = time.Now()
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
		return s.failed(w, e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = time.Now()
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

// failed notes an error amid a watch. See refused for the one that is replaced.
func (s *Source[L]) failed(w *stream, e watch.Event) watch.Event {
	err := apierrors.FromObject(e.Object)
	if w.ctx.Err() != nil {
		return e // it was ended from here
	}
	if expired(err) {
		s.endedEarly(err)
		return e
	}
	s.watches.count(s.what, FailedRefused)
	s.failing.note(err)
	if apierrors.IsTooManyRequests(err) {
		e.Object = &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable, Message: err.Error()}
	}
	return e
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
func (s *Source[L]) distrust(w *stream, why string) {
	s.mu.Lock()
	s.silent, s.proving = why, true
	s.mu.Unlock()
	status := apierrors.NewResourceExpired(why).Status()
	w.pass(watch.Event{Type: watch.Error, Object: &status})
}

// Doubt is told that the API server has said elsewhere what the watch has not told: the objects are listed again. Why is how it is told.
func (s *Source[L]) Doubt(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return
	}
	select {
	case s.current.doubts <- why:
	default: // it is under way
	}
}
