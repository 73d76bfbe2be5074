package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
	"github.com/mini-hpa/mini-hpa/test/rig"
)

// unguarded is the namespace where a manifest of the corpus is stored without a webhook.
func (m *manifest) unguarded() string { return m.name + "-stored" }

// event is the reason of the Warning that the controller tells of a Deployment; "" for one with nothing to tell.
func (m *manifest) event(lint linted) string {
	switch {
	case !strings.Contains(fmt.Sprint(m.deployment.GetAnnotations()), "mini-hpa/"):
		return "" // annotations on the template only: the controller does not look at it
	case m.verdict == warned && len(lint.problems) == 0:
		return "AnnotationWarning"
	case m.verdict == accepted:
		return ""
	}
	for _, p := range lint.problems { // those of annotations come first, then those of the template, then other autoscalers
		if strings.HasPrefix(p, "metadata.annotations[") {
			return "InvalidAnnotations"
		}
	}
	if slices.ContainsFunc(lint.problems, func(p string) bool { return strings.HasPrefix(p, "spec.") }) {
		return "MissingRequest"
	}
	return "ConflictingAutoscaler"
}

// told are the Warnings about what was written: the reasons that admission has too.
func (a *admission) told(ctx context.Context, t *testing.T) map[string][]string {
	t.Helper()
	list, err := a.client.CoreV1().Events("").List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, e := range list.Items {
		isAbout := slices.Contains([]string{"InvalidAnnotations", "MissingRequest", "ConflictingAutoscaler", "AnnotationWarning"}, e.Reason)
		if isAbout && e.Source.Component == "mini-hpa" {
			found[e.Namespace] = append(found[e.Namespace], fmt.Sprintf("%d %s %s", e.Count, e.Reason, e.Message))
		}
	}
	return found
}

// controllerAgrees stores the corpus where no webhook is asked, and lets the controller look at it: it refuses what admission
// denies, tells why in one Event, and scales everything else.
func (a *admission) controllerAgrees(t *testing.T) {
	want := map[string]string{}
	for _, m := range a.manifests {
		ns := a.space(t, m.unguarded(), false)
		a.load.SetLoad(ns, "web", loadsim.Constant(10_000)) // more than there may be replicas for
		a.store(t, ns, append(slices.Clone(m.companions), m.deployment)...)
		if reason := m.event(m.lint(t)); reason != "" {
			want[ns] = reason
		}
	}
	a.controls(t)
	eventually(t, "an Event for each that is wrong or doubtful", func(ctx context.Context) (bool, string) {
		told := a.told(ctx, t)
		var missing []string
		for ns, reason := range want {
			if !strings.Contains(strings.Join(told[ns], "\n"), " "+reason+" ") {
				missing = append(missing, fmt.Sprintf("%s in %s, where there is %q", reason, ns, told[ns]))
			}
		}
		return len(missing) == 0, fmt.Sprintf("%d of %d are missing: %.1000q", len(missing), len(want), missing)
	})
	last := a.deploy(t, a.space(t, "last-of-all", false), "last", 1, loadFor(5), map[string]string{"target-cpu": "50", "max": "10"})
	last.await(5) // hence all others were looked at
	a.samples(t, 2)
	a.compareEvents(t)
	a.compareWrites(t)
}

// compareEvents wants one Event that holds all problems, or one that holds all warnings, or none.
func (a *admission) compareEvents(t *testing.T) {
	told, count := a.told(t.Context(), t), map[string]int{}
	for _, m := range a.manifests {
		lint := m.lint(t)
		reason, events := m.event(lint), told[m.unguarded()]
		count[reason]++
		var others []string
		for _, e := range events {
			if strings.HasPrefix(e, "1 "+reason+" ") {
				m.wantTold(t, e, lint)
			} else if !(len(lint.problems) > 0 && len(lint.warnings) > 0 && strings.HasPrefix(e, "1 AnnotationWarning ")) {
				others = append(others, e)
			}
		}
		if len(others) > 0 || reason == "" && len(events) > 0 {
			t.Errorf("%s: Events %q, want one of reason %q", m.name, events, reason)
		}
	}
	t.Logf("%d manifests by the Event that the controller told: %v", len(a.manifests), count)
}

// wantTold looks for each finding in an Event's message; a long message names at least their fields.
func (m *manifest) wantTold(t *testing.T, event string, lint linted) {
	t.Helper()
	event = inValue.ReplaceAllString(event, "")
	findings := lint.problems
	if len(findings) == 0 {
		findings = lint.warnings
	}
	const most = 24 // of more, the Event counts the rest
	if rest := len(findings) - most; rest > 0 {
		findings = findings[:most]
		if !strings.Contains(event, fmt.Sprintf("and %d more", rest)) {
			t.Errorf("%s: the Event %q does not count the rest", m.name, event)
		}
	}
	const some = 8 // of more, what they have in common is left out
	if len(findings) > some {
		findings = slices.Clone(findings)
		for i := range findings {
			findings[i] = strings.TrimPrefix(findings[i], "metadata.annotations")
		}
	}
	const fits = 900 // of what an Event holds; of more, each finding has its share
	cut := len(strings.Join(findings, "; ")) > fits
	for _, finding := range findings {
		if cut {
			finding = finding[:min(len(finding), fits/len(findings)-20)]
		}
		if !strings.Contains(event, finding) {
			t.Errorf("%s: the Event %q does not say %q", m.name, event, finding)
		}
	}
}

// compareWrites looks at the API server's audit log: what has a problem was never scaled, also where admission stores it.
func (a *admission) compareWrites(t *testing.T) {
	scaled, count := a.scaled(t), map[string]int{}
	for _, m := range a.manifests {
		if n := scaled[m.unguarded()]; n > 0 {
			count[m.verdict]++
			if problems := m.lint(t).problems; len(problems) > 0 {
				t.Errorf("%s was scaled %d times in spite of %q", m.name, n, problems)
			}
		}
	}
	t.Logf("scaled by the controller: %v", count)
	if count[denied] > 0 || count[accepted] == 0 || count[warned] == 0 {
		t.Error("want some of the accepted and of the warned scaled, and none of the denied")
	}
}

// scaled counts the program's writes of the scale, by namespace.
func (a *admission) scaled(t *testing.T) map[string]int {
	t.Helper()
	count := map[string]int{}
	for _, e := range a.audit(t) {
		if e.ObjectRef != nil && e.ObjectRef.Subresource == "scale" && e.Verb == "update" {
			count[e.ObjectRef.Namespace]++
		}
	}
	return count
}

// audit is what the program has asked of the API server, by the API server's own account.
func (a *admission) audit(t *testing.T) []rig.Record {
	t.Helper()
	return slices.DeleteFunc(a.world.audit(t), func(r rig.Record) bool { return r.User.Username != user })
}

// knowsServices: where there are activators, a workload that requests are to wake is held to the Services that there are: when it is made, and when an autoscaled one
// is to be woken from now on.
func (a *admission) knowsServices(t *testing.T) {
	ns := a.space(t, "services", true)
	a.grantActivator(t, home)
	d := a.workload(t, deployments, ns, "web")
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Selector: d.labels(), Ports: []corev1.ServicePort{{Name: "http", Port: 80}}}}
	if _, err := a.client.CoreV1().Services(ns).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	a.listen(t, "controller", "--metrics-resolution", samplePeriod.String(), "--activator", "--activator-namespace", home)
	woken := d.manifest(1, sleepy(ns, map[string]string{"wake": "requests"}))
	eventually(t, "a refusal of what a headless Service is to wake", func(ctx context.Context) (bool, string) { // the API server learns of the webhook in a moment
		said := a.ask(ctx, t, ns, woken)
		return strings.Contains(said.err, `Service "web" is headless`), said.err
	})
	a.setQueue(ns, 300)
	d.record()
	d.create(d.manifest(1, sleepy(ns, nil)), 0)
	d.await(3) // the controller knows it as it is
	_, err := d.objects().Patch(t.Context(), "web", types.MergePatchType, []byte(`{"metadata":{"annotations":{"mini-hpa/wake":"requests"}}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	if err == nil || !strings.Contains(err.Error(), `Service "web" is headless`) {
		t.Errorf("that requests wake it from now on: %v", err)
	}
}
