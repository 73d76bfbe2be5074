package chart

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestSecureMetrics: who may read them gets that right and no other, the pods may ask who somebody is, and a monitor shows a token by TLS.
func TestSecureMetrics(t *testing.T) {
	t.Parallel()
	objects := renderYAML(t, `{activator: {enabled: true}, metrics: {secure: {enabled: true, secretName: cert, readers: [{kind: ServiceAccount, name: prom, namespace: mon}, {kind: Group, name: sre}]},
  serviceMonitor: {enabled: true, renderMode: alwaysRender}}}`)
	asks := typedAs[rbacv1.ClusterRole](t, pick(t, objects, "ClusterRole", release+"-metrics-auth"))
	want := []rbacv1.PolicyRule{{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}, Verbs: []string{"create"}},
		{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"subjectaccessreviews"}, Verbs: []string{"create"}}}
	if diff := cmp.Diff(want, asks.Rules); diff != "" {
		t.Error(diff)
	}
	for name, subjects := range map[string][]rbacv1.Subject{
		"-metrics-auth":    {{Kind: "ServiceAccount", Name: release, Namespace: home}, {Kind: "ServiceAccount", Name: release + "-activator", Namespace: home}},
		"-metrics-readers": {{Kind: "ServiceAccount", Name: "prom", Namespace: "mon"}, {Kind: "Group", APIGroup: rbacv1.GroupName, Name: "sre"}},
	} {
		binding := typedAs[rbacv1.ClusterRoleBinding](t, pick(t, objects, "ClusterRoleBinding", release+name))
		if diff := cmp.Diff(subjects, binding.Subjects); diff != "" || binding.RoleRef.Name != release+name {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if rules := typedAs[rbacv1.ClusterRole](t, pick(t, objects, "ClusterRole", release+"-metrics-readers")).Rules; !cmp.Equal(rules, []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}}) {
		t.Errorf("readers may %v", rules)
	}
	for _, name := range []string{release, release + "-activator"} {
		containers, _, err := unstructured.NestedSlice(pick(t, objects, "Deployment", name).Object, "spec", "template", "spec", "containers")
		must(t, "containers", err)
		container, _ := containers[0].(map[string]any)
		args, _, _ := unstructured.NestedStringSlice(container, "args")
		text := strings.Join(args, " ")
		for _, want := range []string{"--metrics-secure", "--metrics-cert-file=/etc/mini-hpa/metrics-tls/tls.crt", "--metrics-private-key-file=/etc/mini-hpa/metrics-tls/tls.key"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %s: %s", name, want, text)
			}
		}
		mounts, _, _ := unstructured.NestedSlice(container, "volumeMounts")
		volumes, _, _ := unstructured.NestedSlice(pick(t, objects, "Deployment", name).Object, "spec", "template", "spec", "volumes")
		has := func(list []any, want map[string]any) bool {
			for _, item := range list {
				if cmp.Equal(item, any(want)) {
					return true
				}
			}
			return false
		}
		if !has(mounts, map[string]any{"name": "metrics-tls", "mountPath": "/etc/mini-hpa/metrics-tls", "readOnly": true}) ||
			!has(volumes, map[string]any{"name": "metrics-tls", "secret": map[string]any{"secretName": "cert"}}) {
			t.Errorf("%s: mounts %v, volumes %v", name, mounts, volumes)
		}
	}
	for values, want := range map[string]map[string]any{
		"serviceMonitor: {enabled: true, renderMode: alwaysRender}": {"scheme": "https", "tlsConfig": map[string]any{"insecureSkipVerify": true},
			"bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"},
		"podMonitor: {enabled: true, renderMode: alwaysRender}, secure: {enabled: true, token: {name: s, key: k}, tlsConfig: {insecureSkipVerify: null, serverName: a}}": {"scheme": "https",
			"tlsConfig": map[string]any{"serverName": "a"}, "authorization": map[string]any{"type": "Bearer", "credentials": map[string]any{"name": "s", "key": "k"}}},
		"secure: {enabled: false}, serviceMonitor: {enabled: true, renderMode: alwaysRender}": {},
	} {
		if !strings.Contains(values, "secure") {
			values += ", secure: {enabled: true}"
		}
		for _, object := range renderYAML(t, "metrics: {"+values+"}") {
			field := map[string]string{"ServiceMonitor": "endpoints", "PodMonitor": "podMetricsEndpoints"}[object.GetKind()]
			if field == "" {
				continue
			}
			endpoints, _, _ := unstructured.NestedSlice(object.Object, "spec", field)
			got := map[string]any{}
			for _, key := range []string{"scheme", "tlsConfig", "authorization", "bearerTokenFile"} {
				if value, ok := endpoints[0].(map[string]any)[key]; ok {
					got[key] = value
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", values, diff)
			}
		}
	}
	for _, object := range renderYAML(t, "") {
		if strings.Contains(object.GetName(), "metrics-auth") || strings.Contains(object.GetName(), "metrics-readers") {
			t.Errorf("by default there is %s %s", object.GetKind(), object.GetName())
		}
	}
}
