package generate

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Kind is a kind of workload, as the API server's discovery has it.
type Kind struct {
	schema.GroupVersionKind
	// Resource is its name in requests.
	Resource string
	// spec and status are the fields of a custom resource where its replicas are; nil for a kind of group apps.
	spec, status []string
	// inReplicaSets says that its pods are those of ReplicaSets that it controls.
	inReplicaSets bool
}

// GroupResource is what a scale subresource is asked for by.
func (k *Kind) GroupResource() schema.GroupResource {
	return schema.GroupResource{Group: k.Group, Resource: k.Resource}
}

func apps(kind, resource string) Kind {
	return Kind{GroupVersionKind: appsv1.SchemeGroupVersion.WithKind(kind), Resource: resource}
}

// Kinds returns the kinds of workloads, Deployments first. A Rollout has the paths of Argo's, and a Fleet has no pod template.
func Kinds() []Kind {
	deployment := apps("Deployment", "deployments")
	deployment.inReplicaSets = true
	return []Kind{
		deployment, apps("StatefulSet", "statefulsets"), apps("ReplicaSet", "replicasets"),
		{GroupVersionKind: schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}, Resource: "rollouts",
			spec: []string{"spec", "replicas"}, status: []string{"status", "HPAReplicas"}, inReplicaSets: true},
		{GroupVersionKind: schema.GroupVersionKind{Group: "example.com", Version: "v1beta2", Kind: "Fleet"}, Resource: "fleets",
			spec: []string{"spec", "workers", "count"}, status: []string{"status", "workers", "there"}},
	}
}

// kindOf makes the kinds take turns, so that each is among any twelve workloads in a row. Most are Deployments.
func kindOf(seed uint64) Kind {
	turns := []int{0, 1, 0, 3, 0, 2, 0, 1, 0, 4, 0, 0}
	return Kinds()[turns[seed%uint64(len(turns))]]
}

// definition is as much of a kind's CustomResourceDefinition as mini-hpa reads.
func (k *Kind) definition() map[string]any {
	scale := map[string]any{"specReplicasPath": "." + strings.Join(k.spec, "."), "statusReplicasPath": "." + strings.Join(k.status, "."),
		"labelSelectorPath": ".status.selector"}
	return map[string]any{"spec": map[string]any{
		"group": k.Group, "scope": "Namespaced", "names": map[string]any{"kind": k.Kind, "plural": k.Resource},
		"versions": []any{map[string]any{"name": k.Version, "served": true, "storage": true, "subresources": map[string]any{"scale": scale}}},
	}}
}

// selector selects the pods, as a text.
const selector = "app=" + Name

// newObject makes an object of the workload's kind, whose replicas are still to be filled in.
func (w *Workload) newObject() runtime.Object {
	labels := map[string]string{"app": Name}
	meta := metav1.ObjectMeta{Name: Name, Namespace: Namespace, UID: Name, Annotations: w.annotate}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: w.shape.spec()}
	of := metav1.TypeMeta{APIVersion: w.Kind.GroupVersion().String(), Kind: w.Kind.Kind}
	switch w.Kind.Kind {
	case "Deployment":
		return &appsv1.Deployment{TypeMeta: of, ObjectMeta: meta,
			Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}}
	case "StatefulSet":
		return &appsv1.StatefulSet{TypeMeta: of, ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{ServiceName: Name,
			PodManagementPolicy: w.ordinals.policy, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}}
	case "ReplicaSet":
		return &appsv1.ReplicaSet{TypeMeta: of, ObjectMeta: meta,
			Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}}
	}
	o := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"selector": selector}}}
	o.SetGroupVersionKind(w.Kind.GroupVersionKind)
	o.SetName(meta.Name)
	o.SetNamespace(meta.Namespace)
	o.SetUID(meta.UID)
	o.SetAnnotations(meta.Annotations)
	if w.Kind.inReplicaSets {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&template)
		must(err)
		must(unstructured.SetNestedField(o.Object, fields, "spec", "template"))
	}
	return o
}

// Read brings the object up to date with its cluster, and returns what mini-hpa reads in it.
func (w *Workload) Read() *annotations.Workload {
	replicas, status := w.world.replicas, w.world.status
	switch o := w.Object.(type) {
	case *appsv1.Deployment:
		o.Spec.Replicas, o.Status.Replicas = &replicas, status
		return annotations.OfDeployment(o)
	case *appsv1.StatefulSet:
		o.Spec.Replicas, o.Status.Replicas = &replicas, status
		return annotations.OfStatefulSet(o)
	case *appsv1.ReplicaSet:
		o.Spec.Replicas, o.Status.Replicas = &replicas, status
		return annotations.OfReplicaSet(o)
	case *unstructured.Unstructured:
		must(unstructured.SetNestedField(o.Object, int64(replicas), w.Kind.spec...))
		must(unstructured.SetNestedField(o.Object, int64(status), w.Kind.status...))
		if status == 0 { // a zero is left out by most controllers
			unstructured.RemoveNestedField(o.Object, w.Kind.status...)
		}
		return w.custom.Read(o)
	}
	panic("no workload is of kind " + w.Kind.String())
}

// stateful says that the pods have numbers that come again.
func (w *Workload) stateful() bool { return w.Kind.Kind == "StatefulSet" }

// Scale is the scale subresource at the last observation, as the API server has it.
func (w *Workload) Scale() *autoscalingv1.Scale {
	return &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: Name, Namespace: Namespace},
		Spec:       autoscalingv1.ScaleSpec{Replicas: w.world.replicas},
		Status:     autoscalingv1.ScaleStatus{Replicas: w.world.status, Selector: selector},
	}
}

// owner is what controls a pod: the workload, or a ReplicaSet for pods of its template and one for the others.
func (w *Workload) owner(p *pod) metav1.OwnerReference {
	of, name := w.Kind.GroupVersionKind, Name
	if w.Kind.inReplicaSets {
		of = appsv1.SchemeGroupVersion.WithKind("ReplicaSet")
		if name += "-new"; p.foreign {
			name = Name + "-old"
		}
	}
	return *metav1.NewControllerRef(&metav1.ObjectMeta{Name: name, UID: types.UID(name)}, of)
}
