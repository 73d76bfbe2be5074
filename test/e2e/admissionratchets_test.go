package e2e

import (
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// anyKind is about the time in which "mini-hpa webhook" answers for custom kinds, too. It asks about workloads of each kind what updates
// asks about Deployments: a new one, and changes of one that is right and of one that was wrong before there was a webhook. All of them
// are dry runs.
func (a *admission) anyKind(t *testing.T) {
	train, rollout := a.define(t, trains(t, "admission.example.com")), a.define(t, rollouts(t))
	a.permit(t, train, rollout)
	a.serve(t, named(train, rollout))
	a.review(t, train, rollout)
	plain := annotated(strings.Replace(plain, "  paused: true\n", "", 1))
	for resource, manifest := range map[string]string{
		"statefulset":                    strings.Replace(plain, "kind: Deployment", "kind: StatefulSet", 1),
		"replicaset":                     strings.Replace(plain, "kind: Deployment", "kind: ReplicaSet", 1),
		rollout.GroupResource().String(): strings.Replace(plain, "apps/v1\nkind: Deployment", "argoproj.io/v1alpha1\nkind: Rollout", 1),
	} {
		t.Run(resource, func(t *testing.T) { a.ratchet(t, resource, manifest) })
	}
	t.Run("WithoutTemplate", func(t *testing.T) {
		ns, text := a.somewhere(t), annotated("apiVersion: admission.example.com/v1\nkind: Train\nmetadata:\n  name: web\nspec: {workers: {count: 1}}\n")
		said := a.wantDry(t, ns, change{do: "create -f -"}, text, warned)
		if !strings.Contains(said.err, "this Train has no pod template to see that in") {
			t.Errorf("the warning does not say what is not known: %s", said)
		}
		a.wantDry(t, ns, change{do: "create -f -"}, strings.Replace(text, `max: "10"`, `max: "0"`, 1), denied)
	})
	t.Run("WorkloadRef", func(t *testing.T) {
		text := annotated("apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata:\n  name: web\nspec: {replicas: 1, workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n")
		said := a.wantDry(t, a.somewhere(t), change{do: "create -f -"}, text, warned)
		if !strings.Contains(said.err, "this Rollout has no pod template to see that in") {
			t.Errorf("the warning does not say what is not known: %s", said)
		}
	})
}

// review has the webhook asked about custom kinds, under the conditions of the chart, where a kind may have no template.
func (a *admission) review(t *testing.T, kinds ...annotations.Kind) {
	t.Helper()
	configurations := a.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	c, err := configurations.Get(t.Context(), "mini-hpa", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	custom := *c.Webhooks[0].DeepCopy()
	custom.Name, custom.MatchConditions = "custom-"+hook, []admissionv1.MatchCondition{
		{Name: "annotated", Expression: `object.metadata.?annotations.orValue({}).exists(k, k.startsWith('mini-hpa/'))`},
		{Name: "relevant-change", Expression: `request.operation == 'CREATE' || object.?spec != oldObject.?spec ||
			object.metadata.?annotations.orValue({}).exists(k, k.startsWith('mini-hpa/') && oldObject.metadata.?annotations[?k] != object.metadata.?annotations[?k]) ||
			oldObject.metadata.?annotations.orValue({}).exists(k, k.startsWith('mini-hpa/') && !(k in object.metadata.?annotations.orValue({})))`},
	}
	first := custom.Rules[0]
	custom.Rules = nil
	for _, kind := range kinds {
		rule := first
		rule.Rule = admissionv1.Rule{APIGroups: []string{kind.Group}, APIVersions: []string{"*"}, Resources: []string{kind.Resource}, Scope: first.Scope}
		custom.Rules = append(custom.Rules, rule)
	}
	c.Webhooks = append(c.Webhooks, custom)
	if _, err := configurations.Update(t.Context(), c, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// ratchet asks about one kind with a template.
func (a *admission) ratchet(t *testing.T, resource, right string) {
	wrong := strings.Replace(right, requests, "", 1)
	ns := a.somewhere(t)
	a.wantDry(t, ns, change{do: "create -f -"}, right, accepted)
	refused := a.wantDry(t, ns, change{do: "create -f -"}, wrong, denied)
	if !strings.Contains(refused.err, `containers[0].resources.requests[cpu]: Required value: container "app"`) {
		t.Errorf("the refusal does not say what is missing: %s", refused)
	}
	short, _, _ := strings.Cut(resource, ".")
	table := changes()
	for _, before := range []string{right, wrong} {
		namespace := short + "-right"
		if before == wrong {
			namespace = short + "-wrong"
		}
		a.space(t, namespace, false)
		a.must(t, before, "-n", namespace, "apply", "-f", "-")
		a.guard(t, namespace)
		for _, name := range []string{"apply-nothing", "apply-label", "apply-image", "apply-without-request", "apply-with-request",
			"apply-without-target", "annotate-max", "annotate-max-zero", "annotate-nothing-left", "annotate-other", "label", "scale"} {
			c, want := table[name], table[name].right
			if before == wrong {
				want = c.wrong
			}
			c.do = strings.Replace(c.do, "deployment web", resource+" web", 1)
			a.wantDry(t, namespace, c, before, want)
		}
	}
}

// wantDry makes a change in a dry run. A change that has a text makes it of the manifest.
func (a *admission) wantDry(t *testing.T, namespace string, c change, manifest, want string) said {
	t.Helper()
	if c.text != nil {
		manifest = c.text(manifest)
	}
	s := a.kubectl(t, manifest, slices.Concat([]string{"-n", namespace}, strings.Fields(c.do), []string{"--dry-run=server"})...)
	if s.verdict() != want {
		t.Errorf("%s: a dry run of %s is %s, want %s: %s", namespace, c.do, s.verdict(), want, s)
	}
	return s
}
