package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/informer"
)

// object is what a user wants to have explained.
type object struct {
	// resource is its kind as it is named in the API.
	resource        schema.GroupResource
	namespace, name string
	// class is that of the controller.
	class string
}

// objectOf reads KIND/NAME or KIND NAME in the forms in which kubectl users write it.
func objectOf(args []string) (object, error) {
	w, err := cli.OneWorkload(args, "explain")
	return object{resource: w.Resource, name: w.Name}, err
}

// isCustom says whether the kind is one that a CustomResourceDefinition defines.
func (o object) isCustom() bool { return o.resource.Group != "apps" }

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// only asks for an object by a list of that name alone: whoever may list and watch, such as the controller in its own pod, need not have the right to get as well.
// The error says so where there is none.
func only[T, L runtime.Object](ctx context.Context, objects interface {
	List(ctx context.Context, o metav1.ListOptions) (L, error)
}, resource schema.GroupResource, name string) (found T, err error) {
	list, err := objects.List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()})
	if err != nil {
		return found, err
	}
	all, err := meta.ExtractList(list)
	if err != nil {
		return found, err
	}
	for _, object := range all {
		one, isKind := object.(T)
		if about, err := meta.Accessor(object); err == nil && isKind && about.GetName() == name {
			return one, nil
		}
	}
	return found, apierrors.NewNotFound(resource, name)
}

// read asks the API server for the object.
func (o object) read(ctx context.Context, api cluster.Clients) (*annotations.Workload, error) {
	if o.isCustom() {
		return o.readCustom(ctx, api)
	}
	apps, title := api.Act.AppsV1(), o.namespace+"/"+o.name
	switch o.resource.Resource {
	case "statefulsets":
		s, err := only[*appsv1.StatefulSet](ctx, apps.StatefulSets(o.namespace), o.resource, o.name)
		if err != nil {
			return nil, fmt.Errorf("cannot read statefulset %s: %w", title, err)
		}
		return annotations.OfStatefulSet(s), nil
	case "replicasets":
		r, err := only[*appsv1.ReplicaSet](ctx, apps.ReplicaSets(o.namespace), o.resource, o.name)
		if err != nil {
			return nil, fmt.Errorf("cannot read replicaset %s: %w", title, err)
		}
		if owner := metav1.GetControllerOf(r); owner != nil {
			return nil, fmt.Errorf("replicaset %s is controlled by %s %s, so mini-hpa never scales it; explain that one", title, strings.ToLower(owner.Kind), owner.Name)
		}
		return annotations.OfReplicaSet(r), nil
	}
	d, err := only[*appsv1.Deployment](ctx, apps.Deployments(o.namespace), o.resource, o.name)
	if err != nil {
		return nil, fmt.Errorf("cannot read deployment %s: %w", title, err)
	}
	return annotations.OfDeployment(d), nil
}

// readKind asks for the definition of a custom kind, which says where its fields are.
func readKind(ctx context.Context, api cluster.Clients, name schema.GroupResource) (annotations.Kind, error) {
	definition, err := only[*unstructured.Unstructured](ctx, api.Dynamic.Resource(definitions), definitions.GroupResource(), name.String())
	if err != nil {
		return annotations.Kind{}, fmt.Errorf("cannot read the CustomResourceDefinition of %s: %w", name, err)
	}
	kind, err := annotations.ReadKind(definition.Object)
	if err != nil {
		return annotations.Kind{}, fmt.Errorf("%s are not scaled: %w", name, err)
	}
	return kind, nil
}

// readCustom asks for a custom resource.
func (o object) readCustom(ctx context.Context, api cluster.Clients) (*annotations.Workload, error) {
	kind, err := readKind(ctx, api, o.resource)
	if err != nil {
		return nil, err
	}
	found, err := only[*unstructured.Unstructured](ctx, api.Dynamic.Resource(kind.GroupVersionResource()).Namespace(o.namespace), o.resource, o.name)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s %s/%s: %w", o.resource, o.namespace, o.name, err)
	}
	return kind.Read(found), nil
}

// followed are the custom kinds that can be watched: that of the object itself, which has been read, and those of names. It says why others
// cannot be, which would be waited for in vain.
func (o object) followed(ctx context.Context, api cluster.Clients, names []schema.GroupResource) (followed []schema.GroupResource, problems []error) {
	if o.isCustom() {
		followed = append(followed, o.resource)
	}
	for _, name := range names {
		if slices.Contains(followed, name) {
			continue
		}
		kind, err := readKind(ctx, api, name)
		if err == nil {
			if _, err = api.Dynamic.Resource(kind.GroupVersionResource()).Namespace(o.namespace).List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
				err = fmt.Errorf("cannot list %s: %w", kind.Resource, err)
			}
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s are not followed: %w", name, err))
			continue
		}
		followed = append(followed, name)
	}
	return followed, problems
}

// watch fills the caches of the namespace, those of these custom kinds, too; end, to be called after the end of ctx, returns when nothing
// watches any more.
func (o object) watch(ctx context.Context, api cluster.Clients, names []schema.GroupResource) (set *informer.Set, end func(), err error) {
	kinds, err := informer.NewKinds(informer.KindsConfig{Dynamic: api.Dynamic, Names: names})
	if err != nil {
		return nil, func() {}, err
	}
	kinds.Start(ctx)
	if err = kinds.Fill(ctx); err != nil {
		return nil, kinds.Wait, err
	}
	if set, err = informer.New(informer.Config{Client: api.Watch, Kinds: kinds, Namespace: o.namespace, Class: o.class}); err != nil {
		return nil, kinds.Wait, err
	}
	return set, func() { set.Wait(); kinds.Wait() }, set.Start(ctx)
}
