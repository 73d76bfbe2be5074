package annotations

import (
	"fmt"
	"maps"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// wakeCheck holds mini-hpa/wake to what is around a workload.
type wakeCheck struct {
	w    *Workload
	wake *Wake
	s    *Surroundings
	// value is what a message repeats of the annotation.
	value string
	// labels are those of the workload's pods, as far as they are known.
	labels   labels.Set
	warnings []Warning
	problems field.ErrorList
}

// PodLabels are the labels of the workload's pods, as far as they are known: those of its template, and those that its selector asks for.
func (w *Workload) PodLabels() labels.Set {
	known := labels.Set{}
	if w.Selector != nil {
		maps.Copy(known, w.Selector.MatchLabels)
	}
	if w.Template != nil {
		maps.Copy(known, w.Template.Labels)
	}
	return known
}

// hasPodLabel says whether a label is one of PodLabels.
func (w *Workload) hasPodLabel(key, value string) bool {
	if w.Template != nil {
		if got, has := w.Template.Labels[key]; has {
			return got == value
		}
	}
	if w.Selector == nil {
		return false
	}
	got, has := w.Selector.MatchLabels[key]
	return has && got == value
}

// WakingServices are the Services that mini-hpa/wake names, by name; none if it names none, or cannot be read.
func (w *Workload) WakingServices() []string {
	var p draft
	_ = setWake(&p, w.Annotations[WakeKey]) // who reviews the workload says what is wrong with it
	return p.wakes.Services
}

// Selects says whether the Service sends requests to the workload's pods by itself, as far as their labels are known.
func Selects(service *corev1.Service, w *Workload) bool {
	for key, value := range service.Spec.Selector {
		if !w.hasPodLabel(key, value) {
			return false
		}
	}
	return len(service.Spec.Selector) > 0
}

func (c *wakeCheck) wrong(rule, format string, args ...any) {
	c.problems = append(c.problems, field.Invalid(Path(WakeKey), c.value, fmt.Sprintf(format, args...)).WithOrigin(rule))
}

func (c *wakeCheck) warn(rule, format string, args ...any) {
	c.warnings = append(c.warnings, Warning{Key: WakeKey, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

func (c *wakeCheck) title(service *corev1.Service) string {
	return c.s.title(KindService, service.Name)
}

// KindService and KindNetworkPolicy are kinds that messages name.
const (
	KindService       = "Service"
	KindNetworkPolicy = "NetworkPolicy"
)

func isTCP(port corev1.ServicePort) bool {
	return port.Protocol == corev1.ProtocolTCP || port.Protocol == ""
}

// targetPort is a port of the pods to which a Service sends requests.
type targetPort struct {
	// name is empty where the Service says a number, and number 0 where no container of the template has a port of the name.
	name   string
	number int32
}

// targets are the ports of the pods to which the Service sends requests of TCP.
func (c *wakeCheck) targets(service *corev1.Service) (ports []targetPort) {
	for _, port := range service.Spec.Ports {
		if !isTCP(port) {
			continue
		}
		target := targetPort{name: port.TargetPort.StrVal, number: port.TargetPort.IntVal}
		if target == (targetPort{}) {
			target.number = port.Port // SetDefaults_Service
		}
		for _, container := range c.w.template().Spec.Containers {
			for _, at := range container.Ports {
				if target.name != "" && at.Name == target.name {
					target.number = at.ContainerPort
				}
			}
		}
		ports = append(ports, target)
	}
	return ports
}

// String is the port as a message names it.
func (t targetPort) String() string {
	if t.name != "" {
		return strconv.Quote(clean(t.name, shown))
	}
	return strconv.Itoa(int(t.number))
}
