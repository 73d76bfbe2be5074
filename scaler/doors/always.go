package doors

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
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

// backends are the pods that activators are told of, by address family, and the names of those that are ready: none if they are not to be told, see wake.Workload.Tells.
// Those that were told of before are as slices say.
func (k *Keeper) backends(object *corev1.Service, w *annotations.Workload, tells bool, before []*serves.Slice) (told map[discoveryv1.AddressType][]serves.Backends, ready []string) {
	told = map[discoveryv1.AddressType][]serves.Backends{}
	for _, family := range families(object) {
		told[family] = []serves.Backends{}
	}
	if !tells {
		return told, nil
	}
	pods := k.Workloads.Pods(w)
	numbers := k.numbersOf(object, w, rollsOut(pods), before)
	for _, pod := range pods {
		if !pod.Ready.Is(corev1.ConditionTrue) || !pod.Deleted.IsZero() || len(ready) == serves.MaxBackends {
			continue
		}
		ready = append(ready, pod.Name)
		for _, ip := range pod.IPs {
			family := discoveryv1.AddressTypeIPv4
			if strings.Contains(ip, ":") {
				family = discoveryv1.AddressTypeIPv6
			}
			if _, has := told[family]; has {
				told[family] = with(told[family], ip, numbers.at(ip))
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

// rollsOut says whether pods are not all of one owner, as when a Deployment has another template. Those of an earlier one may have other ports.
func rollsOut(pods []*podspec.Pod) bool {
	return slices.ContainsFunc(pods, func(p *podspec.Pod) bool { return p.Owner != pods[0].Owner })
}

// numbers are those of the pods' ports, by the names of a Service's. What ports a pod has is not kept, as all pods would have to keep it for the sake of a few: so
// they go by the template, but a pod of which activators are told goes on by the number that a name had then. That ends when all pods have been of one owner for a
// while, so that nothing stays wrong for ever if a pod was told of before its template was known.
type numbers struct {
	now map[string]int32
	// named are those whose number is up to the template, by the name that the Service had before, and told the ports of each address of which activators are
	// told already.
	named map[string]bool
	told  map[string]map[string]int32
}

func (k *Keeper) numbersOf(object *corev1.Service, w *annotations.Workload, rollsOut bool, before []*serves.Slice) numbers {
	n := numbers{map[string]int32{}, map[string]bool{}, toldPorts(before)}
	known := k.services[types.NamespacedName{Namespace: object.Namespace, Name: object.Name}]
	if known == nil {
		known = &service{}
	}
	targets := map[string]string{}
	for i := range object.Spec.Ports {
		port := &object.Spec.Ports[i]
		if !isTCP(port) {
			continue
		}
		n.now[port.Name], targets[port.Name] = podPort(w, port), port.TargetPort.StrVal
		if was, seen := known.targets[port.Name]; port.TargetPort.StrVal != "" && (!seen || was == port.TargetPort.StrVal) {
			n.named[port.Name] = true
		}
	}
	known.targets = targets
	switch now := k.Now(); {
	case rollsOut || !n.differ():
		known.renumbered = time.Time{}
	case known.renumbered.IsZero():
		known.renumbered = now
	case now.Sub(known.renumbered) >= wake.Settled:
		n.told = nil
	}
	return n
}

// toldPorts are the ports of each address of which activators are told.
func toldPorts(by []*serves.Slice) map[string]map[string]int32 {
	told := map[string]map[string]int32{}
	for _, s := range by {
		for _, b := range s.Backends {
			for _, address := range b.Addresses {
				told[address] = b.Ports
			}
		}
	}
	return told
}

// differ says whether activators are told of a pod with another number than that of the template.
func (n *numbers) differ() bool {
	for address := range n.told {
		if !maps.Equal(n.at(address), n.now) {
			return true
		}
	}
	return false
}

// at are the ports of the pod at an address.
func (n *numbers) at(address string) map[string]int32 {
	ports, own := n.now, false
	for name := range n.named {
		told := n.told[address][name]
		if told == 0 || told == n.now[name] {
			continue
		}
		if !own {
			ports, own = maps.Clone(n.now), true
		}
		ports[name] = told
	}
	return ports
}
