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
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Revisions finds earlier revisions of Deployments.
type Revisions interface {
	// Find returns an earlier revision, with the same pod template, of the Deployment in a request (as JSON), or nil if there is
	// none. The revision has annotations and a pod template only. An error says why it is not known whether there is one.
	Find(ctx context.Context, namespace string, deployment []byte) (*annotations.Workload, error)
}

// revisions compares the pod template with those of the ReplicaSets. Every rollback goes back to one of them, be it by kubectl
// rollout undo, helm rollback or a GitOps tool.
type revisions struct{ lookups }

// NewRevisions asks the API server for the ReplicaSets of the Deployment: first for the metadata of those that its selector
// matches, then for those among them that it controls. The clients should be used for nothing else, which they would delay.
func NewRevisions(m metadata.Interface, objects kubernetes.Interface) Revisions {
	return &revisions{newLookups(m, objects)}
}

// Find implements Revisions.
func (r *revisions) Find(ctx context.Context, namespace string, deployment []byte) (*annotations.Workload, error) {
	if len(deployment) > maxComparedBytes {
		return nil, fmt.Errorf("a Deployment of %d bytes is not compared with its ReplicaSets", len(deployment))
	}
	ctx, end, ok := r.begin(ctx)
	if !ok {
		return nil, errors.New("too many Deployments are being compared with their ReplicaSets")
	}
	defer end()
	var d appsv1.Deployment
	if err := utiljson.Unmarshal(deployment, &d); err != nil {
		return nil, errors.New("the Deployment cannot be decoded")
	}
	owned, err := r.owned(ctx, namespace, &d)
	if err != nil {
		return nil, err
	}
	for _, name := range owned {
		rs, err := r.objects.AppsV1().ReplicaSets(namespace).Get(ctx, name, cached)
		if err != nil {
			return nil, fmt.Errorf("reading a ReplicaSet of the Deployment: %w", err)
		}
		if metav1.IsControlledBy(rs, &d) && sameTemplate(&rs.Spec.Template, &d.Spec.Template) {
			return revisionOf(rs), nil
		}
	}
	return nil, nil
}

// owned returns the names of the ReplicaSets that the Deployment controls. It fails for a selector whose text is empty, as is that
// of a selector which matches nothing: it would list all ReplicaSets.
func (r *revisions) owned(ctx context.Context, namespace string, d *appsv1.Deployment) ([]string, error) {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil || selector.String() == "" || namespace == "" || d.UID == "" {
		return nil, errors.New("the Deployment has no selector, namespace or UID")
	}
	list, err := r.metadata.Resource(appsv1.SchemeGroupVersion.WithResource("replicasets")).Namespace(namespace).
		List(ctx, metav1.ListOptions{LabelSelector: selector.String(), ResourceVersion: cached.ResourceVersion})
	if err != nil {
		return nil, fmt.Errorf("listing the ReplicaSets of the Deployment: %w", err)
	}
	var names []string
	for i := range list.Items {
		if metav1.IsControlledBy(&list.Items[i], d) {
			names = append(names, list.Items[i].Name)
		}
	}
	return names, nil
}

// revisionOf returns the Deployment as it was: the Deployment controller copies its annotations to its ReplicaSets.
func revisionOf(rs *appsv1.ReplicaSet) *annotations.Workload {
	return &annotations.Workload{Annotations: rs.Annotations, Template: &rs.Spec.Template}
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
