package migrate

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/pager"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// asking reads objects of a cluster.
type asking struct {
	*objects
	client    dynamic.Interface
	namespace string
}

// ask reads objects of the cluster.
func (i *input) ask(ctx context.Context, r *objects, all []*wanted, from offer, s cli.Streams) error {
	t, err := i.cluster.ForUser(s.Build)
	if err != nil {
		return err
	}
	namespace := i.namespace
	if namespace == "" && !i.all {
		namespace = t.Namespace
	}
	config := i.api.Config(t.Config, i.api.Timeout)
	config.ContentType, config.AcceptContentTypes = "", "" // custom resources are not had otherwise
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("cannot make a client for the API server: %w", err)
	}
	a := &asking{r, client, namespace}
	for _, w := range all {
		if err := a.define(ctx, &w.kind); err != nil {
			return err
		}
		if err := a.list(ctx, w); err != nil {
			return fmt.Errorf("cannot read %s of %s: %w", w.Resource, where(namespace), err)
		}
	}
	if from.anyCustom && i.all && len(all) == len(from.kinds) {
		a.notes = a.leftOut(ctx, from.kinds)
	}
	return a.readOwners(ctx, from.kinds)
}

func where(namespace string) string {
	if namespace == "" {
		return "all namespaces"
	}
	return "namespace " + strconv.Quote(namespace)
}

// of is where objects of a kind are.
func (a *asking) of(k *kind) dynamic.ResourceInterface {
	return a.client.Resource(k.GroupVersionResource).Namespace(a.namespace)
}

func (a *asking) list(ctx context.Context, w *wanted) error {
	for _, name := range w.asked {
		o, err := a.of(&w.kind).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		one := newObject(o.Object)
		one.isAsked = true
		a.objects.objects = append(a.objects.objects, one)
	}
	if len(w.asked) > 0 {
		return nil
	}
	err := each(ctx, a.of(&w.kind), func(o *unstructured.Unstructured) { a.objects.objects = append(a.objects.objects, newObject(o.Object)) })
	if w.isExtension && apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// each lists objects, page by page.
func each(ctx context.Context, of dynamic.ResourceInterface, visit func(*unstructured.Unstructured)) error {
	page := func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return of.List(ctx, o) }
	return pager.New(page).EachListItem(ctx, metav1.ListOptions{}, func(found runtime.Object) error {
		if u, ok := found.(*unstructured.Unstructured); ok {
			visit(u)
		}
		return nil
	})
}

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// define reads the CustomResourceDefinition of a kind whose version is not known.
func (a *asking) define(ctx context.Context, k *kind) error {
	if k.Version != "" {
		return nil
	}
	name := k.GroupResource().String()
	definition, err := a.client.Resource(definitions).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("cannot read the CustomResourceDefinition of %s: %w", name, err)
	}
	found, err := annotations.ReadKind(definition.Object)
	if err != nil {
		return fmt.Errorf("%s are not scaled: %w", name, err)
	}
	k.Version, k.kind = found.Version, found.Kind
	return nil
}

// readOwners reads what controls the annotated objects that were named, as far as it is of these kinds: it may be annotated, too, and scaled in their place.
func (a *asking) readOwners(ctx context.Context, kinds []kind) error {
	known := lineageOf(a.objects)
	for n := 0; n < len(a.objects.objects); n++ { // it grows
		o := a.objects.objects[n]
		owner := metav1.GetControllerOfNoCopy(o.meta())
		isWanted := o.isAround || o.isAsked && annotations.Selected(o.annotations()) && !isLeftAlone(o)
		if owner == nil || !isWanted || known.byUID[owner.UID] != nil {
			continue
		}
		above, err := a.read(ctx, owner, kinds)
		if err != nil {
			return fmt.Errorf("cannot read %s %s, which controls %s: %w", owner.Kind, owner.Name, o.title(), err)
		}
		if above != nil {
			a.objects.objects, known.byUID[owner.UID] = append(a.objects.objects, above), above
		}
	}
	return nil
}

// read reads what controls an object. It is nil if that is of none of the kinds, or gone.
func (a *asking) read(ctx context.Context, owner *metav1.OwnerReference, kinds []kind) (*object, error) {
	version, err := schema.ParseGroupVersion(owner.APIVersion)
	if err != nil {
		return nil, nil //nolint:nilerr // no such kind
	}
	for i := range kinds {
		k := &kinds[i]
		if k.Group != version.Group {
			continue
		}
		if err := a.define(ctx, k); err != nil {
			return nil, err
		}
		if k.kind != owner.Kind {
			continue
		}
		found, err := a.of(k).Get(ctx, owner.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && found.GetUID() != owner.UID {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		above := newObject(found.Object)
		above.isAround = true
		return above, nil
	}
	return nil, nil
}

// leftOut tells of annotated custom resources of kinds that were not asked for.
func (a *asking) leftOut(ctx context.Context, kinds []kind) (notes []string) {
	err := each(ctx, a.client.Resource(definitions), func(definition *unstructured.Unstructured) {
		k, err := annotations.ReadKind(definition.Object)
		name := k.GroupResource()
		if err != nil || slices.ContainsFunc(kinds, func(known kind) bool { return known.GroupResource() == name }) {
			return
		}
		annotated := 0
		err = each(ctx, a.client.Resource(k.GroupVersionResource()).Namespace(a.namespace), func(o *unstructured.Unstructured) {
			if annotations.Selected(o.GetAnnotations()) {
				annotated++
			}
		})
		switch {
		case err != nil && annotated == 0:
			notes = append(notes, fmt.Sprintf("%s cannot be read, so that it is not known whether some are annotated: %v", name, err))
		case annotated > 0:
			notes = append(notes, fmt.Sprintf("of %s %s annotated, and left out: mini-hpa scales them if the controller has the kind; --kinds=%s reads them", name, is(annotated, "object"), name))
		}
	})
	if err != nil {
		notes = append(notes, fmt.Sprintf("whether custom resources are annotated is not known: %v; --kinds names those that are read", err))
	}
	return notes
}
