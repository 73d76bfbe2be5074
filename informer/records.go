package informer

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
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
// corev1.Pod takes 1.3 kB. So the caches hold records, and a record is made into a corev1.Pod when a decision first reads it.

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
func (r *record) GetObjectMeta() metav1.Object {
	meta := &metav1.ObjectMeta{Namespace: r.namespace, Name: r.name, UID: r.uid, ResourceVersion: r.version}
	if r.owner != nil {
		meta.OwnerReferences = []metav1.OwnerReference{*r.owner}
	}
	return meta
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
	template         *template
	node             unique.Handle[string]
	phase            unique.Handle[corev1.PodPhase]
	created, deleted second
	started          second
	conditions       []condition
	// labels are kept where selectors say which pods belong to a workload; nil elsewhere. See wants.
	labels map[string]string
	// made is what pod returns, once it was called.
	made atomic.Pointer[corev1.Pod]
}

// condition has the fields of a corev1.PodCondition that are read.
type condition struct {
	kind    unique.Handle[corev1.PodConditionType]
	status  unique.Handle[corev1.ConditionStatus]
	since   second
	message string
}

// template has what the pods of one owner usually have in common. A corev1.PodSpec, which has many more fields, would take ten
// times the memory.
type template struct {
	owners                     []metav1.OwnerReference
	labels                     map[string]string // of the pod that came first; nil if they are not kept
	containers, initContainers []corev1.Container
	overhead                   corev1.ResourceList
	resources                  *corev1.ResourceRequirements
}

// second is a time in seconds, as precise as the API server stores it; 0 is none.
type second int64

func secondOf(t *metav1.Time) second {
	if t.IsZero() {
		return 0
	}
	return second(t.Unix())
}

func (s second) time() metav1.Time {
	if s == 0 {
		return metav1.Time{}
	}
	return metav1.NewTime(time.Unix(int64(s), 0))
}

func (s second) pointer() *metav1.Time {
	if s == 0 {
		return nil
	}
	t := s.time()
	return &t
}

// one returns the text in memory that all equal texts share.
func one[T ~string](text T) T { return unique.Make(text).Value() }

// DeepCopyObject implements runtime.Object. Nobody changes a pod.
func (p *keptPod) DeepCopyObject() runtime.Object { return p }

// isEqual says whether pods of the two templates have the same owner, containers and resources.
func (t *template) isEqual(other *template) bool {
	return slices.EqualFunc(t.owners, other.owners, func(a, b metav1.OwnerReference) bool {
		return a.UID == b.UID && a.Name == b.Name && a.APIVersion == b.APIVersion && a.Kind == b.Kind
	}) && slices.EqualFunc(t.containers, other.containers, podspec.Equal) &&
		slices.EqualFunc(t.initContainers, other.initContainers, podspec.Equal) &&
		podspec.EqualLists(t.overhead, other.overhead) && podspec.EqualResources(t.resources, other.resources)
}

// pod returns the pod with the fields that a decision reads. It is shared and must not be changed.
func (p *keptPod) pod() *corev1.Pod {
	f := p.facts
	if f == nil {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: p.name, ResourceVersion: p.version}}
	}
	if made := f.made.Load(); made != nil {
		return made
	}
	made := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: p.name, UID: p.uid, ResourceVersion: p.version,
			CreationTimestamp: f.created.time(), DeletionTimestamp: f.deleted.pointer(), OwnerReferences: f.template.owners},
		Spec: corev1.PodSpec{NodeName: f.node.Value(), Containers: f.template.containers, InitContainers: f.template.initContainers,
			Overhead: f.template.overhead, Resources: f.template.resources},
		Status: corev1.PodStatus{Phase: f.phase.Value(), StartTime: f.started.pointer()},
	}
	for _, c := range f.conditions {
		made.Status.Conditions = append(made.Status.Conditions, corev1.PodCondition{Type: c.kind.Value(), Status: c.status.Value(), LastTransitionTime: c.since.time(), Message: c.message})
	}
	f.made.CompareAndSwap(nil, made)
	return f.made.Load()
}

// ready returns the condition Ready, or nil if the pod has none yet.
func (f *facts) ready() *condition {
	for i := range f.conditions {
		if f.conditions[i].kind.Value() == corev1.PodReady {
			return &f.conditions[i]
		}
	}
	return nil
}

// hasChanged says whether an update can change a decision. The scheduler's condition cannot, nor the end of the grace period of a
// deletion.
func (p *keptPod) hasChanged(after *keptPod) bool {
	a, b := p.facts, after.facts
	if a == nil || b == nil {
		return a != b
	}
	if p.uid != after.uid || (a.deleted == 0) != (b.deleted == 0) || a.node != b.node || a.phase != b.phase || a.started != b.started ||
		a.template != b.template && !a.template.isEqual(b.template) || !maps.Equal(a.labels, b.labels) {
		return true
	}
	before, now := a.ready(), b.ready()
	return (before == nil) != (now == nil) || before != nil && *before != *now
}
