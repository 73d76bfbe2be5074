package webhook

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes"
)

// Revisions knows what a Deployment was before.
type Revisions interface {
	// Had says whether the Deployment that is in a request, as JSON, has a pod template that it has had before. The error says
	// why that is not known.
	Had(ctx context.Context, namespace string, deployment []byte) (bool, error)
}

const (
	// maxRevised is how large a Deployment may be to be compared, in bytes of JSON: it is decoded in full, which can take a few
	// hundred times its size. Larger ones count as not known.
	maxRevised = 128 << 10
	// lookup is how long the API server has to name the ReplicaSets, within the 5 s that it gives the webhook.
	lookup = 2 * time.Second
)

// revisions compares with the ReplicaSets, which are where a rollback takes its template from, whoever makes it: kubectl rollout
// undo, helm rollback or a GitOps tool that goes back to an earlier commit.
type revisions struct{ client kubernetes.Interface }

// NewRevisions asks the API server for the ReplicaSets of the Deployment.
func NewRevisions(client kubernetes.Interface) Revisions { return revisions{client} }

// Had is Revisions'.
func (r revisions) Had(ctx context.Context, namespace string, deployment []byte) (bool, error) {
	if len(deployment) > maxRevised {
		return false, fmt.Errorf("a Deployment of %d bytes is not compared with its ReplicaSets", len(deployment))
	}
	var d appsv1.Deployment
	if err := utiljson.Unmarshal(deployment, &d); err != nil {
		return false, fmt.Errorf("reading the Deployment: %w", err)
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return false, fmt.Errorf("reading the selector of the Deployment: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lookup)
	defer cancel()
	// Version 0 is what the API server has in memory; a revision that is worth going back to is old enough to be there.
	found, err := r.client.AppsV1().ReplicaSets(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String(), ResourceVersion: "0"})
	if err != nil {
		return false, fmt.Errorf("listing the ReplicaSets of the Deployment: %w", err)
	}
	return slices.ContainsFunc(found.Items, func(rs appsv1.ReplicaSet) bool {
		return metav1.IsControlledBy(&rs, &d) && sameTemplate(&rs.Spec.Template, &d.Spec.Template)
	}), nil
}

// sameTemplate compares but for the label that the Deployment controller adds, as that controller does (EqualIgnoreHash).
func sameTemplate(ofReplicaSet, ofDeployment *corev1.PodTemplateSpec) bool {
	one, other := ofReplicaSet.DeepCopy(), ofDeployment.DeepCopy()
	delete(one.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	delete(other.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return equality.Semantic.DeepEqual(one, other)
}
