package informer

import (
	"context"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer/watching"
)

// A custom kind is watched while its CustomResourceDefinition says that it can be scaled. If it gets another version or other paths, a
// second cache is filled, which takes the place of the first one.
//
//	no such kind --> filling --> served --another version--> served, and another one filling --> served
//	      ^                         |
//	      +------- gone: its workloads are looked at, and forgotten

// followKinds starts and stops the informers of custom kinds until ctx ends. It returns what has to be waited for at the beginning.
func (s *Set) followKinds(ctx context.Context) []*awaited {
	changed := s.kinds.subscribe()
	var customs []*custom
	for _, d := range s.kinds.definitions {
		customs = append(customs, &custom{definition: d})
	}
	s.serving.Lock()
	s.followed = customs
	s.serving.Unlock()
	var first []*awaited
	for _, x := range customs {
		if filling := s.followKind(ctx, x); filling != nil {
			first = append(first, filling.first)
		}
	}
	s.running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			for _, x := range customs {
				s.followKind(ctx, x)
			}
		}
	})
	return first
}

// followKind starts or stops the informer of one custom kind if need be. It returns the cache that is being filled, or nil.
func (s *Set) followKind(ctx context.Context, x *custom) *workloads {
	s.serving.Lock()
	defer s.serving.Unlock()
	kind, isServed := x.now()
	if x.filling != nil && isServed && x.filling.kind == kind {
		return x.filling
	}
	if x.filling != nil {
		x.filling.stop()
		x.filling = nil
	}
	switch {
	case !isServed:
		s.serve(x, nil)
	case x.served == nil || x.served.kind != kind:
		next, err := s.newCustom(kind)
		if err != nil {
			s.onError(err)
			return nil
		}
		x.filling = next
		s.fillCustom(ctx, x, next)
	}
	return x.filling
}

// serve puts a cache in the place of the one that is served; either may be nil. All workloads of both are looked at, and those
// that anything controls.
func (s *Set) serve(x *custom, next *workloads) {
	before := x.served
	if before == next {
		return
	}
	x.served = next
	served := maps.Clone(s.customs())
	if before != nil {
		delete(served, before.kind.GroupKind())
		before.stop()
	}
	if next != nil {
		served[next.kind.GroupKind()] = next
	}
	s.served.Store(&served)
	if before != nil {
		s.Enqueue(before.keys()...)
	}
	for _, c := range s.caches() {
		if c == next {
			s.Enqueue(c.keys()...)
			continue
		}
		for _, k := range c.annotated() {
			if k.owner != nil {
				s.Enqueue(c.key(k)) // it may have become an inner one, or ceased to be
			}
		}
	}
	s.reconsider()
}

// liveLimit is how long it may take to read one custom resource without the cache. A worker waits for it.
const liveLimit = 5 * time.Second

// newCustom prepares the cache of a custom kind.
func (s *Set) newCustom(kind annotations.Kind) (*workloads, error) {
	client := s.kinds.config.Dynamic
	objects := client.Resource(kind.GroupVersionResource())
	c, err := watched(s, &origin[*unstructured.UnstructuredList]{kind: kind, base: client, client: objects.Namespace(s.namespace),
		example: &unstructured.Unstructured{}, slim: slimCustom(kind), isOptional: true,
		live: func(ctx context.Context, namespace string, opts metav1.ListOptions) (list runtime.Object, err error) {
			err = watching.Within(ctx, liveLimit, func(ctx context.Context) (err error) {
				list, err = objects.Namespace(namespace).List(ctx, opts)
				return err
			})
			return list, err
		}})
	if err == nil {
		c.first.came = nil // it is waited for until it is served
	}
	return c, err
}

// fillCustom fills the cache of a custom kind, and serves it then.
func (s *Set) fillCustom(parent context.Context, x *custom, next *workloads) {
	ctx, cancel := context.WithCancel(parent)
	next.stop = cancel
	s.running.Go(func() { next.informer.RunWithContext(ctx) })
	late := time.AfterFunc(optional, next.first.end) // it belongs to others, and the API that serves it may be broken
	s.running.Go(func() {
		select {
		case <-next.first.ended:
			s.enqueueObscured() // unless it has been filled
		case <-ctx.Done():
		}
	})
	s.running.Go(func() {
		defer next.first.end()
		defer late.Stop()
		if !cache.WaitFor(ctx, "", next.handled) {
			return
		}
		s.serving.Lock()
		defer s.serving.Unlock()
		if x.filling == next {
			x.filling = nil
			s.serve(x, next)
		}
	})
}
