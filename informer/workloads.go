package informer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer/watching"
)

// workloads is the cache of one kind of workload.
type workloads struct {
	kind     annotations.Kind
	informer cache.TypedSharedIndexInformer[*kept]
	slim     cache.TransformFunc
	// live lists objects of a namespace without the cache.
	live lister
	// doubt lists the objects again because a change is known that their watch has not brought.
	doubt func(why string)
	// handled is done when the handlers have seen the whole initial list.
	handled cache.DoneChecker
	// first is the wait for that.
	first *awaited
	stop  context.CancelFunc // of a custom kind
}

// lister lists the objects of a namespace.
type lister func(ctx context.Context, namespace string, opts metav1.ListOptions) (runtime.Object, error)

// byController is the index of workloads and pods by the UID of the owner that controls them. It leads from an owner to what it owns.
// The other direction is a get by name with a check of the UID.
const byController = "controller"

// The index of workloads by whether they are annotated.
const (
	bySelection  = "selection" // those that have an annotation of mini-hpa, all under the value selectedOnes and those of a namespace under selectedIn
	selectedOnes = "selected"
)

func selectedIn(namespace string) string { return selectedOnes + "/" + namespace }

func selection(k *kept) ([]string, error) {
	if !k.isAnnotated() {
		return nil, nil
	}
	return []string{selectedOnes, selectedIn(k.namespace)}, nil
}

// selecting is the index byNamespace of workloads: those whose selector can say which pods are theirs.
func selecting(k *kept) ([]string, error) {
	if !k.isAnnotated() || k.selector == nil {
		return nil, nil
	}
	return []string{k.namespace}, nil
}

// origin is where the objects of one kind come from.
type origin[L runtime.Object] struct {
	kind annotations.Kind
	// base is the client itself, and client the part of it that watches these objects.
	base   any
	client watching.Lister[L]
	// example is an object; only its type matters.
	example runtime.Object
	live    lister
	slim    cache.TransformFunc
	// isOptional says that nobody waits for the first list if it is forbidden.
	isOptional bool
	watches    *watching.Watches
	onError    func(error)
	// changed and deleted are the handlers: what came has no before, what went no after, unless only its name is known.
	changed func(c *workloads, before, after *kept)
	deleted func(c *workloads, gone cache.DeletedObject[*kept])
}

// newWorkloads prepares the cache of one kind.
func newWorkloads[L runtime.Object](o *origin[L]) (*workloads, error) {
	source := watching.New(o.kind.Resource, o.client, o.watches, o.onError)
	c := &workloads{kind: o.kind, slim: o.slim, live: o.live, doubt: source.Doubt, stop: func() {}}
	c.informer = cache.NewTypedSharedIndexInformer[*kept](source.Informer(o.base, o.example,
		cache.TypedIndexersToIndexers(cache.TypedIndexers[*kept]{bySelection: selection, byNamespace: selecting, byController: (*kept).controller}), c.slim))
	registration, err := c.informer.AddTypedEventHandler(cache.TypedResourceEventHandlerFuncs[*kept]{
		AddFunc:    func(k *kept) { o.changed(c, nil, k) },
		UpdateFunc: func(before, after *kept) { o.changed(c, before, after) },
		DeleteFunc: func(gone cache.DeletedObject[*kept]) { o.deleted(c, gone) },
	})
	err = errors.Join(err, c.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *cache.Reflector, err error) {
		source.Failed(ctx, r, err)
		if o.isOptional && withheld(err) {
			c.first.end()
		}
	}))
	if err != nil {
		return nil, fmt.Errorf("preparing the informer of %s: %w", o.kind.GroupResource(), err)
	}
	c.handled = registration.HasSyncedChecker()
	c.first = &awaited{came: c.handled.Done(), ended: make(chan struct{})}
	return c, nil
}

// key is the key of an object of this kind.
func (c *workloads) key(k *kept) annotations.Key {
	return annotations.Key{Kind: c.kind.GroupKind(), Namespace: k.namespace, Name: k.name}
}

// annotated are the objects that have an annotation of mini-hpa, in no order.
func (c *workloads) annotated() []*kept {
	return indexed[*kept](c.informer.GetIndexer(), bySelection, selectedOnes)
}

// keys are those of the annotated objects, in no order.
func (c *workloads) keys() []annotations.Key {
	var keys []annotations.Key
	for _, k := range c.annotated() {
		keys = append(keys, c.key(k))
	}
	return keys
}

// hasAnnotated says whether there are such objects.
func (c *workloads) hasAnnotated() bool {
	return len(c.informer.GetIndexer().ListIndexFuncValues(bySelection)) > 0
}

// isWithheld says whether the objects could not be read when they were first listed, and not since either.
func (c *workloads) isWithheld() bool { return isDone(c.first.ended) && !isDone(c.handled.Done()) }

// read reads one object without the cache, in the form in which the cache would hold it; nil if there is none of that name. It makes a
// LIST of one object, because watching needs the right to list anyway.
func (c *workloads) read(ctx context.Context, namespace, name string) (*kept, error) {
	list, err := c.live(ctx, namespace, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()})
	if err != nil {
		return nil, err
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return nil, fmt.Errorf("reading a list of %s: %w", c.kind.GroupResource(), err)
	}
	at := slices.IndexFunc(items, func(o runtime.Object) bool {
		item, err := meta.Accessor(o)
		return err == nil && item.GetName() == name
	})
	if at < 0 {
		return nil, nil
	}
	slim, err := c.slim(items[at])
	if err != nil {
		return nil, err
	}
	return typed[*kept](slim), nil
}
