package informer

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// The transforms build a new object from the fields that are read. They do not change the object that they are given, which may be
// shared, and whose other fields are freed with it. They return their own results as they are, because a streamed initial list
// goes through them twice, and objects of other types, such as tombstones, too.

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
	r := recordOf(in, "Deployment")
	return &r, nil
}

// slimPod keeps the fields that a decision reads if a ReplicaSet controls the pod. No other pod can belong to a Deployment, and only
// its identity is kept.
func slimPod(obj any) (any, error) {
	in, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	out := &keptPod{record: recordOf(in, "ReplicaSet")}
	if out.owner == nil {
		return out, nil
	}
	spec := podspec.Slim(&in.Spec)
	out.template = &template{owners: []metav1.OwnerReference{*out.owner}, containers: spec.Containers, initContainers: spec.InitContainers,
		overhead: spec.Overhead, resources: spec.Resources}
	out.owner = &out.template.owners[0]
	out.node, out.phase = one(in.Spec.NodeName), one(in.Status.Phase)
	out.created, out.deleted, out.started = secondOf(&in.CreationTimestamp), secondOf(in.DeletionTimestamp), secondOf(in.Status.StartTime)
	out.conditions = podConditions(in.Status.Conditions)
	return out, nil
}

// slimMeta keeps the identity of an object, and its resource version, on which writes are conditional.
func slimMeta(in *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: in.Namespace, Name: in.Name, UID: in.UID, ResourceVersion: in.ResourceVersion}
}

// keepPlaceholders keeps the images of a pod template that stand for a container that is injected.
func keepPlaceholders(out, in *corev1.PodSpec) {
	for at, c := range podspec.All(in) {
		if c.Image == annotations.PlaceholderImage {
			podspec.At(out, at).Image = annotations.PlaceholderImage
		}
	}
}

// podConditions keeps whether a pod is ready, when a node was chosen for it, and why no node takes it.
func podConditions(in []corev1.PodCondition) []condition {
	var out []condition
	for i := range in {
		c := &in[i]
		kept := condition{kind: one(c.Type), status: one(c.Status), since: secondOf(&c.LastTransitionTime)}
		switch {
		case c.Type == corev1.PodReady, c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue:
			out = append(out, kept)
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse:
			kept.message = words(c.Message)
			out = append(out, kept)
		}
	}
	return out
}

// maxWords is how much of the messages of other controllers is kept, in bytes: as much as an Event repeats.
const maxWords = 300

// words returns the beginning of a text. Usually all pods of a workload have the same text, and then share its memory.
func words(text string) string {
	return one(strings.ToValidUTF8(text[:min(len(text), maxWords)], ""))
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
