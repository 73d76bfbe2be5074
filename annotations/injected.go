package annotations

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Announces says whether a label or an annotation of this name, on a pod template or a namespace, tells a webhook to put a container into
// the pods. Most of them say "inject" in one way or another: sidecar.istio.io/inject, linkerd.io/inject, vault.hashicorp.com/agent-inject.
func Announces(key string) bool {
	return strings.Contains(strings.ToLower(key), "inject") || slices.Contains([]string{"istio.io/rev", "dapr.io/enabled"}, key)
}

// isOff says whether the value of such a label keeps the container out.
func isOff(value string) bool {
	return slices.Contains([]string{"", "false", "disabled", "off", "no", "0"}, strings.ToLower(value))
}

// wellKnown are containers that are known to be injected, by whom: the template need not announce them, because a namespace can.
func wellKnown(container string) string {
	return map[string]string{"istio-proxy": "Istio", "linkerd-proxy": "Linkerd", "daprd": "Dapr", "vault-agent": "Vault",
		"kuma-sidecar": "Kuma", "consul-dataplane": "Consul", "otc-container": "the OpenTelemetry operator"}[container]
}

// PlaceholderImage is the image of a container that is written down only to say something of the one that is injected in its place
// (Istio's documentation of customized injection).
const PlaceholderImage = "auto"

// AnnouncedBy says which label or annotation announces a container, as it is written; empty if none does. off says that one keeps it out.
func AnnouncedBy(pairs map[string]string) (what string, off bool) {
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		switch value := pairs[key]; {
		case !Announces(key):
		case isOff(value):
			off = true
		default:
			return fmt.Sprintf("%s: %s", clean(key, shownName), clean(value, shown)), false
		}
	}
	return "", off
}

// RunningIn are the names, sorted, of the containers that run as long as the newest of the pods, which those of the same ReplicaSet are: what
// older pods have, an earlier template may have had.
func RunningIn(pods []*corev1.Pod) []string {
	if len(pods) == 0 {
		return nil
	}
	newest := slices.MaxFunc(pods, func(a, b *corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	var names []string
	for _, pod := range pods {
		if ownerOf(pod) == ownerOf(newest) {
			for _, container := range longRunning(&pod.Spec) {
				names = append(names, container.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func ownerOf(pod *corev1.Pod) types.UID {
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		return owner.UID
	}
	return ""
}

// withoutThoseOf are the surroundings without those containers of pods that come of a template.
func (s Surroundings) withoutThoseOf(t *corev1.PodTemplateSpec) Surroundings {
	s.Containers = slices.DeleteFunc(slices.Clone(s.Containers), func(name string) bool {
		return hasContainer(&t.Spec, name)
	})
	return s
}

func hasContainer(spec *corev1.PodSpec, name string) bool {
	for _, container := range everyContainer(spec) {
		if container.Name == name {
			return true
		}
	}
	return false
}

// injected says why pods may have a container that the template does not have; empty if nothing says so. What the template says
// of itself counts more than what is said of its namespace.
func injected(t *corev1.PodTemplateSpec, s Surroundings, container string) string {
	if hasContainer(&t.Spec, container) {
		return "" // it is an init container, which ends
	}
	if slices.Contains(s.Containers, container) {
		return "the pods have it"
	}
	isOut := false
	for _, pairs := range []map[string]string{t.Labels, t.Annotations} {
		what, off := AnnouncedBy(pairs)
		if what != "" {
			return fmt.Sprintf("the pod template has %q", what)
		}
		isOut = isOut || off
	}
	for _, there := range everyContainer(&t.Spec) {
		if isPlaceholder(there) {
			return fmt.Sprintf("the image of container %q is %q", clean(there.Name, shown), PlaceholderImage)
		}
	}
	by := wellKnown(container)
	switch {
	case isOut:
		return ""
	case s.Injection != "":
		return s.Injection
	case by != "":
		return by + " injects one of that name"
	}
	return ""
}

func isPlaceholder(container *corev1.Container) bool { return container.Image == PlaceholderImage }

// NamespaceInjection says that a namespace announces injected containers, by which label; empty if it does not. See Surroundings.Injection.
func NamespaceInjection(namespace metav1.Object) string {
	what, _ := AnnouncedBy(namespace.GetLabels())
	if what == "" {
		what, _ = AnnouncedBy(namespace.GetAnnotations()) // Linkerd's are there
	}
	if what == "" {
		return ""
	}
	return fmt.Sprintf("namespace %q has %q", clean(namespace.GetName(), shownName), what)
}

// LacksContainer says whether a problem is a container that is not known. It may be injected.
func LacksContainer(e *field.Error) bool { return e.Origin == FoundUnknownContainer }
