package doors

import (
	"cmp"
	"fmt"
	"maps"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// A Service all of whose requests go through the activators (path=always) has no selector, so that Kubernetes has no slice with its pods. The activators are told
// of them by mini-hpa's own.

// hindranceAlways is why a Service cannot lead all its requests to the activators; empty if it can.
func hindranceAlways(s *corev1.Service, w *annotations.Workload) string {
	switch {
	case len(s.Spec.Selector) > 0:
		return fmt.Sprintf("Service %q has a selector: with path=always its requests would go past the activators", s.Name)
	case s.Annotations[annotations.ActivatorKey] != w.Name:
		return fmt.Sprintf("Service %q does not say %s: %s, without which its requests are led nowhere", s.Name, annotations.ActivatorKey, w.Name)
	}
	has := templatePorts(w)
	for i := range s.Spec.Ports {
		if port := &s.Spec.Ports[i]; w.UID != "" && isTCP(port) && podPort(has, port) == 0 {
			return fmt.Sprintf("port %s of Service %q leads to port %q of the pods, and no container of the pod template has one of that name", strconv.Quote(port.Name), s.Name, port.TargetPort.StrVal)
		}
	}
	return ""
}

func isTCP(port *corev1.ServicePort) bool {
	return port.Protocol == corev1.ProtocolTCP || port.Protocol == ""
}

// templatePorts are the named ports of the pods that a workload makes.
func templatePorts(w *annotations.Workload) podspec.Ports {
	if w.Template == nil {
		return ""
	}
	return podspec.PortsOf(&w.Template.Spec)
}

// podPort is the number of the pods' port to which a port of a Service leads, where they have these; 0 if they have none of its name.
func podPort(has podspec.Ports, port *corev1.ServicePort) int32 {
	switch target := port.TargetPort; {
	case target.Type == intstr.Int && target.IntVal != 0:
		return target.IntVal
	case target.StrVal == "":
		return port.Port
	default:
		return has.Number(target.StrVal)
	}
}

// podPorts are those of a pod, by the names of the Service's. Where it has none of the name, that of the template counts, as while a name changes here and there: a number
// seldom does. One that neither has is left out.
func podPorts(has, template podspec.Ports, service *corev1.Service) map[string]int32 {
	ports := map[string]int32{}
	for i := range service.Spec.Ports {
		port := &service.Spec.Ports[i]
		if number := cmp.Or(podPort(has, port), podPort(template, port)); isTCP(port) && number != 0 {
			ports[port.Name] = number
		}
	}
	return ports
}

// backends are the pods that activators are told of, by address family, and the names of those that are ready: none if they are not to be told, see wake.Workload.Tells.
func (k *Keeper) backends(object *corev1.Service, w *annotations.Workload, tells bool) (told map[discoveryv1.AddressType][]serves.Backends, ready []string) {
	told = map[discoveryv1.AddressType][]serves.Backends{}
	for _, family := range families(object) {
		told[family] = []serves.Backends{}
	}
	if !tells {
		return told, nil
	}
	template := templatePorts(w)
	for _, pod := range k.Workloads.Pods(w) {
		if !pod.Ready.Is(corev1.ConditionTrue) || !pod.Deleted.IsZero() || len(ready) == serves.MaxBackends {
			continue
		}
		ready = append(ready, pod.Name)
		ports := podPorts(pod.Ports, template, object)
		for _, ip := range pod.IPs {
			family := discoveryv1.AddressTypeIPv4
			if strings.Contains(ip, ":") {
				family = discoveryv1.AddressTypeIPv6
			}
			if _, has := told[family]; has {
				told[family] = with(told[family], ip, ports)
			}
		}
	}
	return told, ready
}

// with adds the address of a pod to those that have the same ports.
func with(all []serves.Backends, address string, ports map[string]int32) []serves.Backends {
	for i := range all {
		if maps.Equal(all[i].Ports, ports) {
			all[i].Addresses = append(all[i].Addresses, address)
			return all
		}
	}
	return append(all, serves.Backends{Addresses: []string{address}, Ports: ports})
}

// toldPorts are the ports of each address of which activators are told by a slice.
func toldPorts(by *serves.Slice) map[string]map[string]int32 {
	told := map[string]map[string]int32{}
	for _, b := range by.Backends {
		for _, address := range b.Addresses {
			told[address] = b.Ports
		}
	}
	return told
}
