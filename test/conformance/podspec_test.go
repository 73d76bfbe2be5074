package conformance

import (
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	helpers "k8s.io/component-helpers/resource"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// FuzzPodSpec holds what a pod requests, and which of its containers have a say in it, to Kubernetes' own helper.
func FuzzPodSpec(f *testing.F) {
	for seed := range uint64(2000) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		pod := &corev1.Pod{Spec: anySpec(rand.New(rand.NewPCG(seed, 0)))}
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			comparePod(t, pod, name)
			compareSum(t, pod, name)
		}
		if got, want := isWhole(&pod.Spec), helpers.IsPodLevelRequestsSet(pod); got != want {
			t.Errorf("seed %d: has requests as a whole: %t, want %t", seed, got, want)
		}
	})
}

// isWhole says whether a request is one of the pod.
func isWhole(spec *corev1.PodSpec) bool {
	for part := range podspec.Slim(spec).Request(corev1.ResourceCPU, "") {
		return part.Container == nil
	}
	return false
}

// comparePod is about a pod that has requests as a whole.
func comparePod(t *testing.T, pod *corev1.Pod, name corev1.ResourceName) {
	t.Helper()
	want, has := helpers.PodRequests(pod, helpers.PodResourcesOptions{})[name]
	for part := range podspec.Slim(&pod.Spec).Request(name, "") {
		if part.Container != nil {
			return
		}
		if part.Cmp(want) != 0 || (part.Origin != podspec.None) != has {
			t.Errorf("%s: got %s of origin %d, want %s (%t) of %+v", name, part.String(), part.Origin, want.String(), has, pod.Spec)
		}
	}
}

// compareSum is about one that has not: without init containers that end, the scheduler adds up what the HPA does.
func compareSum(t *testing.T, pod *corev1.Pod, name corev1.ResourceName) {
	t.Helper()
	pod = pod.DeepCopy()
	pod.Spec.Resources, pod.Spec.Overhead = nil, nil
	plain := pod.DeepCopy()
	plain.Spec.InitContainers = slices.DeleteFunc(plain.Spec.InitContainers, func(c corev1.Container) bool {
		return c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways
	})
	want := helpers.PodRequests(plain, helpers.PodResourcesOptions{})[name]
	var got resource.Quantity
	for part := range podspec.Slim(&pod.Spec).Request(name, "") {
		got.Add(part.Quantity)
	}
	if got.Cmp(want) != 0 {
		t.Errorf("%s: got %s, want %s of %+v", name, got.String(), want.String(), pod.Spec)
	}
}

// anySpec is a pod with a few containers of each kind, each with any requests or none.
func anySpec(r *rand.Rand) corev1.PodSpec {
	spec := corev1.PodSpec{Overhead: anyAmounts(r)}
	for range 1 + r.IntN(3) {
		spec.Containers = append(spec.Containers, corev1.Container{Resources: corev1.ResourceRequirements{Requests: anyAmounts(r)}})
	}
	for range r.IntN(4) {
		c := corev1.Container{Resources: corev1.ResourceRequirements{Requests: anyAmounts(r)}}
		switch r.IntN(3) {
		case 0:
			c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		case 1:
			c.RestartPolicy = new(corev1.ContainerRestartPolicyOnFailure)
		}
		spec.InitContainers = append(spec.InitContainers, c)
	}
	if r.IntN(3) > 0 {
		spec.Resources = &corev1.ResourceRequirements{Requests: anyAmounts(r)}
	}
	return spec
}

func anyAmounts(r *rand.Rand) corev1.ResourceList {
	list := corev1.ResourceList{}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage, "hugepages-2Mi"} {
		if r.IntN(2) == 0 {
			list[name] = *resource.NewMilliQuantity(r.Int64N(5)*250, resource.DecimalSI)
		}
	}
	return list
}
