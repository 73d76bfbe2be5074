package chart

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// second are the values of a second installation in a cluster.
const second = "{fullnameOverride: mini-hpa-batch, controller: {class: batch}, webhook: {failurePolicy: Fail}}"

// TestTwoInstallationsDoNotMeet: whatever the objects of two releases in one namespace are called, no two are called the same.
func TestTwoInstallationsDoNotMeet(t *testing.T) {
	t.Parallel()
	id := func(o *unstructured.Unstructured) string {
		return fmt.Sprint(o.GroupVersionKind(), " ", o.GetNamespace(), "/", o.GetName())
	}
	extras := "prometheusRule: {enabled: true, renderMode: alwaysRender}, dashboard: {enabled: true}, metrics: {serviceMonitor: {enabled: true, renderMode: alwaysRender}}, " +
		"rbac: {users: [{kind: Group, name: dev}]}, sources: [{name: prom, type: prometheus}], controller: {kinds: [rollouts.argoproj.io]"
	var names []string
	for _, o := range renderYAML(t, "{"+extras+"}}") {
		names = append(names, id(o))
	}
	for _, o := range renderYAML(t, "{fullnameOverride: mini-hpa-batch, "+extras+", class: batch}}") {
		if slices.Contains(names, id(o)) {
			t.Errorf("both have %s", id(o))
		}
	}
	if len(names) < 25 {
		t.Errorf("there are %d objects, want all that the chart can make: %v", len(names), names)
	}
}

// TestEachWebhookIsAskedAboutItsClass: a real API server asks the webhooks of two releases, of which none answers, so that its error says which one it has asked.
func TestEachWebhookIsAskedAboutItsClass(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, values := range []string{"webhook: {failurePolicy: Fail}", second} {
		for _, o := range renderYAML(t, values) {
			if o.GetKind() != "ValidatingWebhookConfiguration" {
				continue
			}
			// Who refuses is told by the webhook's name, which is the same in both.
			hooks, _, err := unstructured.NestedSlice(o.Object, "webhooks")
			if err != nil {
				t.Fatal(err)
			}
			hooks[0].(map[string]any)["name"] = "of." + o.GetName() + ".webhook"
			if err := unstructured.SetNestedSlice(o.Object, hooks, "webhooks"); err != nil {
				t.Fatal(err)
			}
			configurations := b.dynamic.Resource(schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"})
			if _, err := configurations.Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	const first, other = "of.mini-hpa.webhook", "of.mini-hpa-batch.webhook"
	for class, asked := range map[string]string{"": first, `mini-hpa/class: batch`: other, `mini-hpa/class: " batch "`: other, `mini-hpa/class: Batch`: first, `mini-hpa/class: "batch\n"`: first,
		`mini-hpa/class: ""`: first, `mini-hpa/class: night`: "", `mini-hpa/class: batches`: ""} {
		object := &unstructured.Unstructured{}
		text := fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: shop, name: web, annotations: {mini-hpa/max: "10", %s}}
spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: app, image: app, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}}
`, class)
		if err := yaml.Unmarshal([]byte(strings.Replace(text, ", }", "}", 1)), &object.Object); err != nil {
			t.Fatal(err)
		}
		eventually(t, fmt.Sprintf("of %q is asked %q", class, asked), func(ctx context.Context) (bool, string) {
			err := b.try(ctx, object)
			var seen []string
			for _, hook := range []string{first, other} {
				if err != nil && strings.Contains(err.Error(), fmt.Sprintf("failed calling webhook %q", hook)) {
					seen = append(seen, hook)
				}
			}
			return strings.Join(seen, " ") == asked && (err == nil) == (asked == ""), fmt.Sprint(err)
		})
	}
}
