package informer

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// deployment makes a selected Deployment; edits change it.
func deployment(name string, edits ...func(*appsv1.Deployment)) *appsv1.Deployment {
	replicas := int32(1)
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID("deploy-" + name),
			Annotations: map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"},
		},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}},
	}
	d.Spec.Template.Spec.Containers = []corev1.Container{container("app", "500m")}
	for _, edit := range edits {
		edit(d)
	}
	return d
}

// replicaSet makes a ReplicaSet of d.
func replicaSet(d *appsv1.Deployment, name string) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: d.Namespace, Name: name, UID: types.UID("rs-" + name),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
	}
}

// statefulSet makes a StatefulSet with annotations of mini-hpa; edits change it.
func statefulSet(name string, edits ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	s := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("sts-" + name),
			Annotations: map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "5"}},
		Spec: appsv1.StatefulSetSpec{Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}},
	}
	s.Spec.Template.Spec.Containers = []corev1.Container{container("app", "500m")}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

// alone makes a ReplicaSet that nothing controls, with annotations of mini-hpa; edits change it.
func alone(name string, edits ...func(*appsv1.ReplicaSet)) *appsv1.ReplicaSet {
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("rs-" + name), Annotations: map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "5"}},
		Spec:       appsv1.ReplicaSetSpec{Replicas: new(int32(1))},
	}
	for _, edit := range edits {
		edit(rs)
	}
	return rs
}

// bare takes the annotations from an object.
func bare[T metav1.Object](o T) { o.SetAnnotations(nil) }

// podOf makes a pod that an object of any kind controls; edits change it.
func podOf(owner metav1.Object, kind schema.GroupVersionKind, name string, edits ...func(*corev1.Pod)) *corev1.Pod {
	p := pod(&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: owner.GetNamespace()}}, name, edits...)
	p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, kind)}
	return p
}

// controlledByObject makes an object controlled by another one.
func controlledByObject[T metav1.Object](o T, owner metav1.Object, kind schema.GroupVersionKind) T {
	o.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, kind)})
	return o
}

var statefulSetVersion = appsv1.SchemeGroupVersion.WithKind("StatefulSet")

// pod makes a pod of rs; edits change it.
func pod(rs *appsv1.ReplicaSet, name string, edits ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: rs.Namespace, Name: name, UID: types.UID("pod-" + name), Labels: map[string]string{"app": "web"},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))},
		},
		Spec:   corev1.PodSpec{Containers: []corev1.Container{container("app", "500m")}},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func container(name, cpu string) corev1.Container {
	return corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: requests(cpu)}}
}

func requests(cpu string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
}

func unselected(d *appsv1.Deployment) { d.Annotations = map[string]string{"team": "shop"} }

func names(pods []*podspec.Pod) []string {
	var names []string
	for _, p := range pods {
		names = append(names, p.Name)
	}
	return names
}

// controlledBy replaces the owners of a pod by one that controls it.
func controlledBy(apiVersion, kind string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "x", UID: "u", Controller: new(true)}}
	}
}

func at(clock string) metav1.Time {
	t, err := time.Parse(time.RFC3339, "2025-03-01T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return metav1.NewTime(t.Local())
}

func ready(status corev1.ConditionStatus, since string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodRunning
		p.Status.StartTime = new(at("10:00:00"))
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: at(since)}}
	}
}

func terminating(p *corev1.Pod) { p.DeletionTimestamp = new(at("11:00:00")) }

func replicas(n int32) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Spec.Replicas = &n }
}

func uid(u string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.UID = types.UID(u) }
}

func inNamespace[T metav1.Object](namespace string, o T) T {
	o.SetNamespace(namespace)
	return o
}
