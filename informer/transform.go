package informer

import (
	"strings"
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// appsV1 is the version in which Deployments and ReplicaSets are owners, unless an old object says otherwise.
const appsV1 = "apps/v1"

// The transforms build a new object from the fields that are read. They do not change the object that they are given, which may be
// shared, and whose other fields are freed with it. For their own result they return an equal one, because a streamed initial list
// goes through them twice. Objects of other types, such as tombstones, are returned as they are.

// kept is a workload with the methods that a cache needs.
type kept struct{ annotations.Workload }

// GetNamespace implements cache.Object.
func (k *kept) GetNamespace() string { return k.Namespace }

// GetName implements cache.Object.
func (k *kept) GetName() string { return k.Name }

// GetUID implements owner.
func (k *kept) GetUID() types.UID { return k.UID }

// GetObjectMeta implements metav1.ObjectMetaAccessor, with the metadata that caches read.
func (k *kept) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: k.Namespace, Name: k.Name, UID: k.UID, ResourceVersion: k.Version}
}

// GetObjectKind implements runtime.Object. The kind of the workload is in its key.
func (k *kept) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. It shares the parts of the workload, which are never changed.
func (k *kept) DeepCopyObject() runtime.Object {
	same := *k
	return &same
}

func (k *kept) isSelected() bool { return annotations.Selected(k.Annotations) }

// workload returns the workload, or nil if k is nil.
func (k *kept) workload() *annotations.Workload {
	if k == nil {
		return nil
	}
	return &k.Workload
}

// slimDeployment keeps the fields of a selected Deployment that a decision reads, and the identity of any other one.
func slimDeployment(obj any) (any, error) {
	in, ok := obj.(*appsv1.Deployment)
	if !ok {
		return obj, nil
	}
	if !annotations.Selected(in.Annotations) {
		return &kept{annotations.Workload{Key: annotations.DeploymentKey(in.Namespace, in.Name), UID: in.UID, Version: in.ResourceVersion}}, nil
	}
	w := annotations.OfDeployment(in)
	w.Annotations = ownAnnotations(w.Annotations)
	w.Template = &corev1.PodTemplateSpec{Spec: podspec.Slim(&in.Spec.Template.Spec)}
	keepPlaceholders(&w.Template.Spec, &in.Spec.Template.Spec)
	w.Template.Labels = pairs(in.Spec.Template.Labels, annotations.Announces)
	w.Template.Annotations = pairs(in.Spec.Template.Annotations, func(key string) bool { return isOwn(key) || annotations.Announces(key) })
	w.SetBy, w.Refused = words(w.SetBy), words(w.Refused)
	return &kept{*w}, nil
}

// slimReplicaSet keeps the identity of a ReplicaSet and the Deployment that controls it.
func slimReplicaSet(obj any) (any, error) {
	in, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return obj, nil
	}
	out := &metav1.PartialObjectMetadata{ObjectMeta: slimMeta(&in.ObjectMeta)}
	out.OwnerReferences = slimController(in, "Deployment")
	return out, nil
}

// slimPod keeps the fields that a decision reads if a ReplicaSet controls the pod. No other pod can belong to a Deployment, and only
// its identity is kept.
func slimPod(obj any) (any, error) {
	in, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	out := &corev1.Pod{ObjectMeta: slimMeta(&in.ObjectMeta)}
	out.OwnerReferences = slimController(in, "ReplicaSet")
	if out.OwnerReferences == nil {
		return out, nil
	}
	out.CreationTimestamp = in.CreationTimestamp
	out.DeletionTimestamp = in.DeletionTimestamp
	out.Spec = podspec.Slim(&in.Spec)
	out.Spec.NodeName = unique.Make(in.Spec.NodeName).Value() // the memory of one name for all pods of the node
	out.Status = corev1.PodStatus{
		Phase:      in.Status.Phase,
		StartTime:  in.Status.StartTime,
		Conditions: podConditions(in.Status.Conditions),
	}
	return out, nil
}

// slimMeta keeps the identity of an object, and its resource version, on which writes are conditional.
func slimMeta(in *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: in.Namespace, Name: in.Name, UID: in.UID, ResourceVersion: in.ResourceVersion}
}

// slimController keeps the reference to the controlling owner if that is an object of this kind in group apps.
func slimController(in metav1.Object, kind string) []metav1.OwnerReference {
	ref := metav1.GetControllerOfNoCopy(in)
	if ref == nil || ref.Kind != kind || !strings.HasPrefix(ref.APIVersion, appsv1.GroupName+"/") {
		return nil
	}
	version := ref.APIVersion
	if version == appsV1 {
		version = appsV1 // the memory of the constant instead of a copy for each pod
	}
	return []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: ref.Name, UID: ref.UID, Controller: ref.Controller}}
}

// keepPlaceholders keeps the image of containers that stand for injected ones.
func keepPlaceholders(out, in *corev1.PodSpec) {
	for at, c := range podspec.All(in) {
		if c.Image == annotations.PlaceholderImage {
			podspec.At(out, at).Image = annotations.PlaceholderImage
		}
	}
}

// podConditions keeps whether a pod is ready, when a node was chosen for it, and why no node takes it.
func podConditions(in []corev1.PodCondition) []corev1.PodCondition {
	var out []corev1.PodCondition
	for i := range in {
		switch c := &in[i]; {
		case c.Type == corev1.PodReady, c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue:
			out = append(out, corev1.PodCondition{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime})
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse:
			out = append(out, corev1.PodCondition{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime, Message: words(c.Message)})
		}
	}
	return out
}

// maxWords is how much of the messages of other controllers is kept, in bytes: as much as an Event repeats.
const maxWords = 300

// words returns the beginning of a text. Usually all pods of a workload have the same text, and then share its memory.
func words(text string) string {
	return unique.Make(strings.ToValidUTF8(text[:min(len(text), maxWords)], "")).Value()
}

// ownAnnotations keeps the annotations with mini-hpa's prefix; nil if there are none.
func ownAnnotations(in map[string]string) map[string]string { return pairs(in, isOwn) }

func isOwn(key string) bool { return strings.HasPrefix(key, annotations.Prefix) }

// pairs returns the pairs whose keys are wanted; nil if there are none.
func pairs(in map[string]string, wanted func(key string) bool) map[string]string {
	var out map[string]string
	for k, v := range in {
		if !wanted(k) {
			continue
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[k] = v
	}
	return out
}
