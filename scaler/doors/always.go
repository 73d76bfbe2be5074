package doors

import (
	"fmt"
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
	for i := range s.Spec.Ports {
		if port := &s.Spec.Ports[i]; w.UID != "" && isTCP(port) && podPort(w, port) == 0 {
			return fmt.Sprintf("port %s of Service %q leads to port %q of the pods, and no container of the pod template has one of that name", strconv.Quote(port.Name), s.Name, port.TargetPort.StrVal)
		}
	}
	return ""
}

func isTCP(port *corev1.ServicePort) bool {
	return port.Protocol == corev1.ProtocolTCP || port.Protocol == ""
}

// podPort is the number of the pods' port to which a port of a Service leads; 0 if no container has one of its name.
func podPort(w *annotations.Workload, port *corev1.ServicePort) int32 {
	switch target := port.TargetPort; {
	case target.Type == intstr.Int && target.IntVal != 0:
		return target.IntVal
	case target.StrVal == "":
		return port.Port
	case w.Template == nil:
		return 0
	}
	for _, c := range podspec.LongRunning(&w.Template.Spec) {
		for _, has := range c.Ports {
			if has.Name == port.TargetPort.StrVal && (has.Protocol == corev1.ProtocolTCP || has.Protocol == "") {
				return has.ContainerPort
			}
		}
	}
	return 0
}

// backends are the pods that activators are told of, by address family, and the names of those that are ready. If the workload is to sleep they are told of none,
// so that requests wait from before the pods are told to end.
func (k *Keeper) backends(object *corev1.Service, w *annotations.Workload, desired int32) (told map[discoveryv1.AddressType][]serves.Backends, ready []string) {
	told = map[discoveryv1.AddressType][]serves.Backends{}
	for _, family := range families(object) {
		told[family] = []serves.Backends{}
	}
	if desired == 0 {
		return told, nil
	}
	ports := map[string]int32{}
	for i := range object.Spec.Ports {
		if port := &object.Spec.Ports[i]; isTCP(port) {
			ports[port.Name] = podPort(w, port)
		}
	}
	addresses := map[discoveryv1.AddressType][]string{}
	for _, pod := range k.Workloads.Pods(w) {
		if !pod.Ready.Is(corev1.ConditionTrue) || !pod.Deleted.IsZero() || len(ready) == serves.MaxBackends {
			continue
		}
		ready = append(ready, pod.Name)
		for _, ip := range pod.IPs {
			family := discoveryv1.AddressTypeIPv4
			if strings.Contains(ip, ":") {
				family = discoveryv1.AddressTypeIPv6
			}
			addresses[family] = append(addresses[family], ip)
		}
	}
	for family := range told {
		if len(addresses[family]) > 0 {
			told[family] = []serves.Backends{{Addresses: addresses[family], Ports: ports}}
		}
	}
	return told, ready
}
