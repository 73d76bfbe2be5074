package annotations

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// injector is a webhook that puts containers into pods, as its documentation says. Many a key has "inject" in its name without that:
// instrumentation.opentelemetry.io/inject-java, for one, adds what ends before the others start.
type injector struct {
	by string
	// container is the name of what it injects; empty if that is not always the same.
	container string
	// keys are labels or annotations that announce it, of a pod or a namespace. The first one that is there counts.
	keys []string
	// without is a key that lets nothing but init containers through, if it is on.
	without string
}

// injectors are the known injectors. The table is never changed.
var injectors = []injector{
	{by: "Istio", container: "istio-proxy", keys: []string{"sidecar.istio.io/inject", "istio-injection", "istio.io/rev"}},
	{by: "Linkerd", container: "linkerd-proxy", keys: []string{"linkerd.io/inject"}},
	{by: "Consul", container: "consul-dataplane", keys: []string{"consul.hashicorp.com/connect-inject"}},
	{by: "Dapr", container: "daprd", keys: []string{"dapr.io/enabled"}},
	{by: "Vault", container: "vault-agent", keys: []string{"vault.hashicorp.com/agent-inject"}, without: "vault.hashicorp.com/agent-pre-populate-only"},
	{by: "Kuma", container: "kuma-sidecar", keys: []string{"kuma.io/sidecar-injection"}},
	{by: "the OpenTelemetry operator", container: "otc-container", keys: []string{"sidecar.opentelemetry.io/inject"}},
	{by: "the OpenTelemetry operator", container: "opentelemetry-auto-instrumentation", keys: []string{"instrumentation.opentelemetry.io/inject-go"}},
	{by: "Datadog", container: "datadog-agent-injected", keys: []string{"agent.datadoghq.com/sidecar"}},
	{by: "Jaeger", container: "jaeger-agent", keys: []string{"sidecar.jaegertracing.io/inject"}},
	{by: "NGINX Service Mesh", container: "nginx-mesh-sidecar", keys: []string{"injector.nsm.nginx.com/auto-inject"}},
	{by: "Azure Workload Identity", container: "azwi-proxy", keys: []string{"azure.workload.identity/inject-proxy-sidecar"}},
	{by: "Cloud Storage FUSE", container: "gke-gcsfuse-sidecar", keys: []string{"gke-gcsfuse/volumes"}},
	{by: "Telepresence", container: "traffic-agent", keys: []string{"telepresence.getambassador.io/inject-traffic-agent", "telepresence.io/inject-traffic-agent"}},
	{by: "Telegraf", container: "telegraf", keys: []string{"telegraf.influxdata.com/class"}},
	{by: "App Mesh", keys: []string{"appmesh.k8s.aws/sidecarInjectorWebhook"}},
	{by: "Open Service Mesh", keys: []string{"openservicemesh.io/sidecar-injection"}},
	{by: "a sidecar injector", keys: []string{"sidecar-injector-webhook.morven.me/inject"}},
	{by: "a sidecar injector", keys: []string{"injector.tumblr.com/request"}},
}

// announcing are all keys of the injectors.
var announcing = func() map[string]bool {
	all := map[string]bool{}
	for i := range injectors {
		for _, key := range append(injectors[i].keys, injectors[i].without) {
			all[key] = key != ""
		}
	}
	return all
}()

// Announces says whether a label or an annotation of this name, on a pod template or a namespace, tells a known injector to inject a
// container into the pods, or not to.
func Announces(key string) bool { return announcing[key] }

// isOff says whether the value of such a key keeps the container out.
func isOff(value string) bool {
	return slices.Contains([]string{"", "false", "disabled", "off", "no", "n", "f", "0"}, strings.ToLower(value))
}

// told is what an injector is told.
type told int

const (
	nothing told = iota
	itComes
	itStaysOut
)

// hears returns what pairs tell an injector, and in which words. Earlier pairs take precedence.
func (i *injector) hears(all ...map[string]string) (told, string) {
	for _, pairs := range all {
		if only, ok := pairs[i.without]; ok && i.without != "" && !isOff(only) {
			return itStaysOut, ""
		}
	}
	for _, key := range i.keys {
		for _, pairs := range all {
			value, ok := pairs[key]
			switch {
			case !ok:
			case isOff(value):
				return itStaysOut, ""
			default:
				return itComes, fmt.Sprintf("%s: %s", clean(key, shownName), clean(value, shown))
			}
		}
	}
	return nothing, ""
}

// announced is the first label or annotation that announces a container, as it is written; empty if none does.
func announced(all ...map[string]string) string {
	for i := range injectors {
		if heard, words := injectors[i].hears(all...); heard == itComes {
			return words
		}
	}
	return ""
}

// injectorOf is the one that is known to inject a container of a name; nil if none is.
func injectorOf(container string) *injector {
	for i := range injectors {
		if injectors[i].container != "" && injectors[i].container == container {
			return &injectors[i]
		}
	}
	return nil
}

// injected says why pods may have a container that the template does not have, or "" if nothing says that they may. The template takes
// precedence over its namespace.
func injected(t *corev1.PodTemplateSpec, s Surroundings, container string) string {
	if podspec.Has(&t.Spec, container) {
		return "" // it is an init container, which ends
	}
	if slices.Contains(s.Containers, container) {
		return "the pods have it"
	}
	if known := injectorOf(container); known != nil {
		return known.mayInject(t, s)
	}
	if what := announced(t.Labels, t.Annotations); what != "" {
		return templateHas(what)
	}
	if there := placeholder(&t.Spec); there != "" {
		return there
	}
	if refusesAny(t) {
		return ""
	}
	return s.Injection
}

// mayInject says why an injector may put its container into the pods of a template; empty if it does not. Unless the template says no, it may:
// what is said of a namespace is seldom known.
func (i *injector) mayInject(t *corev1.PodTemplateSpec, s Surroundings) string {
	heard, what := i.hears(t.Labels, t.Annotations)
	switch {
	case heard == itStaysOut:
		return ""
	case heard == itComes:
		return templateHas(what)
	case placeholder(&t.Spec) != "":
		return placeholder(&t.Spec)
	case s.Injection != "":
		return s.Injection
	}
	return i.by + " injects one of that name"
}

// injects says whether anything announces that the pods have more containers than the template.
func injects(t *corev1.PodTemplateSpec, s Surroundings) bool {
	isMore := func(name string) bool { return !podspec.Has(&t.Spec, name) }
	return slices.ContainsFunc(s.Containers, isMore) || announced(t.Labels, t.Annotations) != "" || s.Injection != "" && !refusesAny(t)
}

func refusesAny(t *corev1.PodTemplateSpec) bool {
	return slices.ContainsFunc(injectors, func(i injector) bool {
		heard, _ := i.hears(t.Labels, t.Annotations)
		return heard == itStaysOut
	})
}

func templateHas(what string) string { return fmt.Sprintf("the pod template has %q", what) }

// placeholder says that a container of the template is there only to say something of one that is injected; empty if none is.
func placeholder(spec *corev1.PodSpec) string {
	for _, there := range podspec.All(spec) {
		if isPlaceholder(there) {
			return fmt.Sprintf("the image of container %q is %q", clean(there.Name, shown), PlaceholderImage)
		}
	}
	return ""
}

// NamespaceInjection says that a namespace announces injected containers, by which label; empty if it does not. See Surroundings.Injection.
func NamespaceInjection(namespace metav1.Object) string {
	what := announced(namespace.GetLabels(), namespace.GetAnnotations()) // Linkerd's are annotations
	if what == "" {
		return ""
	}
	return fmt.Sprintf("namespace %q has %q", clean(namespace.GetName(), shownName), what)
}
