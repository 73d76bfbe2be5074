package chart

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// TestPortsAreThoseOfTheContainer: Services and policies name ports, and a name that there is not reaches nobody. Those of activators are more than a
// container can list.
func TestPortsAreThoseOfTheContainer(t *testing.T) {
	t.Parallel()
	for name, values := range examples(t) {
		objects := render(t, values)
		var ports []string
		for _, port := range deployed(t, objects).Spec.Template.Spec.Containers[0].Ports {
			ports = append(ports, port.Name)
		}
		if slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool {
			return o.GetKind() == "Deployment" && o.GetName() == activator
		}) {
			ports = append(ports, "20000")
			for _, port := range typedAs[appsv1.Deployment](t, pick(t, objects, "Deployment", activator)).Spec.Template.Spec.Containers[0].Ports {
				ports = append(ports, port.Name)
			}
		}
		for _, used := range usedPorts(t, objects) {
			if !slices.Contains(ports, used) {
				t.Errorf("%s: port %s is used, the container has %q", name, used, ports)
			}
		}
	}
}

func usedPorts(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	var used []string
	for _, object := range objects {
		switch object.GetKind() {
		case "Service":
			for _, port := range typedAs[corev1.Service](t, object).Spec.Ports {
				used = append(used, port.TargetPort.String())
			}
		case "NetworkPolicy":
			for _, rule := range typedAs[networkingv1.NetworkPolicy](t, object).Spec.Ingress {
				for _, port := range rule.Ports {
					used = append(used, port.Port.String())
				}
			}
		}
	}
	return used
}

// opening is one rule of a policy: through which ports, and for whom (nil for all).
type opening struct {
	ports []string
	peers []networkingv1.NetworkPolicyPeer
}

func TestThePolicyOpensWhatIsUsed(t *testing.T) {
	t.Parallel()
	everywhere := []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}
	apiServer := []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/28"}}}
	test := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{
		"app.kubernetes.io/name": "mini-hpa", "app.kubernetes.io/instance": release, "app.kubernetes.io/component": "selftest"}}}
	dns := opening{ports: []string{"UDP 53", "TCP 53"}}
	for name, test := range map[string]struct {
		values  string
		in, out []opening
	}{
		"by default anybody calls the webhook, and pods read metrics": {
			in:  []opening{{ports: []string{"TCP webhook"}}, {[]string{"TCP metrics"}, everywhere}},
			out: []opening{dns, {ports: []string{"TCP 443", "TCP 6443"}}}},
		"an API server whose address is known": {values: `
networkPolicy: {webhookFrom: [{ipBlock: {cidr: 10.0.0.0/28}}], apiServerTo: [{ipBlock: {cidr: 10.0.0.0/28}}], apiServerPorts: [16443]}`,
			in:  []opening{{[]string{"TCP webhook"}, append(slices.Clone(apiServer), test)}, {[]string{"TCP metrics"}, everywhere}},
			out: []opening{dns, {[]string{"TCP 16443"}, apiServer}}},
		"without a test nobody tests": {values: "{networkPolicy: {webhookFrom: [{ipBlock: {cidr: 10.0.0.0/28}}]}, tests: {enabled: false}, metrics: {enabled: false}}",
			in: []opening{{[]string{"TCP webhook"}, apiServer}}, out: []opening{dns, {ports: []string{"TCP 443", "TCP 6443"}}}},
		"nothing comes in where nothing is served": {values: "{webhook: {enabled: false}, metrics: {enabled: false}}",
			out: []opening{dns, {ports: []string{"TCP 443", "TCP 6443"}}}},
		"more can be opened": {values: `{metrics: {enabled: false}, networkPolicy: {extraIngress: [{ports: [{port: health, protocol: TCP}]}], extraEgress: [{ports: [{port: 4317, protocol: TCP}]}]}}`,
			in:  []opening{{ports: []string{"TCP webhook"}}, {ports: []string{"TCP health"}}},
			out: []opening{dns, {ports: []string{"TCP 443", "TCP 6443"}}, {ports: []string{"TCP 4317"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := renderYAML(t, test.values)
			spec := typedAs[networkingv1.NetworkPolicy](t, pick(t, objects, "NetworkPolicy", release)).Spec
			var in, out []opening
			for _, rule := range spec.Ingress {
				in = append(in, opening{portNames(rule.Ports), rule.From})
			}
			for _, rule := range spec.Egress {
				out = append(out, opening{portNames(rule.Ports), rule.To})
			}
			if diff := cmp.Diff(test.in, in, cmp.AllowUnexported(opening{})); diff != "" {
				t.Errorf("ingress:\n%s", diff)
			}
			if diff := cmp.Diff(test.out, out, cmp.AllowUnexported(opening{})); diff != "" {
				t.Errorf("egress:\n%s", diff)
			}
			if !includes(deployed(t, objects).Spec.Template.Labels, spec.PodSelector.MatchLabels) || len(spec.PolicyTypes) != 2 {
				t.Errorf("for pods with %v and %v", spec.PodSelector.MatchLabels, spec.PolicyTypes)
			}
		})
	}
	if pod := selftest(t, render(t, nil)); !includes(pod.Labels, test.PodSelector.MatchLabels) {
		t.Errorf("the test's pod has other labels: %v", pod.Labels)
	}
}

func portNames(ports []networkingv1.NetworkPolicyPort) []string {
	var names []string
	for _, port := range ports {
		names = append(names, string(*port.Protocol)+" "+port.Port.String())
	}
	return names
}

// TestCertificatesOfCertManager: the names are those by which the API server calls, and what is injected is who signed them.
func TestCertificatesOfCertManager(t *testing.T) {
	t.Parallel()
	objects := renderYAML(t, "webhook: {hosts: [a.example.com, 10.0.0.1, '::1'], tls: {mode: cert-manager, caDuration: 100h, certificateDuration: 10h}}")
	key := map[string]any{"algorithm": "ECDSA", "size": float64(256), "rotationPolicy": "Always"}
	stays := map[string]any{"algorithm": "ECDSA", "size": float64(256), "rotationPolicy": "Never"} // old leaves stay trusted
	for _, want := range []struct {
		kind, name string
		spec       map[string]any
	}{
		{"Issuer", "mini-hpa-webhook-root", map[string]any{"selfSigned": map[string]any{}}},
		{"Certificate", "mini-hpa-webhook-ca", map[string]any{"isCA": true, "commonName": "mini-hpa-webhook-ca", "secretName": "mini-hpa-webhook-issuer", "duration": "100h",
			"privateKey": stays, "issuerRef": map[string]any{"name": "mini-hpa-webhook-root", "kind": "Issuer"}}},
		{"Issuer", "mini-hpa-webhook-ca", map[string]any{"ca": map[string]any{"secretName": "mini-hpa-webhook-issuer"}}},
		{"Certificate", "mini-hpa-webhook", map[string]any{"secretName": "mini-hpa-webhook-tls", "duration": "10h", "usages": []any{"digital signature", "server auth"},
			"dnsNames":    []any{"mini-hpa-webhook.mini-hpa.svc", "mini-hpa-webhook.mini-hpa.svc.cluster.local", "a.example.com"},
			"ipAddresses": []any{"10.0.0.1", "::1"}, "privateKey": key, "issuerRef": map[string]any{"name": "mini-hpa-webhook-ca", "kind": "Issuer"}}},
	} {
		got := pick(t, objects, want.kind, want.name)
		if diff := cmp.Diff(want.spec, got.Object["spec"]); diff != "" {
			t.Errorf("%s %s: %s", want.kind, want.name, diff)
		}
	}
	const secret = "mini-hpa-webhook-tls"
	if !slices.ContainsFunc(deployed(t, objects).Spec.Template.Spec.Volumes, func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == secret }) {
		t.Errorf("Secret %s is not mounted", secret)
	}
	given := renderYAML(t, "webhook: {tls: {mode: cert-manager, certManager: {issuerRef: {name: ca, kind: ClusterIssuer}}}}")
	issuer, _, err := unstructured.NestedStringMap(pick(t, given, "Certificate", "mini-hpa-webhook").Object, "spec", "issuerRef")
	if diff := cmp.Diff(map[string]string{"name": "ca", "kind": "ClusterIssuer"}, issuer); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestTheTestMayDoWhatItDoes(t *testing.T) {
	t.Parallel()
	webhook := []permission{{"admissionregistration.k8s.io", "validatingwebhookconfigurations", release, "get"}}
	review := []permission{{"authorization.k8s.io", "subjectaccessreviews", "", "create"}}
	create := []permission{{"apps", "deployments", "", "create"}, {"apps", "statefulsets", "", "create"}, {"apps", "replicasets", "", "create"}}
	metrics := []permission{{"metrics.k8s.io", "pods", "", "list"}}
	own := append(metrics, permission{"coordination.k8s.io", "leases", release, "get"})
	for name, test := range map[string]struct {
		values string
		want   map[string][]permission
		args   []string
	}{
		"everywhere": {want: map[string][]permission{"": append(webhook, review...), "default": create, home: own},
			args: []string{"--namespace=default", "--webhook-configuration=mini-hpa", "--service-account=mini-hpa/mini-hpa",
				"--leader-elect-resource-name=mini-hpa", "--state-port=0", "--webhook-ca-secret=mini-hpa-webhook-ca"}},
		"in one namespace": {values: "controller: {watchNamespace: shop}",
			want: map[string][]permission{"": append(webhook, review...), "shop": create, home: own},
			args: []string{"--namespace=shop", "--webhook-configuration=mini-hpa", "--service-account=mini-hpa/mini-hpa", "--watch-namespace=shop",
				"--leader-elect-resource-name=mini-hpa", "--state-port=0", "--webhook-ca-secret=mini-hpa-webhook-ca"}},
		"without a webhook or an election": {values: "{replicas: 1, webhook: {enabled: false}, controller: {leaderElection: false}, tests: {namespace: kube-system}, serviceAccount: {name: other}}",
			want: map[string][]permission{"": review, home: metrics},
			args: []string{"--namespace=kube-system", "--webhook-configuration=", "--service-account=mini-hpa/other", "--state-port=0"}},
		"with somebody's certificate": {values: "webhook: {tls: {mode: cert-manager}}",
			want: map[string][]permission{"": append(webhook, review...), "default": create, home: own},
			args: []string{"--namespace=default", "--webhook-configuration=mini-hpa", "--service-account=mini-hpa/mini-hpa", "--leader-elect-resource-name=mini-hpa", "--state-port=0"}},
		"with sources, of which the leader is asked": {values: "sources: [{name: cache, type: redis, addresses: ['a:1'], namespaces: [shop], allow: {list: [a]}}]",
			want: map[string][]permission{"": append(webhook, review...), "default": create, home: append(own, permission{"", "pods/portforward", "", "create"})},
			args: []string{"--namespace=default", "--webhook-configuration=mini-hpa", "--service-account=mini-hpa/mini-hpa",
				"--leader-elect-resource-name=mini-hpa", "--webhook-ca-secret=mini-hpa-webhook-ca"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, got := renderYAML(t, test.values), map[string][]permission{}
			for _, object := range objects {
				if object.GetName() != release+"-selftest" {
					continue
				}
				if object.GetAnnotations()["helm.sh/hook"] != "test" {
					t.Errorf("%s %s is no hook", object.GetKind(), object.GetName())
				}
				if kind := object.GetKind(); kind == "Role" || kind == "ClusterRole" {
					for _, rule := range typedAs[rbacv1.ClusterRole](t, object).Rules {
						got[object.GetNamespace()] = append(got[object.GetNamespace()], flatten(rule)...)
					}
				}
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(permission{})); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(append([]string{"selftest"}, test.args...), selftest(t, objects).Spec.Containers[0].Args); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMonitorsFindWhatTheyScrape(t *testing.T) {
	t.Parallel()
	objects := renderYAML(t, `{metrics: {serviceMonitor: {enabled: true, namespace: monitoring, labels: {team: a}, interval: 15s, scrapeTimeout: 10s,
  relabelings: [{action: labeldrop, regex: pod}], metricRelabelings: [{action: drop, regex: go_.*}]}}}`)
	monitor := pick(t, objects, "ServiceMonitor", release)
	selector, _, err := unstructured.NestedStringMap(monitor.Object, "spec", "selector", "matchLabels")
	if err != nil || !includes(pick(t, objects, "Service", release+"-metrics").GetLabels(), selector) || includes(pick(t, objects, "Service", release+"-webhook").GetLabels(), selector) {
		t.Errorf("the ServiceMonitor selects %v: %v", selector, err)
	}
	endpoint := map[string]any{"port": "metrics", "path": "/metrics", "honorLabels": true, "interval": "15s", "scrapeTimeout": "10s",
		"relabelings": []any{map[string]any{"action": "labeldrop", "regex": "pod"}}, "metricRelabelings": []any{map[string]any{"action": "drop", "regex": "go_.*"}}}
	endpoints, _, err := unstructured.NestedSlice(monitor.Object, "spec", "endpoints")
	if diff := cmp.Diff([]any{endpoint}, endpoints); diff != "" || err != nil || monitor.GetNamespace() != "monitoring" || monitor.GetLabels()["team"] != "a" {
		t.Errorf("%v %v %v %s", err, monitor.GetNamespace(), monitor.GetLabels(), diff)
	}
	objects = renderYAML(t, "metrics: {podMonitor: {enabled: true}}")
	selector, _, err = unstructured.NestedStringMap(pick(t, objects, "PodMonitor", release).Object, "spec", "selector", "matchLabels")
	if err != nil || !includes(deployed(t, objects).Spec.Template.Labels, selector) || includes(selftest(t, objects).Labels, selector) {
		t.Errorf("the PodMonitor selects %v: %v", selector, err)
	}
	objects = renderYAML(t, "{metrics: {podMonitor: {enabled: true}}, activator: {enabled: true}}")
	both, _, err := unstructured.NestedMap(pick(t, objects, "PodMonitor", release).Object, "spec", "selector")
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := metav1.LabelSelectorAsSelector(typedAs[metav1.LabelSelector](t, &unstructured.Unstructured{Object: both}))
	if err != nil {
		t.Fatal(err)
	}
	holds := typedAs[appsv1.Deployment](t, pick(t, objects, "Deployment", activator)).Spec.Template.Labels
	if !chosen.Matches(labels.Set(deployed(t, objects).Spec.Template.Labels)) || !chosen.Matches(labels.Set(holds)) || chosen.Matches(labels.Set(selftest(t, objects).Labels)) {
		t.Errorf("with activators the PodMonitor selects %s, want the controller's pods and the activators'", chosen)
	}
}
