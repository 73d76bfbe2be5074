package informer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer/watching"
)

// KindsConfig says which custom kinds are scaled, and what to call when one can be, or no longer.
type KindsConfig struct {
	// Dynamic reads CustomResourceDefinitions, and the objects that they define. Required.
	Dynamic dynamic.Interface
	// Names are the kinds, such as rollouts.argoproj.io. None may be built in.
	Names []schema.GroupResource
	// Watches is what these informers share with others, such as a Set; nil if there are no others.
	Watches *watching.Watches
	// OnError, if set, gets failures, each kind of object at most once a minute. See Config.OnError.
	OnError func(err error)
	// OnChange, if set, is told when the objects of a kind can be scaled, in another version or by other paths than before, too, and when they
	// cannot: then problem says why, and the kind is empty. It is called once for each change, from several goroutines, and must return quickly.
	OnChange func(name schema.GroupResource, kind annotations.Kind, problem error)
}

// Kinds follows the CustomResourceDefinitions of custom kinds: one may come later, go, or get another version. There is a watch for each,
// so that a role can name the definitions that may be read. All methods may be called from any goroutine.
type Kinds struct {
	config      KindsConfig
	definitions []*definition
	running     sync.WaitGroup

	mu      sync.Mutex
	changed []chan struct{} // of those who want to know that a kind has changed, each of capacity 1
}

// definition is one CustomResourceDefinition, as far as it is known.
type definition struct {
	name     schema.GroupResource
	informer cache.SharedIndexInformer
	handled  cache.DoneChecker
	looked   *awaited // until it is known whether there is one

	mu        sync.Mutex
	forbidden error // why it cannot be read, if it could not be
	kind      annotations.Kind
	problem   error            // why there is no kind
	was       schema.GroupKind // what it defined when there was a kind; the zero value if there never was
}

// definitions are what CustomResourceDefinitions are called in the API.
var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// NewKinds prepares the informers without contacting the API server. It fails if the client is missing.
func NewKinds(c KindsConfig) (*Kinds, error) {
	if c.Dynamic == nil {
		return nil, errors.New("following custom kinds needs a dynamic client")
	}
	if c.OnError == nil {
		c.OnError = handleError
	}
	if c.OnChange == nil {
		c.OnChange = func(schema.GroupResource, annotations.Kind, error) {}
	}
	k := &Kinds{config: c}
	for _, name := range c.Names {
		d, err := k.define(name)
		if err != nil {
			return nil, fmt.Errorf("preparing the informer of the CustomResourceDefinition %s: %w", name, err)
		}
		k.definitions = append(k.definitions, d)
	}
	return k, nil
}

// define prepares the informer of one definition.
func (k *Kinds) define(name schema.GroupResource) (*definition, error) {
	d := &definition{name: name, looked: &awaited{ended: make(chan struct{})}, problem: errUnread}
	source := watching.New(definitions.Resource, oneOf{k.config.Dynamic.Resource(definitions), name.String()}, k.config.Watches, k.config.OnError)
	d.informer = source.Informer(k.config.Dynamic, &unstructured.Unstructured{}, nil, slimDefinition)
	look := func(any) { k.look(d) }
	registration, err := d.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: look, DeleteFunc: look, UpdateFunc: func(_, now any) { look(now) }})
	if err != nil {
		return nil, err
	}
	d.handled = registration.HasSyncedChecker()
	return d, d.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *cache.Reflector, err error) {
		if !withheld(err) || d.informer.HasSynced() {
			source.Failed(ctx, r, err)
			return
		}
		d.mu.Lock()
		d.forbidden = err
		d.mu.Unlock()
		k.look(d)
	})
}

// oneOf lists and watches the only object of a name.
type oneOf struct {
	dynamic.ResourceInterface
	name string
}

func (o oneOf) only(opts metav1.ListOptions) metav1.ListOptions {
	opts.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, o.name).String()
	return opts
}

// List lists the object.
func (o oneOf) List(ctx context.Context, opts metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	return o.ResourceInterface.List(ctx, o.only(opts))
}

// Watch watches the object.
func (o oneOf) Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	return o.ResourceInterface.Watch(ctx, o.only(opts))
}

// keptDefinition is what is kept of a CustomResourceDefinition.
type keptDefinition struct {
	metav1.ObjectMeta
	kind    annotations.Kind
	problem error
}

// GetObjectKind implements runtime.Object.
func (d *keptDefinition) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. Nobody changes a definition.
func (d *keptDefinition) DeepCopyObject() runtime.Object {
	return &keptDefinition{*d.ObjectMeta.DeepCopy(), d.kind, d.problem}
}

// slimDefinition keeps the kind that a CustomResourceDefinition defines.
func slimDefinition(obj any) (any, error) {
	in, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj, nil
	}
	out := &keptDefinition{ObjectMeta: metav1.ObjectMeta{Name: in.GetName(), UID: in.GetUID(), ResourceVersion: in.GetResourceVersion()}}
	if !isEstablished(in.Object) {
		out.problem = ErrNotEstablished
		return out, nil
	}
	out.kind, out.problem = annotations.ReadKind(in.Object)
	return out, nil
}

// isEstablished says whether the objects of a CustomResourceDefinition are served.
func isEstablished(object map[string]any) bool {
	conditions, _, err := unstructured.NestedSlice(object, "status", "conditions")
	if err != nil {
		return false
	}
	for _, item := range conditions {
		if c, ok := item.(map[string]any); ok && c["type"] == "Established" {
			return c["status"] == "True"
		}
	}
	return false
}

// ErrNotEstablished is the problem of a kind whose CustomResourceDefinition is there, and whose objects are not served yet. A new definition is
// established within a moment.
var ErrNotEstablished = errors.New("its CustomResourceDefinition is not established yet (status.conditions)")

// Why a kind is not served.
var (
	errUnread = errors.New("its CustomResourceDefinition has not been read yet")
	errNone   = errors.New("there is no CustomResourceDefinition of this name")
)

// look finds out what is known of a kind, and tells if that has changed.
func (k *Kinds) look(d *definition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var kind annotations.Kind
	found := named[*keptDefinition](d.informer.GetStore(), cache.ObjectName{Name: d.name.String()})
	problem := errUnread
	switch {
	case found != nil:
		kind, problem = found.kind, found.problem
	case d.informer.HasSynced():
		problem = errNone
	case d.forbidden != nil:
		problem = fmt.Errorf("its CustomResourceDefinition cannot be read: %w", d.forbidden)
	}
	if kind == d.kind && (problem == nil) == (d.problem == nil) && (problem == nil || problem.Error() == d.problem.Error()) {
		return
	}
	d.kind, d.problem = kind, problem
	if problem == nil {
		d.was = kind.GroupKind()
	}
	k.config.OnChange(d.name, kind, problem)
	k.tell()
	if !errors.Is(problem, errUnread) {
		d.looked.end()
	}
}

// tell tells those who want to know that a kind has changed.
func (k *Kinds) tell() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, to := range k.changed {
		select {
		case to <- struct{}{}:
		default: // it has been told, and has not looked yet
		}
	}
}

// subscribe returns a channel that gets something when a kind has changed since it was read last.
func (k *Kinds) subscribe() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := make(chan struct{}, 1)
	k.changed = append(k.changed, c)
	return c
}

// Start starts the informers; they run until ctx ends. It must not be called twice.
func (k *Kinds) Start(ctx context.Context) {
	for _, d := range k.definitions {
		k.running.Go(func() { d.informer.RunWithContext(ctx) })
		late := time.AfterFunc(optional, d.looked.end) // the API server may refuse it for ever, such as with a broken store
		k.running.Go(func() {
			defer late.Stop()
			if cache.WaitFor(ctx, "", d.handled) {
				k.look(d)
			}
		})
	}
}

// awaited are the definitions that are not known yet.
func (k *Kinds) awaited() []*awaited {
	awaited := make([]*awaited, len(k.definitions))
	for i, d := range k.definitions {
		awaited[i] = d.looked
	}
	return awaited
}

// Fill returns when it is known of each kind whether it is served, or when that could not be read for half a minute. It fails if ctx ends
// before that.
func (k *Kinds) Fill(ctx context.Context) error {
	if !fill(ctx, k.awaited()) {
		return fmt.Errorf("reading CustomResourceDefinitions: %w", context.Cause(ctx))
	}
	return nil
}

// Wait returns when everything that Start started has ended, some time after the end of Start's context.
func (k *Kinds) Wait() { k.running.Wait() }

// Of returns a kind that can be scaled now, a built-in one or a custom one; false if there is none.
func (k *Kinds) Of(kind schema.GroupKind) (annotations.Kind, bool) {
	if builtin, ok := annotations.BuiltinOf(kind); ok {
		return builtin, true
	}
	for _, d := range k.definitions {
		if custom, served := d.now(); served && custom.GroupKind() == kind {
			return custom, true
		}
	}
	return annotations.Kind{}, false
}

// hasBeen says whether a kind is one of the custom ones, as far as that was ever known.
func (k *Kinds) hasBeen(kind schema.GroupKind) bool {
	return !kind.Empty() && slices.ContainsFunc(k.definitions, func(d *definition) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.was == kind
	})
}

// now returns the kind if it is served.
func (d *definition) now() (annotations.Kind, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kind, d.problem == nil
}
