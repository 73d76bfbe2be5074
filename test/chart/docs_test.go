package chart

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// page are the objects of a manifest in docs/.
func page(t testing.TB, name string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return output{documents: documents(string(text))}.objects(t)
}

// TestTheWebhookIsThatOfTheDocs: who sets it up by hand gets what the chart makes.
func TestTheWebhookIsThatOfTheDocs(t *testing.T) {
	t.Parallel()
	docs, rendered := page(t, "webhook.yaml"), render(t, nil)
	const kind = "ValidatingWebhookConfiguration"
	want := typedAs[admissionv1.ValidatingWebhookConfiguration](t, pick(t, docs, kind, "mini-hpa"))
	got := typedAs[admissionv1.ValidatingWebhookConfiguration](t, pick(t, rendered, kind, release))
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(metav1.ObjectMeta{}, "Labels")); diff != "" {
		t.Errorf("-docs +chart:\n%s", diff)
	}
	secret := typedAs[corev1.Secret](t, pick(t, docs, "Secret", "mini-hpa-webhook-ca"))
	if diff := cmp.Diff(secret, typedAs[corev1.Secret](t, pick(t, rendered, "Secret", release+"-webhook-ca")), cmpopts.IgnoreFields(metav1.ObjectMeta{}, "Labels")); diff != "" {
		t.Errorf("-docs +chart:\n%s", diff)
	}
}

func TestTheWebhookFollowsTheValues(t *testing.T) {
	t.Parallel()
	hook := func(values string) admissionv1.ValidatingWebhook {
		return typedAs[admissionv1.ValidatingWebhookConfiguration](t, pick(t, renderYAML(t, values), "ValidatingWebhookConfiguration", release)).Webhooks[0]
	}
	got := hook("webhook: {failurePolicy: Fail, timeoutSeconds: 3, excludedNamespaces: [a, mini-hpa]}")
	if *got.FailurePolicy != admissionv1.Fail || *got.TimeoutSeconds != 3 {
		t.Errorf("got %s after %d s", *got.FailurePolicy, *got.TimeoutSeconds)
	}
	name := metav1.LabelSelectorRequirement{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"a", home}}
	if diff := cmp.Diff([]metav1.LabelSelectorRequirement{name}, got.NamespaceSelector.MatchExpressions); diff != "" {
		t.Error(diff)
	}
	name.Operator, name.Values = metav1.LabelSelectorOpIn, []string{"shop"}
	if diff := cmp.Diff([]metav1.LabelSelectorRequirement{name}, hook("controller: {watchNamespace: shop}").NamespaceSelector.MatchExpressions); diff != "" {
		t.Error(diff)
	}
}

func TestAnnotationsOfTheWebhook(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]map[string]string{
		"": {"admissions.enforcer/disabled": "true"},
		"webhook: {annotations: {a: b, admissions.enforcer/disabled: 'false'}}": {"admissions.enforcer/disabled": "false", "a": "b"},
		"webhook: {tls: {mode: cert-manager}}":                                  {"admissions.enforcer/disabled": "true", "cert-manager.io/inject-ca-from": "mini-hpa/mini-hpa-webhook"},
	} {
		got := pick(t, renderYAML(t, values), "ValidatingWebhookConfiguration", release).GetAnnotations()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", values, diff)
		}
	}
}

// permission is one verb on one resource, in the cluster or in the namespace of a Role.
type permission struct{ group, resource, name, verb string }

// permissions are what roles of all kinds say, by the namespace in which they say so ("" for all). Those of the test are left out.
func permissions(t testing.TB, objects []*unstructured.Unstructured) map[string][]permission {
	t.Helper()
	found := map[string][]permission{}
	for _, object := range objects {
		if kind := object.GetKind(); kind != "Role" && kind != "ClusterRole" || object.GetAnnotations()["helm.sh/hook"] != "" {
			continue
		}
		namespace := object.GetNamespace()
		for _, rule := range typedAs[rbacv1.ClusterRole](t, object).Rules {
			found[namespace] = append(found[namespace], flatten(rule)...)
		}
	}
	return found
}

func flatten(rule rbacv1.PolicyRule) []permission {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	var found []permission
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, name := range names {
				for _, verb := range rule.Verbs {
					found = append(found, permission{group, resource, name, verb})
				}
			}
		}
	}
	return found
}

// TestTheRolesAreThoseOfTheDocs: the chart has more of them, each for what it is about, and says in which namespace the Lease is.
func TestTheRolesAreThoseOfTheDocs(t *testing.T) {
	t.Parallel()
	flat := func(by map[string][]permission) []permission {
		var all []permission
		for _, some := range by {
			all = append(all, some...)
		}
		slices.SortFunc(all, func(a, b permission) int {
			return strings.Compare(a.group+"/"+a.resource+"/"+a.name+"/"+a.verb, b.group+"/"+b.resource+"/"+b.name+"/"+b.verb)
		})
		return slices.Compact(all)
	}
	docs := flat(permissions(t, append(page(t, "rbac.yaml"), page(t, "webhook.yaml")...)))
	chart := flat(permissions(t, render(t, nil)))
	if diff := cmp.Diff(docs, chart, cmp.AllowUnexported(permission{})); diff != "" {
		t.Errorf("-docs +chart:\n%s", diff)
	}
}

func TestRolesFollowTheValues(t *testing.T) {
	t.Parallel()
	optional := map[string]permission{"keda": {"keda.sh", "scaledobjects", "", "list"}, "vpa": {"autoscaling.k8s.io", "verticalpodautoscalers", "", "list"}, "customMetrics": {"custom.metrics.k8s.io", "*", "", "get"},
		"externalMetrics": {"external.metrics.k8s.io", "*", "", "list"}}
	for value, p := range optional {
		if !slices.Contains(permissions(t, render(t, nil))[""], p) || slices.Contains(permissions(t, renderYAML(t, "rbac: {"+value+": false}"))[""], p) {
			t.Errorf("rbac.%s is not what %v depends on", value, p)
		}
	}
	get := permission{"apps", "replicasets", "", "get"}
	off := permissions(t, renderYAML(t, "webhook: {enabled: false}"))
	if slices.Contains(off[""], get) || slices.ContainsFunc(off[""], func(p permission) bool { return p.group == "admissionregistration.k8s.io" }) ||
		slices.ContainsFunc(off[home], func(p permission) bool { return p.resource == "secrets" }) {
		t.Errorf("rights of the webhook that is off: %v", off)
	}
	for _, values := range []string{"webhook: {tls: {mode: cert-manager}}", "webhook: {tls: {mode: existing-secret, existingSecret: {name: c}}}"} {
		theirs := permissions(t, renderYAML(t, values))
		if !slices.Contains(theirs[""], get) || slices.ContainsFunc(slices.Concat(theirs[""], theirs[home]), func(p permission) bool {
			return p.resource == "secrets" || p.resource == "validatingwebhookconfigurations"
		}) {
			t.Errorf("%s: %v", values, theirs)
		}
	}
}

// TestOneNamespaceNeedsNoRightsElsewhere: of the cluster, only the webhook's own configuration is left.
func TestOneNamespaceNeedsNoRightsElsewhere(t *testing.T) {
	t.Parallel()
	all, one := permissions(t, render(t, nil)), permissions(t, renderYAML(t, "controller: {watchNamespace: shop}"))
	workloads := slices.DeleteFunc(slices.Clone(all[""]), func(p permission) bool { return p.name == release })
	if diff := cmp.Diff(workloads, one["shop"], cmp.AllowUnexported(permission{})); diff != "" {
		t.Errorf("in the namespace there are other rights than in all of them:\n%s", diff)
	}
	for _, p := range one[""] {
		if p.resource != "validatingwebhookconfigurations" || p.name != release {
			t.Errorf("in the cluster there is %v", p)
		}
	}
	if diff := cmp.Diff(all[home], one[home], cmp.AllowUnexported(permission{})); diff != "" {
		t.Errorf("the release's own namespace:\n%s", diff)
	}
}

// TestBindingsAreToRolesThatThereAre: each names the account of the pods it is for.
func TestBindingsAreToRolesThatThereAre(t *testing.T) {
	t.Parallel()
	for name, values := range examples(t) {
		objects := render(t, values)
		controller := deployed(t, objects).Spec.Template.Spec.ServiceAccountName
		for _, object := range objects {
			if !strings.HasSuffix(object.GetKind(), "RoleBinding") {
				continue
			}
			binding := typedAs[rbacv1.RoleBinding](t, object)
			role := pick(t, slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool { return o.GetNamespace() != object.GetNamespace() }),
				binding.RoleRef.Kind, binding.RoleRef.Name)
			want := controller
			if role.GetAnnotations()["helm.sh/hook"] != "" {
				want = selftest(t, objects).Spec.ServiceAccountName
			}
			if diff := cmp.Diff([]rbacv1.Subject{{Kind: "ServiceAccount", Name: want, Namespace: home}}, binding.Subjects); diff != "" {
				t.Errorf("%s: %s %s: %s", name, object.GetKind(), object.GetName(), diff)
			}
		}
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values        string
		apis          []string
		with, without []string
	}{
		"by default there is what to do next, and no warning": {apis: optionalAPIs, without: []string{"WARNING"},
			with: []string{"kubectl -n default annotate deployment web mini-hpa/target-cpu=50", "describe deployment web", "helm -n mini-hpa test mini-hpa", "helm -n mini-hpa upgrade mini-hpa"}},
		"no metrics API":                 {with: []string{"does not serve metrics.k8s.io/v1beta1"}},
		"one replica":                    {values: "replicas: 1", apis: optionalAPIs, with: []string{"WARNING: replicas is 1."}},
		"failing closed":                 {values: "webhook: {failurePolicy: Fail}", apis: optionalAPIs, with: []string{"WARNING: webhook.failurePolicy is Fail", "kubectl delete validatingwebhookconfiguration mini-hpa"}},
		"no cert-manager":                {values: "webhook: {tls: {mode: cert-manager}}", with: []string{"does not serve cert-manager.io/v1"}},
		"somebody's certificate":         {values: "webhook: {tls: {mode: existing-secret, existingSecret: {name: c}}}", with: []string{"The caBundle of ValidatingWebhookConfiguration mini-hpa is the business of whoever owns Secret c"}},
		"alerts that were left out":      {values: "prometheusRule: {enabled: true}", with: []string{"WARNING: prometheusRule was left out"}},
		"one namespace":                  {values: "controller: {watchNamespace: shop}", apis: optionalAPIs, with: []string{"in namespace shop", "kubectl -n shop annotate"}},
		"no test":                        {values: "tests: {enabled: false}", without: []string{"helm -n mini-hpa test"}},
		"an open port":                   {with: []string{"networkPolicy.webhookFrom narrows it"}},
		"a port that is not open to all": {values: "networkPolicy: {webhookFrom: [{ipBlock: {cidr: 10.0.0.0/28}}]}", without: []string{"networkPolicy.webhookFrom"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := rendering(t, parsed(t, []byte(test.values)))
			o.apis = test.apis
			notes := o.run(t).notes
			for _, want := range test.with {
				if !strings.Contains(notes, want) {
					t.Errorf("lacks %q:\n%s", want, notes)
				}
			}
			for _, unwanted := range test.without {
				if strings.Contains(notes, unwanted) {
					t.Errorf("has %q:\n%s", unwanted, notes)
				}
			}
		})
	}
}
