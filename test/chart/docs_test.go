package chart

import (
	"flag"
	"fmt"
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

var update = flag.Bool("update", false, "write docs/rbac.yaml anew")

// TestRightsPage renders docs/rbac.yaml, the rules of the chart's roles for the controller in one. It is for who installs by hand, and what the
// tests of the program give it.
func TestRightsPage(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`# All that the controller may do; the tests run it with exactly this. Replicas change through the scale subresource only:
# it cannot write workloads, Pods or anything else. Generated from the chart by "make update-docs". For other kinds of workloads:
#   helm template mini-hpa charts/mini-hpa -n mini-hpa --set image.tag=any --set 'controller.kinds={rollouts.argoproj.io}' -s templates/rbac.yaml -s templates/webhook.yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: mini-hpa
rules:
`)
	for _, role := range []string{"ClusterRole " + release, "Role " + release + "-leases"} {
		for _, document := range rendering(t, nil).run(t).documents {
			head, rules, _ := strings.Cut(document, "\nrules:\n")
			if is := (output{documents: []string{head}}).objects(t); len(is) == 1 && is[0].GetKind()+" "+is[0].GetName() == role {
				b.WriteString(rules + "\n")
			}
		}
	}
	const page = "../../docs/rbac.yaml"
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), b.String()); diff != "" {
		t.Errorf("docs/rbac.yaml is stale, run make update-docs (-page +chart):\n%s", diff)
	}
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

// TestKindsOfCustomResources: each has its rights, the webhook is asked about it, and the controller is told.
func TestKindsOfCustomResources(t *testing.T) {
	t.Parallel()
	const values = "controller: {kinds: [rollouts.argoproj.io, trains.rail.example.com]"
	kinds := func(permissions []permission) []permission {
		return slices.DeleteFunc(slices.Clone(permissions), func(p permission) bool {
			return p.group != "argoproj.io" && p.group != "rail.example.com" && p.group != "apiextensions.k8s.io"
		})
	}
	workloads := []permission{
		{"argoproj.io", "rollouts", "", "list"}, {"argoproj.io", "rollouts", "", "watch"}, {"argoproj.io", "rollouts/scale", "", "update"}, {"argoproj.io", "rollouts/scale", "", "patch"},
		{"rail.example.com", "trains", "", "list"}, {"rail.example.com", "trains", "", "watch"}, {"rail.example.com", "trains/scale", "", "update"}, {"rail.example.com", "trains/scale", "", "patch"},
	}
	var definitions []permission
	for _, name := range []string{"rollouts.argoproj.io", "trains.rail.example.com"} {
		definitions = append(definitions, permission{"apiextensions.k8s.io", "customresourcedefinitions", name, "list"}, permission{"apiextensions.k8s.io", "customresourcedefinitions", name, "watch"})
	}
	everywhere, one := permissions(t, renderYAML(t, values+"}")), permissions(t, renderYAML(t, values+", watchNamespace: shop}"))
	for name, test := range map[string]struct{ want, got []permission }{
		"in the cluster":                         {slices.Concat(workloads, definitions), kinds(everywhere[""])},
		"in one namespace":                       {workloads, kinds(one["shop"])},
		"in the cluster, for one namespace only": {definitions, kinds(one[""])},
		"without any":                            {nil, kinds(permissions(t, render(t, nil))[""])},
	} {
		sorted := cmpopts.SortSlices(func(a, b permission) bool { return fmt.Sprint(a) < fmt.Sprint(b) })
		if diff := cmp.Diff(test.want, test.got, cmp.AllowUnexported(permission{}), sorted, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	objects := renderYAML(t, values+"}")
	hooks := typedAs[admissionv1.ValidatingWebhookConfiguration](t, pick(t, objects, "ValidatingWebhookConfiguration", release)).Webhooks
	if len(hooks) != 2 {
		t.Fatalf("%d webhooks, want one for the kinds that are built in and one for the others", len(hooks))
	}
	scope, operations := admissionv1.NamespacedScope, []admissionv1.OperationType{admissionv1.Create, admissionv1.Update}
	want := []admissionv1.RuleWithOperations{
		{Operations: operations, Rule: admissionv1.Rule{APIGroups: []string{"argoproj.io"}, APIVersions: []string{"*"}, Resources: []string{"rollouts"}, Scope: &scope}},
		{Operations: operations, Rule: admissionv1.Rule{APIGroups: []string{"rail.example.com"}, APIVersions: []string{"*"}, Resources: []string{"trains"}, Scope: &scope}},
	}
	if diff := cmp.Diff(want, hooks[1].Rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(hooks[0], hooks[1], cmpopts.IgnoreFields(admissionv1.ValidatingWebhook{}, "Name", "Rules", "MatchConditions")); diff != "" {
		t.Errorf("the two webhooks differ:\n%s", diff)
	}
	if args := deployed(t, objects).Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, "--kinds=rollouts.argoproj.io,trains.rail.example.com") {
		t.Errorf("the controller is not told: %q", args)
	}
	if args := deployed(t, render(t, nil)).Spec.Template.Spec.Containers[0].Args; slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--kinds") }) {
		t.Errorf("the controller is told of no kinds: %q", args)
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
			if role.GetName() == release+"-users" && name == "users" { // which is for people: TestUsersMayAskTheController
				continue
			}
			want := []rbacv1.Subject{{Kind: "ServiceAccount", Name: controller, Namespace: home}}
			switch {
			case role.GetAnnotations()["helm.sh/hook"] != "":
				want[0].Name = selftest(t, objects).Spec.ServiceAccountName
			case role.GetName() == activator+"-pods":
				want[0].Name = activator
			case role.GetName() == release+"-metrics-auth": // both have metrics
				want = append(want, rbacv1.Subject{Kind: "ServiceAccount", Name: activator, Namespace: home})
			case role.GetName() == release+"-metrics-readers": // as the example has it
				want = []rbacv1.Subject{{Kind: "ServiceAccount", Name: "prometheus-k8s", Namespace: "monitoring"}}
			}
			if diff := cmp.Diff(want, binding.Subjects); diff != "" {
				t.Errorf("%s: %s %s: %s", name, object.GetKind(), object.GetName(), diff)
			}
		}
	}
}

// TestUsersMayAskTheController, and nothing else, where a value names them.
func TestUsersMayAskTheController(t *testing.T) {
	t.Parallel()
	objects := render(t, examples(t)["users"])
	var got []permission
	for _, rule := range typedAs[rbacv1.Role](t, pick(t, objects, "Role", release+"-users")).Rules {
		got = append(got, flatten(rule)...)
	}
	want := []permission{{"coordination.k8s.io", "leases", release, "get"}, {"", "pods/portforward", "", "create"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(permission{})); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
	binding := typedAs[rbacv1.RoleBinding](t, pick(t, objects, "RoleBinding", release+"-users"))
	subjects := []rbacv1.Subject{{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "developers"}, {Kind: "User", APIGroup: rbacv1.GroupName, Name: "jane@example.com"},
		{Kind: "ServiceAccount", Name: "pipeline", Namespace: "default"}}
	if diff := cmp.Diff(subjects, binding.Subjects); diff != "" || binding.Namespace != home || binding.RoleRef.Name != release+"-users" {
		t.Errorf("%s in %q binds %s to\n%s", binding.Name, binding.Namespace, binding.RoleRef.Name, diff)
	}
	for _, id := range identities(render(t, nil)) {
		if strings.HasSuffix(id, "-users") {
			t.Errorf("%s is rendered unasked", id)
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
			with: []string{"kubectl -n default annotate deployment web mini-hpa/target-cpu=50", "describe deployment web", "helm -n mini-hpa test mini-hpa",
				"kubectl -n mini-hpa exec deploy/mini-hpa -- /mini-hpa explain -n default deployment/web\n", "kubectl -n mini-hpa exec deploy/mini-hpa -- /mini-hpa get -A\n", "helm -n mini-hpa upgrade mini-hpa"}},
		"no metrics API":            {with: []string{"does not serve metrics.k8s.io/v1beta1"}},
		"one replica":               {values: "replicas: 1", apis: optionalAPIs, with: []string{"WARNING: replicas is 1."}},
		"failing closed":            {values: "webhook: {failurePolicy: Fail}", apis: optionalAPIs, with: []string{"WARNING: webhook.failurePolicy is Fail", "kubectl delete validatingwebhookconfiguration mini-hpa"}},
		"no cert-manager":           {values: "webhook: {tls: {mode: cert-manager}}", with: []string{"does not serve cert-manager.io/v1"}},
		"somebody's certificate":    {values: "webhook: {tls: {mode: existing-secret, existingSecret: {name: c}}}", with: []string{"The caBundle of ValidatingWebhookConfiguration mini-hpa is the business of whoever owns Secret c"}},
		"alerts that were left out": {values: "prometheusRule: {enabled: true}", with: []string{"WARNING: prometheusRule was left out"}},
		"a class": {values: "controller: {class: batch}", apis: optionalAPIs, with: []string{"annotated workloads of class batch in all", "mini-hpa/max=10 mini-hpa/class=batch",
			"-- /mini-hpa explain -n default deployment/web --class=batch\n", "-- /mini-hpa get -A --class=batch\n"}},
		"another name": {values: "{fullnameOverride: other, controller: {kinds: [rollouts.argoproj.io, trains.example.com]}}", apis: optionalAPIs, with: []string{
			"kubectl -n mini-hpa exec deploy/other -- /mini-hpa explain -n default deployment/web --controller=mini-hpa/other --kinds=rollouts.argoproj.io,trains.example.com\n"}},
		"one namespace":                  {values: "controller: {watchNamespace: shop}", apis: optionalAPIs, with: []string{"in namespace shop", "kubectl -n shop annotate", "-- /mini-hpa get -n shop\n"}},
		"no test":                        {values: "tests: {enabled: false}", without: []string{"helm -n mini-hpa test"}},
		"sources that nobody reaches":    {values: "sources: [{name: a, type: http}]", with: []string{"networkPolicy.extraEgress opens it"}},
		"sources that are reached":       {values: "{sources: [{name: a, type: http}], networkPolicy: {extraEgress: [{ports: [{port: 9090, protocol: TCP}]}]}}", without: []string{"networkPolicy.extraEgress"}},
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
