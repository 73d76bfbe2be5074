package informer

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// Most objects of a cluster belong to nothing that is autoscaled, and the types of the API are large even if they are empty: a
// corev1.Pod takes 1.3 kB. So the caches hold records, and a record is made into a corev1.Pod when a decision first reads it.

// record has the identity of an object and who controls it.
type record struct {
	namespace, name string
	uid             types.UID
	version         string
	// owner controls the object if this is a ReplicaSet of a Deployment or a pod of a ReplicaSet; it is nil otherwise.
	owner *metav1.OwnerReference
}

// recordOf returns the record of an object. It has the controlling owner if that is of this kind in group apps.
func recordOf(in metav1.Object, kind string) record {
	r := record{namespace: one(in.GetNamespace()), name: in.GetName(), uid: in.GetUID(), version: in.GetResourceVersion()}
	ref := metav1.GetControllerOfNoCopy(in)
	if ref == nil || ref.Kind != kind || !strings.HasPrefix(ref.APIVersion, appsv1.GroupName+"/") {
		return r
	}
	r.owner = &metav1.OwnerReference{APIVersion: one(ref.APIVersion), Kind: kind, Name: ref.Name, UID: ref.UID, Controller: new(true)}
	return r
}

// GetNamespace implements cache.Object.
func (r *record) GetNamespace() string { return r.namespace }

// GetName implements cache.Object.
func (r *record) GetName() string { return r.name }

// GetUID implements owner.
func (r *record) GetUID() types.UID { return r.uid }

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

// isOf says whether the owner has this name.
func (r *record) isOf(namespace, name string) bool {
	return r.owner != nil && r.namespace == namespace && r.owner.Name == name
}

// keptPod is a pod. If no ReplicaSet controls it, it has nothing but its record.
type keptPod struct {
	record
	template         *template
	node             string
	phase            corev1.PodPhase
	created, deleted second
	started          second
	conditions       []condition
	// made is what pod returns, once it was called.
	made atomic.Pointer[corev1.Pod]
}

// condition has the fields of a corev1.PodCondition that are read.
type condition struct {
	kind    corev1.PodConditionType
	status  corev1.ConditionStatus
	since   second
	message string
}

// template has what the pods of a ReplicaSet usually have in common. A corev1.PodSpec, which has many more fields, would take ten
// times the memory.
type template struct {
	owners                     []metav1.OwnerReference
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
	a, b := &t.owners[0], &other.owners[0]
	return a.UID == b.UID && a.Name == b.Name && a.APIVersion == b.APIVersion &&
		slices.EqualFunc(t.containers, other.containers, podspec.Equal) &&
		slices.EqualFunc(t.initContainers, other.initContainers, podspec.Equal) &&
		podspec.EqualLists(t.overhead, other.overhead) && podspec.EqualResources(t.resources, other.resources)
}

// pod returns the pod with the fields that a decision reads. It is shared and must not be changed.
func (p *keptPod) pod() *corev1.Pod {
	if made := p.made.Load(); made != nil {
		return made
	}
	made := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: p.name, UID: p.uid, ResourceVersion: p.version,
		CreationTimestamp: p.created.time(), DeletionTimestamp: p.deleted.pointer()}}
	if p.template != nil {
		made.OwnerReferences = p.template.owners
		made.Spec = corev1.PodSpec{NodeName: p.node, Containers: p.template.containers, InitContainers: p.template.initContainers,
			Overhead: p.template.overhead, Resources: p.template.resources}
		made.Status = corev1.PodStatus{Phase: p.phase, StartTime: p.started.pointer()}
	}
	for _, c := range p.conditions {
		made.Status.Conditions = append(made.Status.Conditions, corev1.PodCondition{Type: c.kind, Status: c.status, LastTransitionTime: c.since.time(), Message: c.message})
	}
	p.made.CompareAndSwap(nil, made)
	return p.made.Load()
}

// ready returns the condition Ready, or nil if the pod has none yet.
func (p *keptPod) ready() *condition {
	for i := range p.conditions {
		if p.conditions[i].kind == corev1.PodReady {
			return &p.conditions[i]
		}
	}
	return nil
}

// hasChanged says whether an update can change a decision. The scheduler's condition cannot, nor the end of the grace period of a
// deletion.
func (p *keptPod) hasChanged(after *keptPod) bool {
	if p.uid != after.uid || (p.deleted == 0) != (after.deleted == 0) || p.node != after.node || p.phase != after.phase || p.started != after.started {
		return true
	}
	if p.template != after.template && (p.template == nil || after.template == nil || !p.template.isEqual(after.template)) {
		return true
	}
	before, now := p.ready(), after.ready()
	return (before == nil) != (now == nil) || before != nil && *before != *now
}
