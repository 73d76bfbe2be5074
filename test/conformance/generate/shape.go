package generate

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// shape is what the pods of a workload look like.
type shape struct {
	containers, initContainers []corev1.Container
	pod                        corev1.ResourceList
	overhead                   corev1.ResourceList
}

func newShape(d dice) shape {
	s := shape{}
	for i := range d.between(1, 3) {
		s.containers = append(s.containers, container(fmt.Sprintf("c%d", i), requests(d)))
	}
	if d.chance(0.06) {
		s.containers[d.IntN(len(s.containers))].Resources.Requests = pick(d, nil, corev1.ResourceList{"memory": resource.MustParse("32Mi")})
	}
	if d.chance(0.25) {
		sidecar := container("proxy", pick(d, requests(d), requests(d), requests(d), nil))
		always := corev1.ContainerRestartPolicyAlways
		sidecar.RestartPolicy = &always
		s.initContainers = append(s.initContainers, sidecar)
	}
	if d.chance(0.2) {
		setup := container("setup", pick(d, requests(d), nil, corev1.ResourceList{"cpu": resource.MustParse("3"), "memory": resource.MustParse("1Gi")}))
		s.initContainers = append(s.initContainers, setup)
		if d.chance(0.5) { // an init container before the sidecar, instead of after it
			s.initContainers[0], s.initContainers[len(s.initContainers)-1] = s.initContainers[len(s.initContainers)-1], s.initContainers[0]
		}
	}
	if d.chance(0.2) {
		s.pod = pick(d, requests(d), requests(d), corev1.ResourceList{"cpu": resource.MustParse("700m")},
			corev1.ResourceList{"memory": resource.MustParse("300Mi")}, corev1.ResourceList{"hugepages-2Mi": resource.MustParse("4Mi")},
			corev1.ResourceList{})
	}
	if s.pod != nil && d.chance(0.5) || d.chance(0.08) {
		s.overhead = pick(d, corev1.ResourceList{"cpu": resource.MustParse("50m")},
			corev1.ResourceList{"cpu": resource.MustParse("20m"), "memory": resource.MustParse("24Mi")})
	}
	return s
}

func requests(d dice) corev1.ResourceList {
	list := corev1.ResourceList{
		"cpu":    resource.MustParse(pick(d, "50m", "100m", "100m", "123m", "250m", "500m", "1", "1500m", "1m", "333m")),
		"memory": resource.MustParse(pick(d, "64Mi", "100M", "128Mi", "200Mi", "512Mi", "1Gi", "1234567")),
	}
	if d.chance(0.04) {
		list["cpu"] = resource.MustParse("0")
	}
	if d.chance(0.02) {
		list["memory"] = resource.MustParse("2Ti")
	}
	return list
}

func container(name string, requests corev1.ResourceList) corev1.Container {
	return corev1.Container{Name: name, Image: "app", Resources: corev1.ResourceRequirements{Requests: requests}}
}

func (s shape) spec() corev1.PodSpec {
	spec := corev1.PodSpec{Overhead: s.overhead}
	for _, c := range s.containers {
		spec.Containers = append(spec.Containers, *c.DeepCopy())
	}
	for _, c := range s.initContainers {
		spec.InitContainers = append(spec.InitContainers, *c.DeepCopy())
	}
	if s.pod != nil {
		spec.Resources = &corev1.ResourceRequirements{Requests: s.pod.DeepCopy()}
	}
	return spec
}

// running are the containers that have samples: ordinary ones and sidecars.
func running(spec *corev1.PodSpec) []*corev1.Container {
	var list []*corev1.Container
	for i := range spec.Containers {
		list = append(list, &spec.Containers[i])
	}
	for i := range spec.InitContainers {
		if c := &spec.InitContainers[i]; c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			list = append(list, c)
		}
	}
	return list
}
