package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Revisions knows what a Deployment was before.
type Revisions interface {
	// Find returns an earlier revision of the Deployment that is in a request, as JSON, with the same pod template; nil if there
	// is none. Of the revision, annotations and pod template are known. The error says why it is not known whether there is one.
	Find(ctx context.Context, namespace string, deployment []byte) (*annotations.Workload, error)
}

const (
	// maxRevised is how large a Deployment may be to be compared, in bytes of JSON: it is decoded in full, which can take a few
	// hundred times its size. Larger ones count as not known.
	maxRevised = 128 << 10
	// lookup is how long the API server has to name the ReplicaSets, within the 5 s that it gives the webhook.
	lookup = 2 * time.Second
	// maxLookups is how many are made at a time.
	maxLookups = 2
)

// revisions compares with the ReplicaSets, which are where a rollback takes its template from, whoever makes it: kubectl rollout
// undo, helm rollback or a GitOps tool that goes back to an earlier commit.
type revisions struct {
	names   metadata.Interface
	objects kubernetes.Interface
	places  chan struct{}
}

// NewRevisions asks the API server for the ReplicaSets of the Deployment: for the metadata of those that its selector matches,
// and for those among them that it controls. Clients of their own keep this from delaying anything else.
func NewRevisions(names metadata.Interface, objects kubernetes.Interface) Revisions {
	return &revisions{names: names, objects: objects, places: make(chan struct{}, maxLookups)}
}

// Find is Revisions'.
func (r *revisions) Find(ctx context.Context, namespace string, deployment []byte) (*annotations.Workload, error) {
	if len(deployment) > maxRevised {
		return nil, fmt.Errorf("a Deployment of %d bytes is not compared with its ReplicaSets", len(deployment))
	}
	ctx, cancel := context.WithTimeout(ctx, lookup)
	defer cancel()
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	case <-ctx.Done():
		return nil, errors.New("too many Deployments are being compared with their ReplicaSets")
	}
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

// cached asks for what the API server has in memory: a revision that is worth going back to is old enough to be there.
var cached = metav1.GetOptions{ResourceVersion: "0"}

// owned are the names of the ReplicaSets that the Deployment controls. A selector that is written as nothing, as that which
// matches nothing is, too, would list all there are.
func (r *revisions) owned(ctx context.Context, namespace string, d *appsv1.Deployment) ([]string, error) {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil || selector.String() == "" || namespace == "" || d.UID == "" {
		return nil, errors.New("the Deployment has no selector, namespace or UID")
	}
	list, err := r.names.Resource(appsv1.SchemeGroupVersion.WithResource("replicasets")).Namespace(namespace).
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

// revisionOf is the Deployment as it was. The Deployment controller copies its annotations to its ReplicaSets.
func revisionOf(rs *appsv1.ReplicaSet) *annotations.Workload {
	return &annotations.Workload{Annotations: rs.Annotations, Template: &rs.Spec.Template}
}

// restartedAt is where kubectl rollout restart notes the time. A rollback by a tool that merges keeps it.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// sameTemplate compares but for the label that the Deployment controller adds, as that controller does (EqualIgnoreHash), and but
// for restarts.
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
