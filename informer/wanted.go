package informer

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer/watching"
)

// newPods prepares a cache of pods. Its handlers do nothing while it is not the present one.
func (s *Set) newPods(w wants) (*pods, error) {
	source := watching.New("pods", s.client.CoreV1().Pods(s.namespace), s.watches, s.onError)
	p := &pods{wants: w, stop: func() {}}
	p.informer = cache.NewTypedSharedIndexInformer[*keptPod](source.Informer(s.client, &corev1.Pod{},
		cache.TypedIndexersToIndexers(cache.TypedIndexers[*keptPod]{byController: (*keptPod).controller, byLabels: w.open}), s.templates.pods(w)))
	isPresent := func() bool { return s.pods.Load() == p }
	registration, err := p.informer.AddTypedEventHandler(cache.TypedResourceEventHandlerFuncs[*keptPod]{
		AddFunc: func(pod *keptPod) {
			if isPresent() {
				s.podAdded(pod)
			}
		},
		UpdateFunc: func(before, after *keptPod) {
			if isPresent() {
				s.podUpdated(before, after)
			}
		},
		DeleteFunc: func(gone cache.DeletedObject[*keptPod]) {
			if isPresent() {
				s.podDeleted(gone)
			}
		},
	})
	if err = errors.Join(err, p.informer.SetWatchErrorHandlerWithContext(source.Failed)); err != nil {
		return nil, fmt.Errorf("preparing the informer of pods: %w", err)
	}
	p.handled = registration.HasSyncedChecker()
	return p, nil
}

// fillPods starts a cache of pods, and puts it in the place of the present one when it is filled. It returns false if ctx ends before.
func (s *Set) fillPods(parent context.Context, next *pods) bool {
	ctx, cancel := context.WithCancel(parent)
	next.stop = cancel
	s.running.Go(func() { next.informer.RunWithContext(ctx) })
	if !cache.WaitFor(ctx, "", next.handled) {
		return false
	}
	s.pods.Swap(next).stop()
	return true
}

// How often all pods may be listed once more: a few times at once, because what is annotated together is not all known together, and then
// once in a relistPause. What is wanted later is asked for again at the next look.
const (
	relistPause = time.Minute
	relistBurst = 3
)

// exchangePods fills another cache of pods if the present one does not hold all that is wanted.
func (s *Set) exchangePods(ctx context.Context, w wants) {
	more := w.beyond(s.pods.Load().wants)
	if more == "" || !s.relists.TryAccept() {
		return
	}
	s.tell("pods are listed once more, to keep more of " + more)
	next, err := s.newPods(w)
	if err != nil {
		s.onError(err)
		return
	}
	if s.fillPods(ctx, next) {
		s.EnqueueSelected() // also for what has changed in the meantime
	}
}

// wanted is what the workloads want that are annotated now, and what is kept already. So it only grows: those who annotate and un-annotate
// their workloads in turn cause no more lists than there are kinds and namespaces.
func (s *Set) wanted() wants {
	w := s.pods.Load().wants.clone()
	s.counted.Range(func(namespace, _ any) bool {
		if name, ok := namespace.(string); ok {
			w.counted[name] = true
		}
		return true
	})
	if s.statefulSets.hasAnnotated() {
		w.kinds[statefulSetKind] = true
	}
	customs := s.customs()
	for _, c := range customs {
		if !c.hasAnnotated() {
			continue
		}
		w.kinds[statefulSetKind] = true
		for kind := range customs {
			w.kinds[kind] = true // a custom resource may own pods, and others that do
		}
	}
	return w
}

// lonely are the annotated custom resources whose status says that they have pods, and that own none as far as is known. What leads from
// them to their pods is not watched.
func (s *Set) lonely() map[annotations.Key]bool {
	found := map[annotations.Key]bool{}
	for _, c := range s.customs() {
		for _, k := range c.annotated() {
			if k.selected.StatusReplicas > 0 && k.selector != nil && !s.isInner(k) && !s.hasPods(c.kind.GroupKind(), &k.record, k.selector) {
				found[c.key(k)] = true
			}
		}
	}
	return found
}

// lonelyAfter is how long a custom resource has to be lonely until its selector counts: watches have no common order, and a pod may come
// later than the status that counts it.
const lonelyAfter = 10 * time.Second

// keepPods exchanges the cache of pods whenever workloads want more of them, until ctx ends.
func (s *Set) keepPods(ctx context.Context) {
	look := time.NewTicker(lonelyAfter)
	defer look.Stop()
	lonely := s.lonely()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.rethink:
			s.exchangePods(ctx, s.wanted())
		case <-look.C:
			before := lonely
			lonely = s.lonely()
			w := s.wanted()
			for key := range lonely {
				if before[key] {
					w.labels[key.Namespace] = true
				}
			}
			s.exchangePods(ctx, w)
		}
	}
}
