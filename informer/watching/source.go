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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"
)

// A watch can be open and say nothing: a proxy that holds back what it should pass on, or an API server whose own watch hangs. The
// connection is in order, so nobody notices, and the cache grows old. What shows that a watch lives where nothing changes is
// its bookmarks. An API server sends one a minute, and one two seconds before the end of the watch (KEP-956), hence
// a watch is made short: one that lives says something every 50 seconds.
//
//	0 s                          46 s   48 s                  94 s   96 s
//	|------- events, if any -----bookmark|------- events ------bookmark|--
const (
	// watchLife is how long the API server is asked to keep a watch open.
	watchLife = 48 * time.Second
	// quietLimit is how long a watch may say nothing before it counts as silent.
	quietLimit = 52 * time.Second
	// quietFirst is the same for the beginning of a watch: the list that is streamed, or what shows that a watch lives
	// after one that did not. Its life is as much shorter.
	quietFirst = 14 * time.Second
	firstLife  = 10 * time.Second
	// lastHearing is what a process that was stopped itself gets, to hear what has come meanwhile.
	lastHearing = 2 * time.Second
	// quietest caps the limit where an API server sends no bookmarks: it doubles with each list that finds nothing new.
	quietest = 15 * time.Minute
	// answerLimit is how long a watch may take to open, listLimit a list; an API server gives up after a minute by itself.
	answerLimit = 10 * time.Second
	listLimit   = time.Minute
)

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

	mu      sync.Mutex
	heard   time.Time     // when the API server last said something of this kind
	quiet   time.Duration // how long it may say nothing
	marks   bool          // it has sent a bookmark of its own accord
	silent  string        // why what is known is not trusted: how the watch was silent; "" where it is
	proving bool          // the last watch was silent, and the next has not shown yet that it is not
	expired int           // watches in a row that ended before they had begun
	current *stream
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
// stream a list; of the example only the type matters.
func (s *Source[L]) Informer(base any, example runtime.Object, indexers cache.Indexers) cache.SharedIndexInformer {
	informer := cache.NewSharedIndexInformerWithOptions(cache.ToListWatcherWithWatchListSemantics(
		&cache.ListWatch{ListWithContextFunc: s.list, WatchFuncWithContext: s.watch}, base),
		example, cache.SharedIndexInformerOptions{Indexers: indexers, ObjectDescription: s.what})
	s.known = informer.GetStore()
	return informer
}

// Failed is the informer's watch error handler: a list or watch has ended with an error.
func (s *Source[L]) Failed(ctx context.Context, r *cache.Reflector, err error) {
	s.failing.Failed(ctx, r, err)
}

// errDistrusted makes a reflector list instead of watch, errNoAnswer is a request that was given up.
var (
	errDistrusted = errors.New("the watches of this kind do not work: it is listed")
	errNoAnswer   = errors.New("no answer")
)

// list reads all objects, or a page of them.
func (s *Source[L]) list(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
	s.mu.Lock()
	silent := s.silent
	s.mu.Unlock()
	if silent != "" && opts.Continue == "" {
		opts.ResourceVersion = "" // not from the memory of an API server: it may be its own watch that is silent
	}
	var list L
	err := s.watches.Insist(ctx, s.what, func() error {
		limited, cancel := context.WithTimeoutCause(ctx, listLimit, fmt.Errorf("%w within %s", errNoAnswer, listLimit))
		defer cancel()
		var err error
		list, err = s.client.List(limited, opts)
		return because(limited, err)
	})
	if err != nil {
		return nil, err
	}
	if page, err := meta.ListAccessor(list); err == nil && page.GetContinue() == "" {
		s.listed(list, silent, opts.Continue != "")
	}
	return list, nil
}

// because names the cause where a request was cut off by its context.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// listed tells what a silent watch had kept back, now that it is known, if the list is not only the last page.
func (s *Source[L]) listed(list runtime.Object, silent string, last bool) {
	var changed, total int
	if silent != "" && !last {
		changed, total = s.changed(list)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = time.Now()
	if silent == "" {
		return
	}
	s.silent = ""
	if changed == 0 && !s.marks && !last {
		// Nothing was missed, and no bookmark was ever heard of: this API server sends none.
		s.proving, s.quiet = false, min(2*s.quiet, quietest)
		return
	}
	s.watches.count(s.what, FailedSilent)
	text := "listed again"
	if !last {
		text += fmt.Sprintf(", and %d of %d had changed", changed, total)
	}
	s.report(fmt.Errorf("watching %s: %s; %s", s.what, silent, text))
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

// watch opens a watch, in which a reflector may ask for a list to be streamed.
func (s *Source[L]) watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	streamed := opts.SendInitialEvents != nil && *opts.SendInitialEvents
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
	err = s.watches.Insist(ctx, s.what, func() error {
		var err error
		w, err = s.open(ctx, opts)
		return err
	})
	if err != nil {
		return nil, s.refused(err)
	}
	return s.follow(ctx, w, streamed), nil
}

// life is how long the next watch is to last. It fails where a list is not to be streamed.
func (s *Source[L]) life(streamed bool) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case streamed && (s.silent != "" || s.expired > 1):
		return 0, errDistrusted
	case s.proving:
		return firstLife, nil
	}
	return watchLife, nil
}

// open opens a watch, but does not wait for its answer for ever.
func (s *Source[L]) open(parent context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	ctx, cancel := context.WithCancelCause(parent)
	late := time.AfterFunc(answerLimit, func() { cancel(fmt.Errorf("%w within %s", errNoAnswer, answerLimit)) })
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

// refused notes that no watch could be opened. The reflector waits after an error, but where it is asked to come again later it
// does so without hearing that the program ends, and where a version is not known it does not wait at all; see life.
func (s *Source[L]) refused(err error) error {
	switch {
	case errors.Is(err, errNoAnswer):
		s.watches.count(s.what, FailedUnreachable)
		s.failing.note(err)
		s.mu.Lock()
		s.silent, s.proving = "a watch was not answered", true
		s.mu.Unlock()
	case expired(err):
		s.endedEarly(err)
	}
	if apierrors.IsTooManyRequests(err) {
		return fmt.Errorf("refused: %v", err) //nolint:errorlint // it is not to be recognized
	}
	return err
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
