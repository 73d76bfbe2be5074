package chart

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	lint3 "helm.sh/helm/v3/pkg/lint"
	action4 "helm.sh/helm/v4/pkg/action"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// examples are the values files in ci/, by name.
func examples(t testing.TB) map[string]map[string]any {
	t.Helper()
	const suffix = "-values.yaml"
	paths, err := filepath.Glob(filepath.Join(chartDir(t), "ci", "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 10 {
		t.Fatalf("there are %d examples, want at least 10: %q", len(paths), paths)
	}
	found := map[string]map[string]any{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(filepath.Base(path), suffix)] = parsed(t, text)
	}
	return found
}

func TestEachExampleRendersAlikeByEachHelmEveryTime(t *testing.T) {
	t.Parallel()
	for name, values := range examples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := rendering(t, values).run(t)
			if len(want.objects(t)) == 0 || want.notes == "" {
				t.Fatalf("%d objects and %d bytes of notes", len(want.documents), len(want.notes))
			}
			for helm, render := range engines() {
				for range 2 {
					got, err := render(rendering(t, values))
					if err != nil {
						t.Fatalf("%s: %v", helm, err)
					}
					if diff := cmp.Diff(want, got, cmp.AllowUnexported(output{})); diff != "" {
						t.Errorf("%s renders something else (-want +got):\n%s", helm, diff)
					}
				}
			}
		})
	}
}

func TestLintFindsNothing(t *testing.T) {
	t.Parallel()
	for name, values := range examples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lint := action4.NewLint()
			lint.Namespace = home
			if result := lint.Run([]string{chartDir(t)}, rendering(t, values).values); action4.HasWarningsOrErrors(result) || result.TotalChartsLinted != 1 {
				t.Errorf("Helm 4: %v %v", result.Messages, result.Errors)
			}
			const info = 1
			if result := lint3.All(chartDir(t), rendering(t, values).values, home, false); result.HighestSeverity > info {
				t.Errorf("Helm 3: %v", result.Messages)
			}
		})
	}
}

// TestTemplatesHoldNothingThatChanges: what is random, looked up, timed or written by the program would be another thing at the
// next upgrade, and a conflict for server-side apply.
func TestTemplatesHoldNothingThatChanges(t *testing.T) {
	t.Parallel()
	unwanted := regexp.MustCompile(`(?m)\b(lookup|now|rand\w+|gen(CA|SignedCert|SelfSignedCert|PrivateKey)\w*|uuidv4|htpasswd|derivePassword)\b|caBundle\s*:|stringData\s*:`)
	comment := regexp.MustCompile(`(?s){{-?\s*/\*.*?\*/\s*-?}}|(?m)^\s*#.*$`)
	paths, err := filepath.Glob(filepath.Join(chartDir(t), "templates", "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d templates: %v", len(paths), err)
	}
	for _, path := range append(paths, filepath.Join(chartDir(t), "templates", "tests", "selftest.yaml")) {
		text, err := os.ReadFile(path)
		if err != nil {
			if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
				continue
			}
			t.Fatal(err)
		}
		if strings.HasSuffix(path, ".txt") {
			continue // prose
		}
		if found := unwanted.Find(comment.ReplaceAll(text, nil)); found != nil {
			t.Errorf("%s uses %q", filepath.Base(path), found)
		}
	}
	for name, values := range examples(t) {
		for _, object := range render(t, values) {
			for _, field := range []string{"data", "stringData"} {
				if _, ok := object.Object[field]; ok && object.GetKind() == "Secret" {
					t.Errorf("%s: Secret %s has %s", name, object.GetName(), field)
				}
			}
			if _, ok := object.Object["spec"]; ok && object.GetKind() == "Lease" {
				t.Errorf("%s: Lease %s has a spec", name, object.GetName())
			}
		}
	}
}

func TestEveryObjectIsLabelled(t *testing.T) {
	t.Parallel()
	for name, values := range examples(t) {
		for _, object := range render(t, values) {
			labels := object.GetLabels()
			if labels["app.kubernetes.io/instance"] != release || labels["app.kubernetes.io/name"] != "mini-hpa" {
				t.Errorf("%s: %s %s has labels %v", name, object.GetKind(), object.GetName(), labels)
			}
			if team, ok := object.GetLabels()["team"]; name == "custom-names" && (!ok || team != "platform") {
				t.Errorf("%s: %s %s lacks the common label", name, object.GetKind(), object.GetName())
			}
		}
	}
}

// TestSelectorsFindTheControllerOnly: the test's pod has no port that anybody should be sent to.
func TestSelectorsFindTheControllerOnly(t *testing.T) {
	t.Parallel()
	objects := render(t, nil)
	d := typedAs[appsv1.Deployment](t, pick(t, objects, "Deployment", release))
	selectors := map[string]map[string]string{"Deployment": d.Spec.Selector.MatchLabels}
	for _, name := range []string{release + "-webhook", release + "-metrics"} {
		selectors[name] = typedAs[corev1.Service](t, pick(t, objects, "Service", name)).Spec.Selector
	}
	test := pick(t, objects, "Pod", release+"-selftest").GetLabels()
	for name, selector := range selectors {
		if !includes(d.Spec.Template.Labels, selector) || includes(test, selector) {
			t.Errorf("%s selects %v: the controller's pods have %v, the test's %v", name, selector, d.Spec.Template.Labels, test)
		}
	}
}

func includes(labels, selector map[string]string) bool {
	return !slices.ContainsFunc(slices.Collect(maps.Keys(selector)), func(key string) bool { return labels[key] != selector[key] })
}

func TestObjectsComeAndGoWithTheirValues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values        string
		with, without []string
	}{
		"by default there is no monitoring": {without: []string{"ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap", "Certificate", "Issuer"},
			with: []string{"Deployment", "Secret", "NetworkPolicy", "PodDisruptionBudget", "ValidatingWebhookConfiguration", "Lease", "Pod"}},
		"one replica has no budget":               {values: "replicas: 1", without: []string{"PodDisruptionBudget"}},
		"without a budget there is none":          {values: "podDisruptionBudget: {enabled: false}", without: []string{"PodDisruptionBudget"}},
		"without a webhook nothing is left of it": {values: "webhook: {enabled: false}", without: []string{"ValidatingWebhookConfiguration", "Secret"}},
		"without an election there is no Lease":   {values: "{replicas: 1, controller: {leaderElection: false}}", without: []string{"Lease"}},
		"without RBAC there is none, of the test's too": {values: "rbac: {create: false}",
			without: []string{"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}},
		"what else is wanted is there, too":             {values: "extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: beside}, data: {a: '{{ fail }}'}}]", with: []string{"ConfigMap"}},
		"without tests there is no pod":                 {values: "tests: {enabled: false}", without: []string{"Pod"}},
		"a policy has no effect on the host's network":  {values: "{hostNetwork: true, webhook: {port: 10260}}", without: []string{"NetworkPolicy"}},
		"without a policy there is none":                {values: "networkPolicy: {enabled: false}", without: []string{"NetworkPolicy"}},
		"cert-manager makes what is otherwise a Secret": {values: "webhook: {tls: {mode: cert-manager}}", with: []string{"Certificate", "Issuer"}, without: []string{"Secret"}},
		"an issuer that is there is not made": {values: "webhook: {tls: {mode: cert-manager, certManager: {issuerRef: {name: ca}}}}",
			with: []string{"Certificate"}, without: []string{"Secret", "Issuer"}},
		"an account that is there is not made": {values: "{serviceAccount: {create: false, name: other}, tests: {enabled: false}}", without: []string{"ServiceAccount"}},
		"monitors are rendered where they can be": {values: "{metrics: {serviceMonitor: {enabled: true}}, prometheusRule: {enabled: true}}",
			with: []string{"ServiceMonitor", "PrometheusRule"}, without: []string{"PodMonitor"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kinds := map[string]bool{}
			for _, object := range renderYAML(t, test.values) {
				kinds[object.GetKind()] = true
			}
			for _, kind := range test.with {
				if !kinds[kind] {
					t.Errorf("there is no %s", kind)
				}
			}
			for _, kind := range test.without {
				if kinds[kind] {
					t.Errorf("there is a %s", kind)
				}
			}
		})
	}
}

func TestMonitorsWhereThereIsNoOperator(t *testing.T) {
	t.Parallel()
	for _, monitor := range []string{"serviceMonitor", "podMonitor"} {
		for mode, want := range map[string]string{"skipIfMissing": "", "alwaysRender": "Monitor", "failIfMissing": "metrics." + monitor + ".renderMode: failIfMissing"} {
			t.Run(monitor+" with "+mode, func(t *testing.T) {
				t.Parallel()
				o := rendering(t, map[string]any{"metrics": map[string]any{monitor: map[string]any{"enabled": true, "renderMode": mode}}})
				o.apis = nil
				out, err := templateHelm4(o)
				if mode == "failIfMissing" {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("got %v, want %q", err, want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				has := slices.ContainsFunc(identities(out.objects(t)), func(s string) bool { return strings.Contains(s, "Monitor ") })
				if has != (want != "") {
					t.Errorf("rendered: %t; objects are %s", has, identities(out.objects(t)))
				}
				if told := strings.Contains(out.notes, "metrics."+monitor+" was left out"); told != (want == "") {
					t.Errorf("the notes say so: %t\n%s", told, out.notes)
				}
			})
		}
	}
}
