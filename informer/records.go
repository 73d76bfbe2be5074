package informer

import (
	"maps"
	"slices"
	"strings"
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// The built-in kinds.
var (
	deploymentKind  = schema.GroupKind{Group: appsv1.GroupName, Kind: "Deployment"}
	replicaSetKind  = schema.GroupKind{Group: appsv1.GroupName, Kind: "ReplicaSet"}
	statefulSetKind = schema.GroupKind{Group: appsv1.GroupName, Kind: "StatefulSet"}
)

// Most objects of a cluster belong to nothing that is autoscaled, and the types of the API are large even if they are empty: a
// corev1.Pod takes 1.3 kB. So the caches hold records.

// record has the identity of an object and who controls it.
type record struct {
	namespace, name string
	uid             types.UID
	version         string
	// owner controls the object; nil if none does.
	owner *metav1.OwnerReference
}

// recordOf returns the record of an object.
func recordOf(in metav1.Object) record {
	r := record{namespace: one(in.GetNamespace()), name: in.GetName(), uid: in.GetUID(), version: in.GetResourceVersion()}
	if ref := metav1.GetControllerOfNoCopy(in); ref != nil {
		r.owner = &metav1.OwnerReference{APIVersion: one(ref.APIVersion), Kind: one(ref.Kind), Name: ref.Name, UID: ref.UID, Controller: &controls}
	}
	return r
}

// controls is what the owners of all records point to. Nobody changes it.
var controls = true

// kindOf is the kind that a reference names, in any version; the zero value if it cannot be read.
func kindOf(ref *metav1.OwnerReference) schema.GroupKind {
	group, _, found := strings.Cut(ref.APIVersion, "/")
	if !found {
		group = "" // the core group, whose version stands alone
	}
	return schema.GroupKind{Group: group, Kind: ref.Kind}
}

// GetNamespace implements cache.Object.
func (r *record) GetNamespace() string { return r.namespace }

// GetName implements cache.Object.
func (r *record) GetName() string { return r.name }

// GetObjectMeta implements metav1.ObjectMetaAccessor.
func (r *record) GetObjectMeta() metav1.Object { return identity{r, &unkept} }

// identity is what client-go asks of a record, several times at each event: a metav1.ObjectMeta of its own would be as large as the record. Nobody writes to it.
type identity struct {
	*record
	*metav1.ObjectMeta
}

// unkept is what there is of all else that objects have.
var unkept metav1.ObjectMeta

// GetNamespace implements metav1.Object.
func (i identity) GetNamespace() string { return i.namespace }

// GetName implements metav1.Object.
func (i identity) GetName() string { return i.name }

// GetUID implements metav1.Object.
func (i identity) GetUID() types.UID { return i.uid }

// GetResourceVersion implements metav1.Object.
func (i identity) GetResourceVersion() string { return i.version }

// GetOwnerReferences implements metav1.Object.
func (i identity) GetOwnerReferences() []metav1.OwnerReference {
	if i.owner == nil {
		return nil
	}
	return []metav1.OwnerReference{*i.owner}
}

// GetObjectKind implements runtime.Object.
func (r *record) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. Nobody changes a record.
func (r *record) DeepCopyObject() runtime.Object {
	same := *r
	return &same
}

// controller returns the value of the index byController.
func (r *record) controller() ([]string, error) {
	if r.owner == nil {
		return nil, nil
	}
	return []string{string(r.owner.UID)}, nil
}

// isOf says whether the controlling owner has this kind, namespace and name.
func (r *record) isOf(kind schema.GroupKind, namespace, name string) bool {
	return r.owner != nil && r.namespace == namespace && r.owner.Name == name && kindOf(r.owner) == kind
}

// keptPod is a pod. One that no workload can own has nothing but its name and version.
type keptPod struct {
	record
	facts *facts
}

// isSelected says whether a selector, if there is one, selects the pod.
func (p *keptPod) isSelected(selector labels.Selector) bool {
	return selector == nil || p.facts != nil && selector.Matches(labels.Set(p.facts.labels))
}

// facts is what a decision reads of a pod.
type facts struct {
	podspec.Pod
	// labels are kept where selectors say which pods belong to a workload; nil elsewhere. See wants.
	labels map[string]string
}

// one returns the text in memory that all equal texts share.
func one[T ~string](text T) T { return unique.Make(text).Value() }

// DeepCopyObject implements runtime.Object. Nobody changes a pod.
func (p *keptPod) DeepCopyObject() runtime.Object { return p }

// sameOwner says whether two references name the same object. Either may be nil.
func sameOwner(a, b *metav1.OwnerReference) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.UID == b.UID && a.Name == b.Name && a.APIVersion == b.APIVersion && a.Kind == b.Kind
}

// hasChanged says whether an update can change a decision, or where requests are led. The scheduler's condition cannot, nor the end of the grace period of a
// deletion, nor the addresses of a pod that is not ready.
func (p *keptPod) hasChanged(after *keptPod) bool {
	a, b := p.facts, after.facts
	if a == nil || b == nil {
		return a != b
	}
	return p.uid != after.uid || !sameOwner(p.owner, after.owner) || a.Deleted.IsZero() != b.Deleted.IsZero() || a.Node != b.Node || a.Phase != b.Phase ||
		!a.Started.Equal(b.Started) || !a.Ready.IsEqual(&b.Ready) || !a.Spec.IsEqual(b.Spec) || b.Ready.Is(corev1.ConditionTrue) && !slices.Equal(a.IPs, b.IPs) || !maps.Equal(a.labels, b.labels)
}
