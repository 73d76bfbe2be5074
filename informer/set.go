package informer

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer/watching"
)

// Set is the watched part of the cluster together with the queue of workloads to look at. All methods may be called
// from any goroutine. What it returns is shared and must not be changed.
type Set struct {
	client    kubernetes.Interface
	reader    kubernetes.Interface
	kinds     *Kinds // nil if only the built-in ones are scaled
	namespace string
	class     string
	watches   *watching.Watches
	templates templates
	onError   func(error)
	tell      func(news string)

	// deployments, replicaSets and statefulSets are the built-in kinds, which are always watched, and builtin all of them.
	deployments, replicaSets, statefulSets *workloads
	builtin                                []*workloads
	// served are the custom kinds whose caches are filled. The map is replaced by another one when one comes or goes.
	served  atomic.Pointer[map[schema.GroupKind]*workloads]
	serving sync.Mutex // held while served is replaced
	// followed are the custom kinds, under serving.
	followed []*custom
	pods     atomic.Pointer[pods]
	// rethink asks whether the cache of pods holds all that is wanted.
	rethink chan struct{}
	// counted are the namespaces in which somebody has asked for the pods of a selector.
	counted sync.Map
	// relists paces the lists of all pods that come of that.
	relists flowcontrol.RateLimiter

	started atomic.Bool
	filled  chan struct{} // closed when the handlers have seen all of the initial lists
	running sync.WaitGroup

	terms   chan struct{}        // holds one token while a term lasts, so that the next one waits for its end
	current atomic.Pointer[term] // nil outside of a term
}

// custom is a custom kind as far as it is watched. Its fields are used under Set.serving.
type custom struct {
	*definition
	// served is the cache that is read, filling the one that is to take its place; nil if there is none.
	served, filling *workloads
}

// customs are the caches of custom kinds that are filled, by kind.
func (s *Set) customs() map[schema.GroupKind]*workloads { return *s.served.Load() }

// cacheOf returns the cache of a kind, or nil if it is not watched.
func (s *Set) cacheOf(kind schema.GroupKind) *workloads {
	for _, c := range s.builtin {
		if c.kind.Kind == kind.Kind && c.kind.Group == kind.Group {
			return c
		}
	}
	return s.customs()[kind]
}

// kept returns what is kept of an object; nil if there is none of that name.
func (s *Set) kept(key annotations.Key) *kept {
	c := s.cacheOf(key.Kind)
	if c == nil {
		return nil
	}
	return named[*kept](c.informer.GetStore(), cache.NamespacedNameAsObjectName(key.NamespacedName()))
}

// caches are those of all kinds.
func (s *Set) caches() []*workloads {
	return slices.AppendSeq(slices.Clone(s.builtin), maps.Values(s.customs()))
}
