package informer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Set is the watched part of the cluster together with the queue of workloads to look at. All methods may be called
// from any goroutine. What it returns is shared and must not be changed.
type Set struct {
	deployments cache.TypedSharedIndexInformer[*kept]
	replicaSets cache.TypedSharedIndexInformer[*record]
	pods        cache.TypedSharedIndexInformer[*keptPod]
	templates   templates
	reader      kubernetes.Interface
	// doubtDeployments lists Deployments again because a change is known that their watch has not brought.
	doubtDeployments func(why string)

	onError func(error)
	// handled are done when the handlers have seen all of the initial lists. The caches hold them by then.
	handled []cache.DoneChecker
	started atomic.Bool
	running sync.WaitGroup

	terms   chan struct{}        // holds one token while a term lasts, so that the next one waits for its end
	current atomic.Pointer[term] // nil outside of a term
}

const (
	bySelection  = "selection" // the index of Deployments that have an annotation of mini-hpa, all under the value selectedOnes
	selectedOnes = "selected"
)

func selection(k *kept) ([]string, error) {
	if !k.isSelected() {
		return nil, nil
	}
	return []string{selectedOnes}, nil
}

// Workload returns a workload, or nil if there is none of that name. If it is not selected, it has only key, UID and version. It is
// shared and must not be changed.
func (s *Set) Workload(key annotations.Key) *annotations.Workload {
	return named[*kept](s.deployments.GetStore(), cache.NamespacedNameAsObjectName(key.NamespacedName())).workload()
}

// Live reads a workload from the API server in the form of Workload, or returns nil if there is none of that name. It makes a LIST of
// one object, because watching needs the right to list anyway.
func (s *Set) Live(ctx context.Context, key annotations.Key) (*annotations.Workload, error) {
	list, err := s.reader.AppsV1().Deployments(key.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, key.Name).String()})
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(list.Items, func(d appsv1.Deployment) bool { return d.Name == key.Name })
	if at < 0 {
		return nil, nil
	}
	slim, err := s.templates.slimDeployment(&list.Items[at])
	if err != nil {
		return nil, err
	}
	return typed[*kept](slim).workload(), nil
}

// Doubt says that the API server has had a version of a workload for so long that the watch should have brought it. Deployments are
// then listed again, which is reported.
func (s *Set) Doubt(key annotations.Key, version string) {
	s.doubtDeployments(fmt.Sprintf("nothing came of version %s of %s", version, key.NamespacedName()))
}

// Selected returns the workloads that have an annotation of mini-hpa, sorted by namespace and name.
func (s *Set) Selected() []annotations.Key {
	var keys []annotations.Key
	for _, k := range indexed[*kept](s.deployments.GetIndexer(), bySelection, selectedOnes) {
		keys = append(keys, k.Key)
	}
	slices.SortFunc(keys, func(a, b annotations.Key) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return keys
}

// named returns an object by its name, or the zero T if it is not there.
func named[T any](store cache.Store, key cache.ObjectName) T {
	// The in-memory store has no error to return.
	obj, _, _ := store.GetByKey(key.String())
	found, _ := obj.(T)
	return found
}

// indexed returns what an index holds under a value, in no order.
func indexed[T any](indexer cache.Indexer, index, value string) []T {
	objs, err := indexer.ByIndex(index, value)
	if err != nil {
		// The only possible error is a wrong name of the index. Going on without pods would lead to wrong decisions.
		panic(fmt.Errorf("searching the cache: %w", err))
	}
	found := make([]T, 0, len(objs))
	for _, obj := range objs {
		if o, ok := obj.(T); ok {
			found = append(found, o)
		}
	}
	return found
}

// typed asserts the type that a transform has made: an informer holds no other.
func typed[T any](obj any) T {
	t, ok := obj.(T)
	if !ok {
		panic(fmt.Errorf("an informer holds a %T", obj))
	}
	return t
}
