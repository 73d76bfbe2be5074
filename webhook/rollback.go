package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes"
	appsv1client "k8s.io/client-go/kubernetes/typed/apps/v1"
	"k8s.io/client-go/metadata"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Revisions finds earlier revisions of workloads.
type Revisions interface {
	// Find returns an earlier revision, with the same pod template, of the workload in a request (as JSON), or nil if there is
	// none. The revision has annotations and a pod template only. An error says why it is not known whether there is one.
	Find(ctx context.Context, kind schema.GroupKind, namespace string, workload []byte) (*annotations.Workload, error)
}

// revisions compares the pod template with those that the API server remembers. Every rollback goes back to one of them, be it by kubectl
// rollout undo, helm rollback or a GitOps tool.
type revisions struct{ lookups }

// NewRevisions asks the API server for the ReplicaSets of a Deployment, or for the ControllerRevisions of a StatefulSet: first for the
// metadata of those that its selector matches, then for those among them that it controls. No other kind has revisions that are known.
// The clients should be used for nothing else, which they would delay.
func NewRevisions(m metadata.Interface, objects kubernetes.Interface) Revisions {
	return &revisions{newLookups(m, objects)}
}

// memory is where the revisions of a kind are kept.
type memory struct {
	resource string
	// read returns the revision in an object of that resource: its metadata, and the workload as it was. The controller copies its
	// annotations to its revisions.
	read func(ctx context.Context, c appsv1client.AppsV1Interface, namespace, name string) (metav1.Object, *corev1.PodTemplateSpec, error)
}

func memoryOf(kind schema.GroupKind) (memory, bool) {
	switch kind {
	case deployments:
		return memory{"replicasets", readReplicaSet}, true
	case statefulSets:
		return memory{"controllerrevisions", readControllerRevision}, true
	}
	return memory{}, false
}

func readReplicaSet(ctx context.Context, c appsv1client.AppsV1Interface, namespace, name string) (metav1.Object, *corev1.PodTemplateSpec, error) {
	rs, err := c.ReplicaSets(namespace).Get(ctx, name, cached)
	if err != nil {
		return nil, nil, err
	}
	return rs, &rs.Spec.Template, nil
}

// readControllerRevision reads a patch that sets the pod template (getPatch of the StatefulSet controller).
func readControllerRevision(ctx context.Context, c appsv1client.AppsV1Interface, namespace, name string) (metav1.Object, *corev1.PodTemplateSpec, error) {
	revision, err := c.ControllerRevisions(namespace).Get(ctx, name, cached)
	if err != nil {
		return nil, nil, err
	}
	var patch form
	if err := utiljson.Unmarshal(revision.Data.Raw, &patch); err != nil {
		return nil, nil, errors.New("its data cannot be decoded")
	}
	return revision, &patch.Spec.Template, nil
}

// form has the fields of a workload that are compared.
type form struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector *metav1.LabelSelector  `json:"selector"`
		Template corev1.PodTemplateSpec `json:"template"`
	} `json:"spec"`
}

// Find implements Revisions.
func (r *revisions) Find(ctx context.Context, kind schema.GroupKind, namespace string, workload []byte) (*annotations.Workload, error) {
	kept, ok := memoryOf(kind)
	if !ok {
		return nil, nil
	}
	if len(workload) > maxComparedBytes {
		return nil, fmt.Errorf("a %s of %d bytes is not compared with its %s", kind.Kind, len(workload), kept.resource)
	}
	ctx, end, ok := r.begin(ctx)
	if !ok {
		return nil, errors.New("too many workloads are being compared with their revisions")
	}
	defer end()
	var w form
	if err := utiljson.Unmarshal(workload, &w); err != nil {
		return nil, fmt.Errorf("the %s cannot be decoded", kind.Kind)
	}
	owned, err := r.owned(ctx, kept.resource, namespace, &w)
	if err != nil {
		return nil, err
	}
	for _, name := range owned {
		revision, template, err := kept.read(ctx, r.objects.AppsV1(), namespace, name)
		if err != nil {
			return nil, fmt.Errorf("reading one of its %s: %w", kept.resource, err)
		}
		if metav1.IsControlledBy(revision, &w) && sameTemplate(template, &w.Spec.Template) {
			return &annotations.Workload{Annotations: revision.GetAnnotations(), Template: template}, nil
		}
	}
	return nil, nil
}

// owned returns the names of the revisions that the workload controls. It fails for a selector whose text is empty, as is that of a
// selector which matches nothing: it would list all of them.
func (r *revisions) owned(ctx context.Context, resource, namespace string, w *form) ([]string, error) {
	selector, err := metav1.LabelSelectorAsSelector(w.Spec.Selector)
	if err != nil || selector.String() == "" || namespace == "" || w.UID == "" {
		return nil, errors.New("the workload has no selector, namespace or UID")
	}
	list, err := r.metadata.Resource(appsv1.SchemeGroupVersion.WithResource(resource)).Namespace(namespace).
		List(ctx, metav1.ListOptions{LabelSelector: selector.String(), ResourceVersion: cached.ResourceVersion})
	if err != nil {
		return nil, fmt.Errorf("listing its %s: %w", resource, err)
	}
	var names []string
	for i := range list.Items {
		if metav1.IsControlledBy(&list.Items[i], w) {
			names = append(names, list.Items[i].Name)
		}
	}
	return names, nil
}

// restartedAt is the annotation in which kubectl rollout restart notes the time. A rollback by a tool that merges keeps it.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// sameTemplate compares pod templates without the label that the Deployment controller adds, as that controller does
// (EqualIgnoreHash), and without the time of a restart.
func sameTemplate(one, other *corev1.PodTemplateSpec) bool {
	return equality.Semantic.DeepEqual(one.Spec, other.Spec) &&
		sameBut(appsv1.DefaultDeploymentUniqueLabelKey, one.Labels, other.Labels) &&
		sameBut(restartedAt, one.Annotations, other.Annotations)
}

func sameBut(key string, one, other map[string]string) bool {
	one, other = maps.Clone(one), maps.Clone(other)
	delete(one, key)
	delete(other, key)
	return maps.Equal(one, other)
}
