// Package watching is where informers list and watch. It takes care of what the reflector of an informer does not: an API server
// that cannot be reached, a watch that is open and silent, and one that ends as soon as it has begun.
package watching

import (
	"context"
	"errors"
	"fmt"
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

// A watch can be open and say nothing: a proxy that holds back what it should pass on, or an API server whose own watch hangs. The
// connection is in order, so nobody notices, and the cache grows old. What shows that a watch lives where nothing changes is
// its bookmarks. An API server sends one a minute, and one two seconds before the end of the watch (KEP-956), hence
// a watch is made short. An API server that has much to do may come to that one too late, when the watch has ended. So one bookmark
// says little, and a watch that follows one without is shorter still: three have to be missing.
//
//	0 s              26 s   28 s       36 s   38 s       46 s   48 s
//	|-- events, if any -- ? --|------- ? --|------- ? --| silent
const (
	// watchLife is how long the API server is asked to keep a watch open, firstLife the same where the last one has not shown that it lives.
	watchLife = 28 * time.Second
	firstLife = 10 * time.Second
	// quietLimit is how long watches may say nothing before they count as silent, quietFirst the same for those after a silent one.
	quietLimit = 48 * time.Second
	quietFirst = 24 * time.Second
	// quietFill is the same for a list that is streamed.
	quietFill = 14 * time.Second
	// lastHearing is what a process that was stopped itself gets, to hear what has come meanwhile.
	lastHearing = 2 * time.Second
	// onTime is how long before the end of its life a watch may end without having been cut off.
	onTime = 3 * time.Second
	// quietest caps the limit where an API server sends no bookmarks: it doubles with each list that finds nothing new.
	quietest = 15 * time.Minute
	// answerLimit is how long a list may take; an API server gives up after a minute by itself.
	answerLimit = time.Minute
	// openLimit is how long the opening of a watch may: long, since an API server that lets requests wait must not be asked for a list
	// because of a watch that it was about to answer, but less than the minute within which it is noticed that nothing comes.
	openLimit = 45 * time.Second
	// lateList is after which time it is told that a list because of a watch is not answered either.
	lateList = 5 * time.Second
)

// How long it is until objects may be listed once more because of a watch that is not answered, or one that is late. It doubles while
// that goes on, since neither gets better by lists.
const (
	firstRelist  = time.Minute
	unopenRelist = 4 * time.Minute // at most, for then nothing else tells of changes
	lateRelist   = 15 * time.Minute
)

// longestBusy caps the pause of a watch that is asked to come again later; it begins with firstPause and doubles.
const longestBusy = 30 * time.Second

// How often the watch of one kind of object is opened, per second and at once. Whatever the API server answers, no error of a
// watch costs more.
const (
	openRate  = 1
	openBurst = 5
)

// Lister is a client for one kind of object.
type Lister[L runtime.Object] interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

// Source is where one informer lists and watches.
type Source[L runtime.Object] struct {
	what    string // the name of the resource
	client  Lister[L]
	watches *Watches
	report  func(error)
	opening flowcontrol.RateLimiter
	// failing are errors, expiry watches that end as soon as they begin.
	failing, expiry *Outage
	// known is the informer's store.
	known cache.KeyListerGetter
	// slim makes of an object what is kept of it; nil if that is all.
	slim cache.TransformFunc

	mu       sync.Mutex
	heard    time.Time     // when the API server last said something of this kind, later by the time that does not count as silence
	shut     time.Time     // since when no watch is open
	cut      bool          // the last watch has ended before its time
	forgiven time.Duration // how much silence of watches that were cut off does not count
	quiet    time.Duration // how long it may say nothing
	marks    bool          // it has sent a bookmark of its own accord
	fault    fault         // why what is known is not trusted; the zero value where it is
	proving  bool          // the last watch was silent, and the next has not shown yet that it is not
	expired  int           // watches in a row that ended before they had begun
	busy     time.Duration // how long a watch was last left alone that was to come again later
	unopened pace          // of the lists because of watches that are not answered
	late     pace          // of those because of watches that are late
	current  *stream       // the watch that is open, or nil
}

// fault is what was wrong with a watch, so that objects are listed.
type fault struct {
	reason string // one of the Failed constants
	how    string
}

// pace holds back what is not to be done again and again.
type pace struct {
	next  time.Time
	pause time.Duration
}

// due says whether it is time to do it. The pause until the next time doubles up to the longest; it is short again where it was not
// asked for in the meantime.
func (p *pace) due(longest time.Duration) bool {
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

// New makes the source of one kind of object, by its name in the API. The function is told of failures, each kind of failure at most
// once a minute, and of each silent watch. It is called from several
// goroutines and must return quickly. The watches are shared with others; nil where there are none.
func New[L runtime.Object](what string, client Lister[L], w *Watches, report func(error)) *Source[L] {
	if w == nil {
		w = NewWatches("", nil)
	}
	w.expect(what)
	return &Source[L]{what: what, client: client, watches: w, report: report, quiet: quietLimit,
		opening: flowcontrol.NewTokenBucketRateLimiter(openRate, openBurst),
		failing: w.Outage(what, report), expiry: w.Outage(what, report)}
}

// Informer makes the informer that is fed from here, which is to be done once. The base is the client, which knows whether it can
// stream a list; of the example only the type matters. What is kept of each object is what slim makes of it, all if it is nil; given its
// own result, it must return its equal, and that must be a runtime.Object.
func (s *Source[L]) Informer(base any, example runtime.Object, indexers cache.Indexers, slim cache.TransformFunc) cache.SharedIndexInformer {
	informer := cache.NewSharedIndexInformerWithOptions(cache.ToListWatcherWithWatchListSemantics(
		&cache.ListWatch{ListWithContextFunc: s.list, WatchFuncWithContext: s.watch}, base),
		example, cache.SharedIndexInformerOptions{Indexers: indexers, ObjectDescription: s.what})
	_ = informer.SetTransform(slim) // it fails only where the informer runs already
	s.known, s.slim = informer.GetStore(), slim
	return informer
}

// Failed is the informer's watch error handler: a list or watch has ended with an error.
func (s *Source[L]) Failed(ctx context.Context, r *cache.Reflector, err error) {
	if !errors.Is(err, errDistrusted) {
		s.failing.Failed(ctx, r, err)
	}
}

// errDistrusted makes a reflector list instead of watch, and has been told; errNoAnswer is a request that was given up.
var (
	errDistrusted = errors.New("the watches of this kind do not work: it is listed")
	errNoAnswer   = errors.New("no answer")
)

// list reads all objects, or a page of them where the reflector asks for pages.
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

// listInstead reads all objects because of a watch. Not from the memory of an API server, for it may be its own watch that is silent; and page
// by page, each made slim before the next is read, since a reflector would hold all of them whole beside the cache that they replace.
func (s *Source[L]) listInstead(ctx context.Context, opts metav1.ListOptions, found fault) (runtime.Object, error) {
	opts.ResourceVersion = ""
	waiting := time.AfterFunc(lateList, func() { s.failing.note(fmt.Errorf("%s, and a list is not answered either", found.how)) })
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
		return Within(ctx, answerLimit, func(ctx context.Context) (err error) {
			list, err = s.client.List(ctx, opts)
			return err
		})
	})
	return list, err
}

// slimmed is a list of what is kept of the objects of a list.
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

// Within makes a request and gives it up where it takes longer than the limit. The error says so, and Insist does not take it for that of an
// API server that cannot be reached.
func Within(parent context.Context, limit time.Duration, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(parent, limit, fmt.Errorf("%w within %s", errNoAnswer, limit))
	defer cancel()
	return because(ctx, request(ctx))
}

// because names the cause where a request was cut off by its context.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// listed tells what a watch had kept back, now that it is known.
func (s *Source[L]) listed(list runtime.Object, found fault) {
	var changed, total int
	if found.reason != "" {
		changed, total = s.changed(list)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard, s.cut, s.forgiven = time.Now(), false, 0
	if found.reason == "" {
		return
	}
	s.fault = fault{}
	switch found.reason {
	case FailedUnreachable: // which was counted when it happened
	case FailedSilent:
		if changed == 0 {
			s.quietAgain()
			return
		}
		fallthrough
	default:
		s.watches.count(s.what, found.reason)
	}
	s.report(fmt.Errorf("watching %s: %s; listed again, and %d of %d had changed", s.what, found.how, changed, total))
}

// quietAgain takes back that a watch is silent, because nothing was missed. An API server sends a bookmark only where it knows of a newer
// version than the one that the watch began with. In a cluster whose etcd does not tell of its progress it knows of none as long as nothing of the
// kind changes. One that was never heard to send any is asked less and less often.
func (s *Source[L]) quietAgain() {
	s.proving = false
	if !s.marks {
		s.quiet = min(2*s.quiet, quietest)
	}
}

// changed counts the objects that are not in the cache as they are in the list, on either side. The informer puts nothing into its
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
	if err != nil { // no list of objects: the reflector will say so
		return 0, total
	}
	return changed + gone, total
}

// watch opens a watch, in which a reflector may ask for a list to be streamed. Where the API server is too busy for a watch, or does not
// answer, it is asked again from here: a reflector would list instead, which costs that API server more.
func (s *Source[L]) watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	streamed := opts.SendInitialEvents != nil && *opts.SendInitialEvents
	for {
		w, err := s.ask(ctx, opts, streamed)
		switch {
		case err == nil || ctx.Err() != nil:
			return w, err
		case apierrors.IsTooManyRequests(err):
			s.failed(FailedRefused, err)
			if streamed { // nothing is known yet
				return nil, errDistrusted
			}
			if err := s.comeLater(ctx, nil); err != nil {
				return nil, err
			}
		case errors.Is(err, errNoAnswer):
			s.failed(FailedUnreachable, err)
			if s.unanswered(streamed) {
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

// failed counts and tells what the reflector is not to hear of.
func (s *Source[L]) failed(reason string, err error) {
	s.watches.count(s.what, reason)
	s.failing.note(err)
}

// comeLater is a pause that grows until a watch tells something. It ends with the context, or when done is closed.
func (s *Source[L]) comeLater(ctx context.Context, done <-chan struct{}) error {
	s.mu.Lock()
	s.busy = min(max(2*s.busy, firstPause), longestBusy)
	// Longer rather than shorter: a reflector takes a watch of less than a second for one that has failed.
	pause := wait.Jitter(s.busy, 0.2)
	s.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-done:
	case <-time.After(pause):
	}
	return context.Cause(ctx)
}

// unanswered notes that a watch was not answered. It says whether objects are to be listed now.
func (s *Source[L]) unanswered(streamed bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !streamed && !s.unopened.due(unopenRelist) {
		return false
	}
	s.fault = fault{FailedUnreachable, "a watch was not answered"}
	return true
}

// ask asks once for a watch.
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

// life is how long the next watch is to last. It fails where a list is not to be streamed.
func (s *Source[L]) life(streamed bool) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case streamed && (s.fault.reason != "" || s.expired > 1):
		return 0, errDistrusted
	case s.proving || s.marks && time.Since(s.heard) >= firstLife:
		return firstLife, nil
	}
	return watchLife, nil
}

// open opens a watch, but does not wait for its answer for ever.
func (s *Source[L]) open(parent context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	ctx, cancel := context.WithCancelCause(parent)
	late := time.AfterFunc(openLimit, func() { cancel(fmt.Errorf("%w within %s", errNoAnswer, openLimit)) })
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
	return &opened{w, func() { cancel(nil) }}, nil
}

// opened is a watch whose context ends with it.
type opened struct {
	watch.Interface
	end func()
}

// Stop is watch.Interface's.
func (o *opened) Stop() {
	o.Interface.Stop()
	o.end()
}

// expired says whether a watch is to begin with another version, or with none.
func expired(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
}

// endedEarly notes that a watch has ended before it had begun. Once is everyday life.
func (s *Source[L]) endedEarly(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expired++; s.expired > 1 {
		s.watches.count(s.what, FailedExpired)
		s.expiry.note(fmt.Errorf("%d watches in a row ended before they had begun, so objects are listed instead: %w", s.expired, err))
	}
}
