// Package watching lists and watches for informers. It handles what the reflector of an informer does not: an API server that
// cannot be reached, a watch that is open and silent, and a watch that ends as soon as it has begun.
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
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/util/flowcontrol"
)

// A watch can be open and silent: a proxy does not pass events on, or the API server's own watch of etcd hangs. The connection is
// in order, so client-go does not notice, and the cache grows old. While nothing changes, only bookmarks show that a watch works.
// An API server sends one a minute, and one two seconds before the end of the watch (KEP-956), so watches are made short. A busy
// API server may send that last one too late, when the watch has ended. So one missing bookmark says little: after a watch without
// one, the next watches are shorter still, and three bookmarks have to be missing.
//
//	0 s              26 s   28 s       36 s   38 s       46 s   48 s
//	|-- events, if any -- ? --|------- ? --|------- ? --| silent
const (
	// watchLife is how long the API server is asked to keep a watch open, and shortLife the same after a watch without a bookmark.
	watchLife = 28 * time.Second
	shortLife = 10 * time.Second
	// silenceLimit is after how long without events or bookmarks watches count as silent, and suspectLimit the same after a silent one.
	silenceLimit = 48 * time.Second
	suspectLimit = 24 * time.Second
	// streamedListLimit is the same while a list is streamed.
	streamedListLimit = 14 * time.Second
	// graceAfterStop is how long the process goes on reading after the limit: it may have been stopped itself, and events wait.
	graceAfterStop = 2 * time.Second
	// cutOffMargin is how much earlier than asked a watch may end without counting as cut off.
	cutOffMargin = 3 * time.Second
	// longestSilenceLimit caps the limit for an API server without bookmarks: it doubles with each list that finds nothing new.
	longestSilenceLimit = 15 * time.Minute
	// listTimeout is how long a list may take. An API server itself gives up after a minute.
	listTimeout = time.Minute
	// openTimeout is how long the opening of a watch may take. It is long, because an API server that queues requests must not be asked
	// for a list instead of a watch that it was about to answer, but less than the minute within which a silent watch is noticed.
	openTimeout = 45 * time.Second
	// slowList is after how long a report says that a list that replaces a watch is not answered either.
	slowList = 5 * time.Second
)

// How long it takes until objects may be listed again because a watch is not answered or is late. The pause doubles as long as that
// goes on, because lists make neither better.
const (
	firstRelist      = time.Minute
	unansweredRelist = 4 * time.Minute // at most, because nothing else brings changes then
	lateRelist       = 15 * time.Minute
)

// longestBackoff caps the pause after an API server has answered that it is too busy for a watch. It begins with firstPause and doubles.
const longestBackoff = 30 * time.Second

// How often the watch of one kind of object is opened, per second and at once. Whatever the API server answers, a failing watch
// does not cost it more.
const (
	openRate  = 1
	openBurst = 5
)

// Lister is a client for one kind of object.
type Lister[L runtime.Object] interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

// Source lists and watches one kind of object for one informer.
type Source[L runtime.Object] struct {
	what    string // the name of the resource
	client  Lister[L]
	watches *Watches
	report  func(error)
	opening flowcontrol.RateLimiter
	// failing reports errors, expiry reports watches that end as soon as they begin.
	failing, expiry *Reporter
	// known is the informer's store.
	known cache.KeyListerGetter
	// slim is the transform that makes objects smaller; nil keeps them whole.
	slim cache.TransformFunc

	mu             sync.Mutex
	heard          time.Time     // when the last event came, moved forward by the time that does not count as silence
	closedAt       time.Time     // since when no watch is open
	wasCutOff      bool          // the last watch ended early
	excused        time.Duration // how much silence of watches that were cut off was not counted
	limit          time.Duration // after how long without events the watch counts as silent
	sendsBookmarks bool          // the API server has sent a bookmark of its own accord
	fault          fault         // why the cache is not trusted; the zero value if it is
	suspect        bool          // the last watch was silent, and the next one has not brought anything yet
	earlyEnds      int           // how many watches in a row ended before they had begun
	backoff        time.Duration // the last pause for an API server that is too busy
	unanswered     relistPace    // of lists because watches are not answered
	late           relistPace    // of lists because watches are late
	current        *stream       // the open watch, or nil
}

// fault is what is wrong with a watch, so that objects have to be listed.
type fault struct {
	reason string // one of the Failed constants
	how    string // for the report
}

// relistPace makes lists of the same reason less and less frequent.
type relistPace struct {
	next  time.Time
	pause time.Duration
}

// due says whether to list now. The pause until the next list doubles up to the longest. It begins anew if nobody has asked for a
// list in the meantime.
func (p *relistPace) due(longest time.Duration) bool {
	now := time.Now()
	if now.Before(p.next) {
		return false
	}
	if now.Sub(p.next) > p.pause {
		p.pause = 0
	}
	p.pause = min(max(2*p.pause, firstRelist), longest)
	p.next = now.Add(p.pause)
	return true
}

// New makes the source of one kind of object, by its name in the API. The report function gets failures, each kind of failure at most
// once a minute, and each silent watch. It is called from several goroutines and must return quickly. The watches are shared with
// other sources; nil if there are none.
func New[L runtime.Object](what string, client Lister[L], w *Watches, report func(error)) *Source[L] {
	if w == nil {
		w = NewWatches("", nil)
	}
	w.expect(what)
	return &Source[L]{what: what, client: client, watches: w, report: report, limit: silenceLimit,
		opening: flowcontrol.NewTokenBucketRateLimiter(openRate, openBurst),
		failing: w.Reporter(what, report), expiry: w.Reporter(what, report)}
}

// Informer makes the informer of this source; it must be called once. The base is the client, which knows whether it can stream a list.
// Of the example only the type matters. The informer keeps what slim returns for each object, or the whole object if slim is nil. For
// its own result slim must return an equal one, which must be a runtime.Object.
func (s *Source[L]) Informer(base any, example runtime.Object, indexers cache.Indexers, slim cache.TransformFunc) cache.SharedIndexInformer {
	informer := cache.NewSharedIndexInformerWithOptions(cache.ToListWatcherWithWatchListSemantics(
		&cache.ListWatch{ListWithContextFunc: s.list, WatchFuncWithContext: s.watch}, base),
		example, cache.SharedIndexInformerOptions{Indexers: indexers, ObjectDescription: s.what})
	_ = informer.SetTransform(slim) // it fails only if the informer runs already
	s.known, s.slim = informer.GetStore(), slim
	return informer
}

// Failed is the informer's watch error handler.
func (s *Source[L]) Failed(ctx context.Context, r *cache.Reflector, err error) {
	if !errors.Is(err, errDistrusted) {
		s.failing.Failed(ctx, r, err)
	}
}

// errDistrusted makes a reflector list instead of watch; its cause has been reported before.
var errDistrusted = errors.New("the watches of this kind do not work: it is listed")

// list reads all objects, or a page of them if the reflector asks for pages.
func (s *Source[L]) list(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
	s.mu.Lock()
	found := s.fault
	s.mu.Unlock()
	if found.reason != "" {
		return s.listInstead(ctx, opts, found)
	}
	list, err := s.page(ctx, opts)
	if err != nil {
		return nil, err
	}
	if page, err := meta.ListAccessor(list); err == nil && page.GetContinue() == "" {
		s.listed(list, found)
	}
	return list, nil
}

// listInstead reads all objects because their watch is not trusted. It does not read from the memory of the API server, because the
// API server's own watch may be the silent one. It reads page by page and makes each page slim before it reads the next, because a
// reflector would hold all objects whole beside the cache that they replace.
func (s *Source[L]) listInstead(ctx context.Context, opts metav1.ListOptions, found fault) (runtime.Object, error) {
	opts.ResourceVersion = ""
	waiting := time.AfterFunc(slowList, func() { s.failing.note(fmt.Errorf("%s, and a list is not answered either", found.how)) })
	defer waiting.Stop()
	list, _, err := pager.New(func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
		page, err := s.page(ctx, opts)
		waiting.Stop()
		if err != nil {
			return nil, err
		}
		return s.slimmed(page)
	}).List(ctx, opts)
	if err != nil {
		return nil, err
	}
	s.listed(list, found)
	return list, nil
}

func (s *Source[L]) page(ctx context.Context, opts metav1.ListOptions) (list L, err error) {
	err = s.watches.Insist(ctx, s.what, func() error {
		return Within(ctx, listTimeout, func(ctx context.Context) (err error) {
			list, err = s.client.List(ctx, opts)
			return err
		})
	})
	return list, err
}

// slimmed returns a list with the slim form of each object.
func (s *Source[L]) slimmed(list L) (runtime.Object, error) {
	from, err := meta.ListAccessor(list)
	if err != nil {
		return nil, fmt.Errorf("reading a list of %s: %w", s.what, err)
	}
	out := &internalversion.List{ListMeta: metav1.ListMeta{ResourceVersion: from.GetResourceVersion(), Continue: from.GetContinue()}}
	err = meta.EachListItemWithAlloc(list, func(o runtime.Object) error {
		if s.slim != nil {
			kept, err := s.slim(o)
			if err != nil {
				return err
			}
			object, ok := kept.(runtime.Object)
			if !ok {
				return fmt.Errorf("what is kept of it, a %T, is no object", kept)
			}
			o = object
		}
		out.Items = append(out.Items, o)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading a list of %s: %w", s.what, err)
	}
	return out, nil
}

// listed notes that objects were listed, and reports how many changes the watch had not brought.
func (s *Source[L]) listed(list runtime.Object, found fault) {
	var changed, total int
	if found.reason != "" {
		changed, total = s.changed(list)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard, s.wasCutOff, s.excused = time.Now(), false, 0
	if found.reason == "" {
		return
	}
	s.fault = fault{}
	switch found.reason {
	case FailedUnreachable: // counted when it happened
	case FailedSilent:
		if changed == 0 {
			s.notSilent()
			return
		}
		fallthrough
	default:
		s.watches.count(s.what, found.reason)
	}
	s.report(fmt.Errorf("watching %s: %s; listed again, and %d of %d had changed", s.what, found.how, changed, total))
}

// notSilent takes back that a watch is silent, because it has missed nothing. An API server sends a bookmark only if it knows of a
// newer version than the one that the watch began with. If its etcd does not report progress, it knows of none as long as nothing of
// the kind changes. If the API server has never sent a bookmark, the next check comes later.
func (s *Source[L]) notSilent() {
	s.suspect = false
	if !s.sendsBookmarks {
		s.limit = min(2*s.limit, longestSilenceLimit)
	}
}

// changed counts the objects that differ between the cache and the list, or are in only one of them. The informer does not change its
// cache while it lists.
func (s *Source[L]) changed(list runtime.Object) (changed, total int) {
	known := s.known
	gone := len(known.ListKeys())
	err := meta.EachListItem(list, func(o runtime.Object) error {
		total++
		item, err := meta.Accessor(o)
		if err != nil {
			return err
		}
		obj, exists, err := known.GetByKey(cache.MetaObjectToName(item).String())
		if err != nil || !exists {
			changed++
			return err
		}
		gone--
		if cached, err := meta.Accessor(obj); err != nil || cached.GetResourceVersion() != item.GetResourceVersion() {
			changed++
		}
		return nil
	})
	if err != nil { // this is not a list of objects, which the reflector will report
		return 0, total
	}
	return changed + gone, total
}

// watch opens a watch; the reflector may ask for a streamed list in it. If the API server is too busy for a watch, or does not answer,
// watch asks again itself: a reflector would list instead, which costs the API server more.
func (s *Source[L]) watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	streamed := opts.SendInitialEvents != nil && *opts.SendInitialEvents
	for {
		w, err := s.ask(ctx, opts, streamed)
		switch {
		case err == nil || ctx.Err() != nil:
			return w, err
		case apierrors.IsTooManyRequests(err):
			s.failed(FailedRefused, err)
			if streamed { // the cache is empty
				return nil, errDistrusted
			}
			if err := s.backOff(ctx, nil); err != nil {
				return nil, err
			}
		case errors.Is(err, errNoAnswer):
			s.failed(FailedUnreachable, err)
			if s.listUnanswered(streamed) {
				return nil, errDistrusted
			}
		default:
			if expired(err) {
				s.endedEarly(err)
			}
			return nil, err
		}
	}
}

// failed counts and reports a failure that the reflector does not get.
func (s *Source[L]) failed(reason string, err error) {
	if s.failing.isStarting(err) {
		return
	}
	s.watches.count(s.what, reason)
	s.failing.note(err)
}

// backOff is a pause that grows until a watch brings something. It ends with the context, or when done is closed.
func (s *Source[L]) backOff(ctx context.Context, done <-chan struct{}) error {
	s.mu.Lock()
	s.backoff = min(max(2*s.backoff, firstPause), longestBackoff)
	// The jitter only adds: a reflector takes a watch of less than a second for one that has failed.
	pause := wait.Jitter(s.backoff, 0.2)
	s.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-done:
	case <-time.After(pause):
	}
	return context.Cause(ctx)
}

// listUnanswered notes that a watch was not answered, and says whether to list objects now.
func (s *Source[L]) listUnanswered(streamed bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !streamed && !s.unanswered.due(unansweredRelist) {
		return false
	}
	s.fault = fault{FailedUnreachable, "a watch was not answered"}
	return true
}

// ask asks for one watch, at a bounded pace.
func (s *Source[L]) ask(ctx context.Context, opts metav1.ListOptions, streamed bool) (watch.Interface, error) {
	life, err := s.life(streamed)
	if err != nil {
		return nil, err
	}
	if err := s.opening.Wait(ctx); err != nil {
		return nil, err
	}
	seconds := int64(life.Seconds())
	opts.TimeoutSeconds = &seconds
	var w watch.Interface
	var until time.Time
	err = s.watches.Insist(ctx, s.what, func() error {
		until = time.Now().Add(life)
		var err error
		w, err = s.open(ctx, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.follow(ctx, w, streamed, until), nil
}

// life is how long the next watch is to last. It fails if the reflector should list instead of having a list streamed.
func (s *Source[L]) life(streamed bool) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case streamed && (s.fault.reason != "" || s.earlyEnds > 1):
		return 0, errDistrusted
	case s.suspect || s.sendsBookmarks && time.Since(s.heard) >= shortLife:
		return shortLife, nil
	}
	return watchLife, nil
}

// open opens a watch, and gives up if it is not answered in time.
func (s *Source[L]) open(parent context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	ctx, cancel := context.WithCancelCause(parent)
	late := time.AfterFunc(openTimeout, func() { cancel(fmt.Errorf("%w within %s", errNoAnswer, openTimeout)) })
	w, err := s.client.Watch(ctx, opts)
	if !late.Stop() && err == nil {
		w.Stop()
		err = context.Cause(ctx)
	}
	if err != nil {
		err = because(ctx, err)
		cancel(nil)
		return nil, err
	}
	return &cancelingWatch{w, func() { cancel(nil) }}, nil
}

// cancelingWatch is a watch that cancels its context when it is stopped.
type cancelingWatch struct {
	watch.Interface
	end func()
}

// Stop implements watch.Interface.
func (o *cancelingWatch) Stop() {
	o.Interface.Stop()
	o.end()
}

// expired says whether an error means that a watch cannot begin with its version.
func expired(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
}

// endedEarly notes that a watch ended before it had begun. A single one is normal.
func (s *Source[L]) endedEarly(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.earlyEnds++; s.earlyEnds > 1 {
		s.watches.count(s.what, FailedExpired)
		s.expiry.note(fmt.Errorf("%d watches in a row ended before they had begun, so objects are listed instead: %w", s.earlyEnds, err))
	}
}

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
