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

// stream passes the events of a watch on to the reflector, and notices when it is silent.
type stream struct {
	ctx    context.Context // of the reflector
	in     watch.Interface
	out    chan watch.Event
	done   chan struct{}
	once   sync.Once
	doubts chan string // of capacity 1: why the watch is not to be trusted
	// streaming is true until the list that was asked for has been streamed.
	streaming bool
	began     time.Time
	until     time.Time // when the API server should end it
	hasSpoken bool      // an event has come
}

// ResultChan implements watch.Interface.
func (w *stream) ResultChan() <-chan watch.Event { return w.out }

// Stop implements watch.Interface.
func (w *stream) Stop() { w.once.Do(func() { close(w.done) }) }

// pass hands an event to the reflector. It returns false if the reflector has stopped the watch.
func (w *stream) pass(e watch.Event) bool {
	select {
	case w.out <- e:
		return true
	case <-w.done:
		return false
	}
}

// follow puts a stream around a watch that was opened and should last until the given time.
func (s *Source[L]) follow(ctx context.Context, in watch.Interface, streamed bool, until time.Time) watch.Interface {
	now := time.Now()
	w := &stream{ctx: ctx, in: in, out: make(chan watch.Event), done: make(chan struct{}), doubts: make(chan string, 1), streaming: streamed, began: now, until: until}
	s.mu.Lock()
	s.resumed(now)
	s.current = w
	s.mu.Unlock()
	go s.listen(w)
	return w
}

// resumed takes time that is not silence out of the silence. While no watch is open, no event can come. And a watch that is cut off may
// have been about to bring one, so the next watch has all of its time. If every watch is cut off, this is limited.
//
//	heard ---- 20 s ---- cut off    2 min    opened ---- 8 s ---- bookmark
//	                     |--- no watch ----|
func (s *Source[L]) resumed(now time.Time) {
	if s.heard.IsZero() {
		s.heard = now
	}
	if since := later(s.closedAt, s.heard); !s.closedAt.IsZero() && now.After(since) {
		s.heard = s.heard.Add(now.Sub(since))
	}
	if s.wasCutOff {
		more := min(now.Sub(s.heard), max(s.limit-s.excused, 0))
		s.heard, s.excused = s.heard.Add(more), s.excused+more
	}
	s.closedAt, s.wasCutOff = time.Time{}, false
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
	s.current, s.closedAt = nil, now
	s.wasCutOff = now.Before(w.until.Add(-cutOffMargin))
}

// listen passes events on until the watch ends or counts as silent.
func (s *Source[L]) listen(w *stream) {
	defer close(w.out)
	defer s.ended(w)
	defer w.in.Stop()
	quiet := time.NewTimer(s.untilSilent(w))
	defer quiet.Stop()
	last := false // the limit is over, but the process may have been stopped itself, and events wait to be read
	for {
		select {
		case e, open := <-w.in.ResultChan():
			if !open {
				s.closed(w)
				return
			}
			if e.Type == watch.Error && !w.streaming && apierrors.IsTooManyRequests(apierrors.FromObject(e.Object)) {
				s.postpone(w, apierrors.FromObject(e.Object))
				return // without an error, so that the reflector watches again from where it is
			}
			if !w.pass(s.hear(w, e)) {
				return
			}
			last = false
			quiet.Reset(s.untilSilent(w))
		case <-quiet.C:
			if last {
				s.relist(w, fault{FailedSilent, fmt.Sprintf("open and silent for %s", time.Since(s.lastHeard()).Round(time.Second))})
				return
			}
			last = true
			quiet.Reset(graceAfterStop)
		case why := <-w.doubts:
			s.relist(w, fault{FailedLate, why})
			return
		case <-w.done:
			return
		}
	}
}

// untilSilent is the time after which this watch counts as silent.
func (s *Source[L]) untilSilent(w *stream) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.limit
	switch {
	case w.streaming:
		limit = streamedListLimit
	case s.suspect:
		limit = suspectLimit
	}
	return time.Until(s.heard.Add(limit))
}

func (s *Source[L]) lastHeard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard
}

// hear notes an event, and returns the event that the reflector gets.
func (s *Source[L]) hear(w *stream, e watch.Event) watch.Event {
	w.hasSpoken = true
	if e.Type == watch.Error {
		return s.broken(w, e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard, s.excused, s.backoff = time.Now(), 0, 0
	if w.streaming && !endsInitialEvents(e) {
		return e
	}
	s.earlyEnds, s.suspect = 0, false
	if e.Type == watch.Bookmark && !w.streaming {
		s.sendsBookmarks, s.limit = true, silenceLimit
	}
	w.streaming = false
	return e
}

// broken notes an error event of a watch, and returns the event that the reflector gets.
func (s *Source[L]) broken(w *stream, e watch.Event) watch.Event {
	err := apierrors.FromObject(e.Object)
	if w.ctx.Err() != nil {
		return e // the process ended it
	}
	if expired(err) {
		s.endedEarly(err)
		return e
	}
	s.failed(FailedRefused, err)
	if apierrors.IsTooManyRequests(err) {
		// This happens only in a streamed list. With this status the reflector lists without streaming, instead of trying again and again.
		e.Object = &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable, Message: err.Error()}
	}
	return e
}

// postpone ends a watch for which the API server is too busy, and waits until it is time for another.
func (s *Source[L]) postpone(w *stream, err error) {
	s.failed(FailedRefused, err)
	w.in.Stop()
	s.ended(w)
	_ = s.backOff(w.ctx, w.done) // if the context has ended, the reflector knows
}

// endsInitialEvents says whether an event is the bookmark at the end of a streamed list.
func endsInitialEvents(e watch.Event) bool {
	if e.Type != watch.Bookmark {
		return false
	}
	mark, err := meta.Accessor(e.Object)
	return err == nil && mark.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true"
}

// closed notes that the API server has ended a watch. That is normal, but not at once, and not during a streamed list.
func (s *Source[L]) closed(w *stream) {
	if w.streaming || !w.hasSpoken && time.Since(w.began) < time.Second {
		s.endedEarly(errors.New("closed by the API server"))
	}
}

// relist makes the reflector list again, by telling it that the version that it knows has expired.
func (s *Source[L]) relist(w *stream, found fault) {
	s.mu.Lock()
	s.fault, s.suspect = found, true
	s.mu.Unlock()
	status := apierrors.NewResourceExpired(found.how).Status()
	w.pass(watch.Event{Type: watch.Error, Object: &status})
}

// Doubt says that the caller knows of a change that the watch has not brought, and why, for the report. The objects are listed again,
// unless they were for the same reason a short while ago: a late watch brings all changes in the end, and lists do not make it faster.
func (s *Source[L]) Doubt(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || s.fault.reason != "" || !s.late.due(lateRelist) {
		return
	}
	select {
	case s.current.doubts <- why:
	default: // there is a doubt already
	}
}
