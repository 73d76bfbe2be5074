package annotations

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// ActivatorKey is what a Service without a selector says of itself: the name of the workload to which its requests may be led. It is no
// annotation of a workload. Without it, whoever may write a workload could take over the requests of such a Service, which may be meant for something
// outside of the cluster.
const ActivatorKey = Prefix + "activator"

// checkRequestsWake looks at everything on the way of a request to the workload's pods, as far as it is known.
func (p *draft) checkRequestsWake(w *Workload, s Surroundings) ([]Warning, field.ErrorList) {
	if len(p.errs) > 0 || !p.wakes.Requests {
		return nil, nil
	}
	c := &wakeCheck{w: w, wake: &p.wakes, s: &s, labels: w.PodLabels(), value: clean(strings.Join(strings.Fields(w.Annotations[WakeKey]), " "), shown)}
	c.checkMesh()
	var ports []targetPort
	for _, service := range c.services() {
		if len(c.problems) >= maxFindings { // thousands may select the pods
			break
		}
		if c.isReachable(service) {
			c.checkShared(service)
			c.warnOfTraffic(service)
			ports = append(ports, c.targets(service)...)
		}
	}
	c.checkPolicies(ports)
	if fewest, most := (&Policy{Min: p.min, Max: p.max, Schedule: p.schedule}).Widest(); fewest == 0 && most > 0 && !c.wake.Always {
		c.warnOfDrain(ports)
	}
	if s.Activator != nil && s.Activator.Off && len(c.problems) == 0 {
		c.warn(FoundNoActivator, "requests wake nobody: the administrator has not switched the activator on (activator.enabled of the chart)")
	}
	return c.warnings, c.problems
}

// services are those whose requests wake the workload: the named ones or, without names, all that select its pods. One that is missing may come
// later, as the order in which manifests are applied is not always known.
func (c *wakeCheck) services() (found []*corev1.Service) {
	if c.s.Services == nil {
		return nil
	}
	for _, service := range c.s.Services {
		if slices.Contains(c.wake.Services, service.Name) || len(c.wake.Services) == 0 && Selects(service, c.w) {
			found = append(found, service)
		}
	}
	for _, name := range c.wake.Services {
		if !slices.ContainsFunc(found, func(s *corev1.Service) bool { return s.Name == name }) {
			c.warn(FoundServiceMissing, "there is no Service %q: until there is, its requests do not wake the workload", clean(name, shownName))
		}
	}
	if len(c.wake.Services)+len(found) == 0 && len(c.labels) > 0 { // without labels it is not known which Services select the pods
		c.warn(FoundServiceMissing, "no Service selects the pods of the workload: until one does, no request wakes it")
	}
	return found
}

// isReachable says whether requests to the Service can be led to the activator and from there to the pods.
func (c *wakeCheck) isReachable(service *corev1.Service) bool {
	found := len(c.problems)
	switch spec := &service.Spec; {
	case spec.Type == corev1.ServiceTypeExternalName:
		c.wrong(FoundNoSuchPort, "%s is of type ExternalName: it is a name in the DNS, and nothing can be put in the way of its requests", c.title(service))
	case spec.ClusterIP == corev1.ClusterIPNone:
		c.wrong(FoundHeadlessService, "%s is headless: its clients dial pods at the pods' port, where no activator listens. Give it a cluster IP, or name others with service=", c.title(service))
	case !slices.ContainsFunc(spec.Ports, isTCP):
		c.wrong(FoundNoSuchPort, "%s has no TCP port, and only TCP can be held", c.title(service))
	}
	c.checkConsent(service)
	return len(c.problems) == found
}

// checkConsent makes sure that the requests of the Service are the workload's.
//
//	path=always   selector          mini-hpa/activator
//	no            fits the pods     not needed: its requests are for them already
//	no            another, or none  a problem, whatever it says; another one is none while no label of the pods is known
//	yes           any               a problem: its requests would go past the activator
//	yes           none              must name the workload
func (c *wakeCheck) checkConsent(service *corev1.Service) {
	said, consents := service.Annotations[ActivatorKey]
	switch hasSelector := len(service.Spec.Selector) > 0; {
	case !c.wake.Always && Selects(service, c.w):
	case !c.wake.Always && hasSelector && len(c.labels) == 0: // of a new custom resource they may not be known yet
	case !c.wake.Always && hasSelector:
		c.wrong(FoundServiceConsent, "the selector of %s does not fit the labels of the pod template: its requests are not for this workload", c.title(service))
	case !c.wake.Always:
		c.wrong(FoundServiceConsent, "%s has no selector: its requests can only go to the workload with path=always, and if it says %s: %s", c.title(service), ActivatorKey, clean(c.w.Name, shownName))
	case hasSelector:
		c.wrong(FoundServiceConsent, "%s has a selector: with path=always it must have none, or requests would go past the activator", c.title(service))
	case !consents:
		c.wrong(FoundServiceConsent, "%s has no selector and does not say %s: %s, without which nobody may lead its requests anywhere", c.title(service), ActivatorKey, clean(c.w.Name, shownName))
	case said != c.w.Name:
		c.wrong(FoundServiceConsent, "%s says %s: %q, and this workload is %q", c.title(service), ActivatorKey, clean(said, shown), clean(c.w.Name, shownName))
	}
}

// checkShared looks for other workloads whose pods the Service selects, too. Of those that may sleep only one can be woken.
func (c *wakeCheck) checkShared(service *corev1.Service) {
	isNamed := slices.Contains(c.wake.Services, service.Name)
	for _, other := range c.s.Beside {
		if other.Kind == c.w.Kind && other.Name == c.w.Name || !Selects(service, other) {
			continue
		}
		title := c.s.title(other.Kind.Kind, other.Name)
		switch _, wakes := other.Annotations[WakeKey]; {
		case wakes:
			c.wrong(FoundServiceShared, "%s also selects the pods of %s, which requests wake as well: it would not be known which of them a request is for", c.title(service), title)
		case !isNamed:
			c.wrong(FoundServiceShared, "%s also selects the pods of %s, which serve its requests while this workload sleeps. If that is meant, name it with service=", c.title(service), title)
		}
	}
}

// warnOfTraffic warns of what works otherwise while requests go through the activator.
func (c *wakeCheck) warnOfTraffic(service *corev1.Service) {
	local := ""
	if service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		local = "externalTrafficPolicy"
	} else if p := service.Spec.InternalTrafficPolicy; p != nil && *p == corev1.ServiceInternalTrafficPolicyLocal {
		local = "internalTrafficPolicy"
	}
	if local != "" {
		c.warn(FoundLocalTraffic, "%s has %s: Local: a node sends requests to activators of its own only, and drops them if it has none. Run the activator as a DaemonSet (activator.kind of the chart)", c.title(service), local)
	}
	if service.Spec.PublishNotReadyAddresses {
		c.warn(FoundNotReadyAddresses, "%s has publishNotReadyAddresses: it leads to pods that do not accept requests yet, so that the workload is not put to sleep", c.title(service))
	}
	if service.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		c.warn(FoundSessionAffinity, "%s has sessionAffinity: ClientIP: while the workload sleeps, a client sticks to an activator, and goes to any pod afterwards", c.title(service))
	}
}

// meshes are the containers of service meshes that let in only what the mesh has authenticated, where they are told so.
var meshes = [...]string{"istio-proxy", "linkerd-proxy", "consul-dataplane", "kuma-sidecar", "nginx-mesh-sidecar"}

// checkMesh refuses pods behind a mesh, which does not know the activator.
func (c *wakeCheck) checkMesh() {
	t := c.w.template()
	for _, mesh := range meshes {
		if why := c.isMeshed(t, mesh); why != "" {
			c.wrong(FoundMeshedTarget, "the pods are in a service mesh (%s), which does not let the activator in where it demands mTLS", why)
			return
		}
	}
}

func (c *wakeCheck) isMeshed(t *corev1.PodTemplateSpec, mesh string) string {
	if podspec.Has(&t.Spec, mesh) || slices.Contains(c.s.Containers, mesh) {
		return fmt.Sprintf("container %q", mesh)
	}
	if heard, what := injectorOf(mesh).hears(t.Labels, t.Annotations); heard == itComes {
		return templateHas(what)
	} else if heard == itStaysOut {
		return ""
	}
	if of := injectorOf(mesh); slices.ContainsFunc(of.keys, func(key string) bool { return strings.Contains(c.s.Injection, key+": ") }) {
		return c.s.Injection
	}
	return ""
}

// defaultPropagation is that of --activator-propagation.
const defaultPropagation = 10 * time.Second

// defaultGrace is what the API server sets for terminationGracePeriodSeconds.
const defaultGrace = 30

// warnOfDrain warns of containers that end before every node knows that the pod ends: requests that are still sent to it are lost.
func (c *wakeCheck) warnOfDrain(ports []targetPort) {
	wait := defaultPropagation
	if c.s.Activator != nil && c.s.Activator.Propagation > 0 {
		wait = c.s.Activator.Propagation
	}
	spec := &c.w.template().Spec
	least := int64((wait + time.Second - 1) / time.Second)
	grace := int64(defaultGrace)
	if set := spec.TerminationGracePeriodSeconds; set != nil {
		grace = *set
	}
	if grace < least {
		c.warn(FoundNoDrain, "terminationGracePeriodSeconds is %d: a pod that ends must go on accepting for %s, until every node knows of it. Set at least %d", grace, wait, least)
	}
	for i := range spec.Containers {
		container := &spec.Containers[i]
		if !takes(container, ports) {
			continue
		}
		switch hook := preStop(container); {
		case hook == nil:
			c.warn(FoundNoDrain, "container %q has no lifecycle.preStop: requests that a node sends to a pod which has been told to end are lost. Set preStop: {sleep: {seconds: %d}}", clean(container.Name, shown), least)
		case hook.Sleep != nil && hook.Sleep.Seconds < least:
			c.warn(FoundNoDrain, "container %q sleeps for %d s in lifecycle.preStop: a pod that ends must go on accepting for %s, until every node knows of it. Set at least %d", clean(container.Name, shown), hook.Sleep.Seconds, wait, least)
		}
	}
}

func preStop(container *corev1.Container) *corev1.LifecycleHandler {
	if container.Lifecycle == nil {
		return nil
	}
	return container.Lifecycle.PreStop
}

// takes says whether the container may be the one that takes requests: it says that it has one of the ports, or says nothing of ports.
func takes(container *corev1.Container, ports []targetPort) bool {
	if len(container.Ports) == 0 || len(ports) == 0 {
		return true
	}
	return slices.ContainsFunc(container.Ports, func(has corev1.ContainerPort) bool {
		return slices.ContainsFunc(ports, func(p targetPort) bool { return p.number == has.ContainerPort || p.name != "" && p.name == has.Name })
	})
}
