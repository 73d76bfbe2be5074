package informer

import (
	"strings"
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// fieldManager is the name under which mini-hpa writes to the scale subresource. Its entry in managedFields is kept,
// because after a restart it is what tells that mini-hpa, and nobody since, has set spec.replicas. Its time is kept where
// there is one: API servers (1.36, and 1.37 by its source) leave it empty in what they record of a write to the scale subresource.
const fieldManager = "mini-hpa"

// appsV1 is the version in which Deployments and ReplicaSets are owners, unless an old object says otherwise.
const appsV1 = "apps/v1"

// The transforms build a new object from the fields that are read and leave the one they were given as it was: it may
// belong to somebody else, and what is not copied is freed with it. Given their own result they return its equal, because
// a streamed initial list goes through them twice. What is not of their type, a tombstone above all, passes untouched.

// slimDeployment keeps of a selected Deployment what a decision reads, and of any other one its identity.
func slimDeployment(obj any) (any, error) {
	in, ok := obj.(*appsv1.Deployment)
	if !ok {
		return obj, nil
	}
	out := &appsv1.Deployment{ObjectMeta: slimMeta(&in.ObjectMeta)}
	if !annotations.Selected(in.Annotations) {
		return out, nil
	}
	out.Generation = in.Generation
	out.DeletionTimestamp = in.DeletionTimestamp
	out.Annotations = ownAnnotations(in.Annotations)
	out.ManagedFields = ownScaleWrites(in.ManagedFields)
	out.Spec.Replicas = in.Spec.Replicas
	out.Spec.Selector = in.Spec.Selector
	out.Spec.Template.Annotations = ownAnnotations(in.Spec.Template.Annotations)
	out.Spec.Template.Spec = slimPodSpec(&in.Spec.Template.Spec)
	out.Status = appsv1.DeploymentStatus{
		ObservedGeneration: in.Status.ObservedGeneration,
		Replicas:           in.Status.Replicas,
	}
	return out, nil
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

// slimPod keeps what a decision reads of a pod that a ReplicaSet controls. Any other pod can't belong to a Deployment,
// and only its identity is kept.
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
	out.Spec = slimPodSpec(&in.Spec)
	out.Spec.NodeName = unique.Make(in.Spec.NodeName).Value() // the memory of one name for all pods of the node
	out.Status = corev1.PodStatus{
		Phase:      in.Status.Phase,
		StartTime:  in.Status.StartTime,
		Conditions: readyCondition(in.Status.Conditions),
	}
	return out, nil
}

// slimMeta keeps the identity of an object. Its resource version is what a write is made conditional on.
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
		version = appsV1 // the constant's memory instead of one for each pod
	}
	return []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: ref.Name, UID: ref.UID, Controller: ref.Controller}}
}

// slimPodSpec keeps what the requests of a pod are computed from. Overhead counts where requests are set for the pod as
// a whole.
func slimPodSpec(in *corev1.PodSpec) corev1.PodSpec {
	out := corev1.PodSpec{
		Containers:     slimContainers(in.Containers),
		InitContainers: slimContainers(in.InitContainers),
		Overhead:       annotations.BoundedList(in.Overhead),
	}
	if in.Resources != nil {
		slim := slimResources(in.Resources)
		out.Resources = &slim
	}
	return out
}

// slimContainers keeps names and resources, and the restart policy that tells a sidecar from an init container.
func slimContainers(in []corev1.Container) []corev1.Container {
	if len(in) == 0 {
		return nil
	}
	out := make([]corev1.Container, len(in))
	for i := range in {
		out[i] = corev1.Container{
			Name: in[i].Name, Resources: slimResources(&in[i].Resources), RestartPolicy: in[i].RestartPolicy,
		}
	}
	return out
}

func slimResources(in *corev1.ResourceRequirements) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: annotations.BoundedList(in.Requests), Limits: annotations.BoundedList(in.Limits)}
}

func readyCondition(in []corev1.PodCondition) []corev1.PodCondition {
	for i := range in {
		if in[i].Type == corev1.PodReady {
			return []corev1.PodCondition{{
				Type: corev1.PodReady, Status: in[i].Status, LastTransitionTime: in[i].LastTransitionTime,
			}}
		}
	}
	return nil
}

// ownAnnotations keeps the annotations that are addressed to mini-hpa; nil if there are none.
func ownAnnotations(in map[string]string) map[string]string {
	var out map[string]string
	for k, v := range in {
		if !strings.HasPrefix(k, annotations.Prefix) {
			continue
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[k] = v
	}
	return out
}

// ownScaleWrites keeps who, how and when of mini-hpa's writes to the scale subresource, without the list of fields.
func ownScaleWrites(in []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	var out []metav1.ManagedFieldsEntry
	for _, e := range in {
		if e.Manager == fieldManager && e.Subresource == "scale" {
			out = append(out, metav1.ManagedFieldsEntry{
				Manager: e.Manager, Operation: e.Operation, Time: e.Time, Subresource: e.Subresource,
			})
		}
	}
	return out
}
