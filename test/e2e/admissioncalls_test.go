package e2e

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// total adds up the samples of a metric in Prometheus' text format whose labels hold a text.
func total(metrics, name, label string) int {
	sum := 0.0
	lines := bufio.NewScanner(strings.NewReader(metrics))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		labels, value, _ := strings.Cut(lines.Text(), " ")
		if strings.HasPrefix(labels, name+"{") && strings.Contains(labels, label) {
			n, err := strconv.ParseFloat(value, 64)
			if err == nil {
				sum += n
			}
		}
	}
	return int(sum)
}

// counts are what the API server and the webhook say of their calls. Excluded are requests about which nobody is asked because
// of the matchConditions, unclear are those for which the conditions had no result, and failedOpen those that were let through
// because nobody answered.
type counts struct{ sent, answered, excluded, unclear, failedOpen int }

func (a *admission) counts(t *testing.T, c *controller) counts {
	t.Helper()
	raw, err := a.client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own := ""
	if c != nil {
		_, own = get(t, c.address, "/metrics")
	}
	server, name := string(raw), fmt.Sprintf("name=%q", hook)
	return counts{
		sent:       total(server, "apiserver_admission_webhook_request_total", name),
		answered:   total(own, "mini_hpa_webhook_verdicts_total", ""),
		excluded:   total(server, "apiserver_admission_match_condition_exclusions_total", name),
		unclear:    total(server, "apiserver_admission_match_condition_evaluation_errors_total", name),
		failedOpen: total(server, "apiserver_admission_webhook_fail_open_count", name),
	}
}

// calls does what people and controllers do to a Deployment, and counts which of it reaches the webhook. Nothing else happens
// meanwhile.
func (a *admission) calls(t *testing.T, c *controller) {
	ns := a.somewhere(t)
	kubectl := func(args string) func() {
		return func() { a.must(t, "", append([]string{"-n", ns}, strings.Fields(args)...)...) }
	}
	settle := func() { a.settle(t, ns) }
	edit := func(change string, subresources ...string) func() {
		return func() { a.edit(t, ns, change, subresources...) }
	}
	all, asked := a.counts(t, c), 0
	before := all
	for _, step := range []struct {
		what  string
		do    func()
		calls int
	}{
		{"unannotated: created", func() { a.must(t, plain, "-n", ns, "create", "-f", "-") }, 0},
		{"it has no annotation at all", func() { a.wantAnnotations(t, ns, 0) }, 0},
		{"the first annotations, on none", kubectl("annotate deployment web mini-hpa/target-cpu=50 mini-hpa/max=5"), 1},
		{"one changed", kubectl("annotate deployment web mini-hpa/max=6 --overwrite"), 1},
		{"one set to what it is", kubectl("annotate deployment web mini-hpa/max=6 --overwrite"), 0},
		{"a dry run", kubectl("annotate deployment web mini-hpa/max=7 --overwrite --dry-run=server"), 1},
		{"one added", kubectl("annotate deployment web mini-hpa/min=2"), 1},
		{"one of several removed", kubectl("annotate deployment web mini-hpa/min-"), 1},
		{"another annotation", kubectl("annotate deployment web team=a"), 0},
		{"another annotation changed", kubectl("annotate deployment web team=b --overwrite"), 0},
		{"a label", kubectl("label deployment web tier=front"), 0},
		{"resumed, which rolls it out", kubectl("rollout resume deployment web"), 0},
		{"kubectl scale, which its controllers follow", kubectl("scale deployment web --replicas=3"), 0},
		{"spec.replicas in the Deployment", edit(`{"spec":{"replicas":2}}`), 1},
		{"another field of the spec", edit(`{"spec":{"minReadySeconds":1}}`), 0},
		{"the template, which is rolled out", kubectl("set image deployment web app=app:2"), 1},
		{"the template restarted, which is rolled out", kubectl("rollout restart deployment web"), 1},
		{"the status", edit(`{"status":{"conditions":[{"type":"Tested","status":"True"}]}}`, "status"), 0},
		{"the last ones removed", kubectl("annotate deployment web mini-hpa/target-cpu- mini-hpa/max-"), 0},
		{"unannotated: the template", kubectl("set image deployment web app=app:3"), 0},
		{"unannotated: scaled", kubectl("scale deployment web --replicas=1"), 0},
		{"unannotated: replicas", edit(`{"spec":{"replicas":2}}`), 0},
		{"the first annotations, beside others", kubectl("annotate deployment web mini-hpa/target-cpu=50 mini-hpa/max=5"), 1},
		{"only a misspelt one is left", kubectl("annotate deployment web mini-hpa/target-cpus=50"), 1},
		{"on the template only", edit(`{"metadata":{"annotations":{"mini-hpa/target-cpus":null,"mini-hpa/target-cpu":null,"mini-hpa/max":null}},
			"spec":{"template":{"metadata":{"annotations":{"mini-hpa/max":"5"}}}}}`), 1},
		{"no longer there either", edit(`{"spec":{"template":{"metadata":{"annotations":null}}}}`), 0},
		{"annotated once more", kubectl("annotate deployment web mini-hpa/target-cpu=50 mini-hpa/max=5"), 1},
		{"a finalizer", edit(`{"metadata":{"finalizers":["test.example.com/hold"]}}`), 0},
		{"deleted, held by the finalizer", kubectl("delete deployment web --wait=false"), 0},
		{"terminating: an annotation", kubectl("annotate deployment web mini-hpa/max=0 --overwrite"), 0},
		{"terminating: the finalizer removed", edit(`{"metadata":{"finalizers":null}}`), 0},
		{"gone", kubectl("wait --for=delete deployment/web"), 0},
		{"created with annotations", func() { a.must(t, annotated(plain), "-n", ns, "create", "-f", "-") }, 1},
		{"replaced by the same", func() { a.must(t, annotated(plain), "-n", ns, "replace", "-f", "-") }, 0},
		{"deleted", kubectl("delete deployment web"), 0},
	} {
		step.do()
		settle() // else the API server would admit the next patch twice, when the Deployment controller writes meanwhile
		after := a.counts(t, c)
		if sent, answered := after.sent-before.sent, after.answered-before.answered; sent != step.calls || answered != step.calls {
			t.Errorf("%s: %d sent and %d answered, want %d", step.what, sent, answered, step.calls)
		}
		before, asked = after, asked+step.calls
	}
	t.Logf("%d calls, and %d requests that the conditions kept from the webhook", asked, before.excluded-all.excluded)
	if before.excluded == all.excluded {
		t.Error("no request was kept from the webhook: are the API server's metrics read rightly?")
	}
}

// plain is a Deployment without annotations: while it is paused, the Deployment controller does not number its revision.
const plain = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  paused: true
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: app
        image: app:1
        resources: {requests: {cpu: 100m}}
`

// annotated adds sound annotations to a manifest.
func annotated(manifest string) string {
	return strings.Replace(manifest, "  name: web\n", "  name: web\n  annotations: {mini-hpa/target-cpu: \"50\", mini-hpa/max: \"10\"}\n", 1)
}

func (a *admission) wantAnnotations(t *testing.T, namespace string, n int) {
	t.Helper()
	if d := a.deployment(t, namespace); len(d.Annotations) != n {
		t.Errorf("annotations %v, want %d", d.Annotations, n)
	}
}

func (a *admission) deployment(t *testing.T, namespace string) *appsv1.Deployment {
	t.Helper()
	d, err := a.client.AppsV1().Deployments(namespace).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// settle returns when the Deployment controller has done what there is to do, or there is no Deployment.
func (a *admission) settle(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "the Deployment controller has nothing to do", func(ctx context.Context) (bool, string) {
		d, err := a.client.AppsV1().Deployments(namespace).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return apierrors.IsNotFound(err), err.Error()
		}
		s := d.Status
		isDone := d.Spec.Paused || s.UpdatedReplicas == *d.Spec.Replicas && s.Replicas == s.UpdatedReplicas && s.AvailableReplicas == s.Replicas
		return s.ObservedGeneration >= d.Generation && isDone || d.DeletionTimestamp != nil, fmt.Sprintf("%+v", s)
	})
}

// edit is a merge patch of the Deployment.
func (a *admission) edit(t *testing.T, namespace, change string, subresources ...string) {
	t.Helper()
	_, err := a.client.AppsV1().Deployments(namespace).Patch(t.Context(), "web", types.MergePatchType, []byte(change), metav1.PatchOptions{}, subresources...)
	if err != nil {
		t.Errorf("%s: %v", change, err)
	}
}

// celCost: matchConditions whose cost is over the API server's budget are as good as none, since failurePolicy Ignore then lets
// everything through. The most annotations that an object can have must not be over it.
func (a *admission) celCost(t *testing.T, c *controller) {
	ns := a.somewhere(t)
	many := object(t, plain)
	others := map[string]string{}
	for i := range 5000 {
		others[fmt.Sprintf("example.com/annotation-%05d", i)] = "some value of ours"
	}
	many.SetAnnotations(others)
	before := a.counts(t, c)
	if answer := a.ask(t.Context(), t, ns, many); answer.verdict() != accepted {
		t.Errorf("unannotated: %s", answer.verdict())
	}
	if after := a.counts(t, c); after.sent != before.sent {
		t.Error("the webhook was asked although none of the annotations is mini-hpa's")
	}
	others["mini-hpa/max"] = "0"
	many.SetAnnotations(others)
	if answer := a.ask(t.Context(), t, ns, many); answer.verdict() != denied {
		t.Errorf("created: %s, want it denied", answer.verdict())
	}
	delete(others, "mini-hpa/max")
	many.SetAnnotations(others)
	a.store(t, ns, many)
	a.settle(t, ns)
	said := a.kubectl(t, "", "-n", ns, "annotate", "deployment", "web", "mini-hpa/max=0")
	if said.verdict() != denied {
		t.Errorf("updated: %s, want it denied", said)
	}
	if after := a.counts(t, c); after.unclear > 0 || after.sent-before.sent != 2 {
		t.Errorf("%d calls, and %d evaluations of the conditions failed; want 2 and none", after.sent-before.sent, after.unclear)
	}
}

// neverUnclear: no request has slipped through.
func (a *admission) neverUnclear(t *testing.T, c *controller) {
	t.Helper()
	counts := a.counts(t, c)
	t.Logf("%d requests sent, %d answered, %d kept from the webhook by the conditions", counts.sent, counts.answered, counts.excluded)
	if counts.unclear > 0 || counts.failedOpen > 0 || counts.sent != counts.answered {
		t.Errorf("%+v, want every request that is sent answered, and none without a result of the conditions or let through without an answer", counts)
	}
}
