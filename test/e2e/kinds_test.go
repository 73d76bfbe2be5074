package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/test/rig"
)

// quick are annotations with which a workload goes out and in within seconds.
func quick() map[string]string {
	return map[string]string{"target-cpu": "50", "max": "10", "scale-down-stabilization": "3s"}
}

// asked are the requests of one user, by the API server's own account, since a moment.
func (w *world) asked(t *testing.T, name string, since time.Time) []rig.Record {
	t.Helper()
	return slices.DeleteFunc(w.audit(t), func(r rig.Record) bool {
		return r.User.Username != name || r.ObjectRef == nil || !r.Received.After(since)
	})
}

// neverForbidden fails the test if a user has asked for what he may not do.
func (w *world) neverForbidden(t *testing.T, name string) {
	t.Helper()
	for _, r := range w.asked(t, name, time.Time{}) {
		if r.Response.Code == http.StatusForbidden {
			t.Errorf("%s %s: %d", r.Verb, r.RequestURI, r.Response.Code)
		}
	}
}

// TestEveryKindIsScaled: one object of each kind, all of the same name in one namespace, each with a load of its own. Each goes out and
// in by its own pods, and tells of it in Events of its own. What was recorded of it decides the same when it is replayed.
func TestEveryKindIsScaled(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	custom := []annotations.Kind{shared.define(t, trains(t, "every.example.com")), shared.define(t, rollouts(t))}
	shared.permit(t, custom...)
	var workloads []*workload
	for _, kind := range append(annotations.Builtin(), custom...) {
		workloads = append(workloads, shared.run(t, kind, ns, "web", 1, loadFor(1), quick()))
	}
	name, traces := ns+"-controller", t.TempDir()
	c := shared.controller(t, ns, named(custom...), "--kubeconfig", shared.userKubeconfig(t, name), "--record", traces)
	shared.awaitLeader(t, ns)
	shared.samples(t, 3)
	size := func(i int) int32 { return int32(i%4 + 2) } // 2 to 5
	for i, d := range workloads {
		d.wantHistory(1)
		d.setLoad(loadFor(size(i)))
	}
	for i, d := range workloads {
		d.await(size(i))
	}
	for _, d := range workloads {
		d.setLoad(loadFor(1))
	}
	for i, d := range workloads {
		d.await(1)
		d.wantTurns(1, size(i), 1)
		d.eventually("an Event of "+d.title()+" for each write", func(context.Context) (bool, string) {
			return d.told("SuccessfulRescale") == len(d.history())-1, fmt.Sprint(d.history(), d.events())
		})
		d.wantTold(!hasTemplate(d.kind))
		if said := d.describe(); !strings.Contains(said, "SuccessfulRescale") || !strings.Contains(said, "mini-hpa ") {
			t.Errorf("kubectl describe of %s does not show the scaling history:\n%s", d.title(), said)
		}
	}
	shared.neverForbidden(t, name)
	c.running()
	c.terminate()
	for _, d := range workloads {
		d.wantReplayed(traces, shared.asked(t, name, time.Time{}))
	}
}

// wantReplayed replays what a controller has recorded of the workload since it was created, and compares the decisions with what was
// written, which the API server's account of the controller's requests counts, and told.
func (d *workload) wantReplayed(dir string, requests []rig.Record) {
	d.t.Helper()
	decided, outcomes := []int32{d.history()[0].replicas}, d.replay(dir)
	for i, o := range outcomes {
		if o.Current == o.Desired || i+1 < len(outcomes) && outcomes[i+1].Current != o.Desired {
			continue // there is nothing to write, or the write has met a conflict: then it is decided anew
		}
		decided = append(decided, o.Desired)
		told := fmt.Sprintf("SuccessfulRescale New size: %d; reason: %s", o.Desired, o.Reason)
		if !slices.ContainsFunc(d.events(), func(line string) bool { return strings.Contains(line, told) }) {
			d.t.Errorf("%s: the replay says %q, the Events %q", d.title(), told, d.events())
		}
	}
	d.wantHistory(decided...)
	written := slices.DeleteFunc(requests, func(r rig.Record) bool {
		return !r.On(d.kind.Resource+"/scale") || r.ObjectRef.APIGroup != d.kind.Group || r.ObjectRef.Name != d.name || !r.Stored()
	})
	if len(written) != len(decided)-1 {
		d.t.Errorf("%s: the replay decides on %v, and there were %d writes", d.title(), decided, len(written))
	}
}

// otherEvents are those that do not tell of a rescale.
func (d *workload) otherEvents() []string {
	return slices.DeleteFunc(d.events(), func(line string) bool { return strings.Contains(line, " SuccessfulRescale ") })
}

// TestTheOuterOfTwoScales: a Deployment's controller copies its annotations to ReplicaSets, and a Rollout's does; another annotated object
// has annotations of its own. The object at the top scales. Where annotations are copied nothing is told, and where somebody has annotated
// the inner object it is told once.
func TestTheOuterOfTwoScales(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	rollout := shared.define(t, rollouts(t))
	shared.permit(t, rollout)
	outer := []*workload{shared.run(t, rollout, ns, "canary", 1, loadFor(1), quick()), shared.run(t, deployments, ns, "web", 1, loadFor(1), quick())}
	sets, err := shared.client.AppsV1().ReplicaSets(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(sets.Items) != len(outer) {
		t.Fatalf("%d ReplicaSets, want one of each workload: %v", len(sets.Items), err)
	}
	var inner []*workload // in the order of the outer ones, by name
	for _, set := range sets.Items {
		if set.Annotations["mini-hpa/max"] != "10" {
			t.Fatalf("the ReplicaSet %s has annotations %v, want those of its owner, or this tests nothing", set.Name, set.Annotations)
		}
		inner = append(inner, shared.workload(t, replicaSets, ns, set.Name))
	}
	c := shared.controller(t, ns, named(rollout))
	shared.awaitLeader(t, ns)
	shared.samples(t, 3)
	scale := func(replicas int32) {
		for _, d := range outer {
			d.setLoad(loadFor(replicas))
		}
		for _, d := range outer {
			d.await(replicas)
		}
	}
	scale(5)
	for _, d := range inner {
		if events := d.events(); len(events) > 0 {
			t.Errorf("Events of %s, which has its owner's annotations: %q", d.title(), events)
		}
		d.annotate(map[string]string{"min": "2"}) // which the Deployment controller leaves, because the Deployment has none
		d.awaitEvent("AnnotationWarning")
	}
	scale(1)
	for _, d := range outer {
		d.wantTurns(1, 5, 1)
		if others := d.otherEvents(); len(others) > 0 {
			t.Errorf("Events of %s: %q, want none of these", d.title(), others)
		}
	}
	for i, d := range inner {
		want := "1 Warning AnnotationWarning the annotations here have no effect: " + strings.ToLower(outer[i].kind.Kind) + " " + ns + "/" + outer[i].name + " controls this object, "
		if events := d.events(); len(events) != 1 || !strings.HasPrefix(events[0], want) {
			t.Errorf("Events of %s, which somebody has annotated: %q, want one that begins %q", d.title(), events, want)
		}
	}
	for _, r := range shared.requests(t, time.Time{}, ns) {
		if r.On("replicasets/scale") {
			t.Errorf("%s %s: %d, want no write to the scale of a ReplicaSet that something controls", r.Verb, r.RequestURI, r.Response.Code)
		}
	}
	c.running()
}

// TestWhatControlsItMayNotBeListed: of an annotated object that a custom resource controls it cannot be known whether that one is to be
// scaled. It is left alone, which is told once; all others are scaled.
func TestWhatControlsItMayNotBeListed(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	kind := shared.define(t, trains(t, "hidden.example.com"))
	shared.entitle(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: ns}, Rules: []rbacv1.PolicyRule{readable(kind)}})
	train := shared.workload(t, kind, ns, "ice")
	made, err := train.objects().Create(t.Context(), train.manifest(1, quick()), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	inner := shared.run(t, statefulSets, ns, "group", 1, loadFor(5), quick())
	inner.patch(map[string]any{"metadata": map[string]any{"ownerReferences": train.owner(kind.Read(made))}})
	web := shared.run(t, deployments, ns, "web", 1, loadFor(1), quick())
	c := shared.controller(t, ns, named(kind))
	shared.awaitLeader(t, ns)
	inner.awaitEvent("AnnotationWarning")
	web.setLoad(loadFor(5))
	web.await(5)
	shared.samples(t, 3)
	const told = "1 Warning AnnotationWarning this object is not scaled, because it cannot be known whether what controls it is scaled in its place: trains.hidden.example.com: its objects cannot be listed"
	if events := inner.events(); len(events) != 1 || events[0] != told {
		t.Errorf("Events %q, want %q", events, told)
	}
	inner.wantHistory(1)
	c.running()
}

// TestADefinitionGoesAndComes: while a CustomResourceDefinition is taken away and installed again, a Deployment goes on, and no other watch
// begins anew. The objects of the kind are forgotten, and those that are made then are found.
func TestADefinitionGoesAndComes(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	definition := trains(t, "gone.example.com")
	lasting := shared.define(t, trains(t, "lasting.example.com"))
	kind := shared.define(t, definition)
	shared.permit(t, kind, lasting)
	web := shared.run(t, deployments, ns, "web", 1, loadFor(1), quick())
	shared.run(t, statefulSets, ns, "db", 1, loadFor(1), quick())
	shared.run(t, lasting, ns, "stays", 1, loadFor(1), quick())
	before := shared.run(t, kind, ns, "before", 1, loadFor(1), quick())
	name := ns + "-controller"
	c := shared.controller(t, ns, named(kind, lasting), "--kubeconfig", shared.userKubeconfig(t, name))
	shared.awaitLeader(t, ns)
	before.setLoad(loadFor(2))
	before.await(2)
	c.awaitWorkloads(4)

	since := time.Now()
	gone := shared.objects.Resource(definitions)
	if err := gone.Delete(t.Context(), definition.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	web.setLoad(loadFor(5))
	web.await(5)
	c.awaitWorkloads(3)
	eventually(t, definition.GetName()+" are not served", func(ctx context.Context) (bool, string) {
		_, err := gone.Get(ctx, definition.GetName(), metav1.GetOptions{})
		return err != nil, "there is one"
	})
	shared.define(t, definition)
	after := shared.run(t, kind, ns, "after", 1, loadFor(2), quick())
	web.setLoad(loadFor(1))
	after.await(2)
	web.await(1)
	c.awaitWorkloads(4)
	for _, r := range shared.asked(t, name, since) {
		if isOfKind := r.ObjectRef.APIGroup == kind.Group || r.ObjectRef.Name == definition.GetName() || strings.Contains(r.RequestURI, definition.GetName()); isOfKind {
			continue
		}
		if r.Verb == "list" && r.ObjectRef.APIGroup != "metrics.k8s.io" {
			t.Errorf("%s %s: %d, want no other watch begun anew", r.Verb, r.RequestURI, r.Response.Code)
		}
	}
	log, err := os.ReadFile(c.logFile)
	if err != nil {
		t.Fatal(err)
	}
	const told = "there is no CustomResourceDefinition of this name"
	if n := strings.Count(string(log), told); n != 1 {
		t.Errorf("the log says %d times %q, want once", n, told)
	}
	if strings.Contains(string(log), "storage is (re)initializing") {
		t.Error("the log tells that the API server has only begun to serve a kind, which it does in a moment")
	}
	c.running()
}

// awaitWorkloads waits until the controller has so many workloads.
func (c *controller) awaitWorkloads(n int) {
	c.t.Helper()
	eventually(c.t, fmt.Sprint(n, " workloads"), func(context.Context) (bool, string) {
		_, body := get(c.t, c.address, "/metrics")
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "mini_hpa_num_horizontal_pod_autoscalers") {
				return strings.HasSuffix(line, fmt.Sprintf(" %d\n", n)), line
			}
		}
		return false, "no such metric"
	})
}

// TestManyOfEachKindAtRest: with 200 workloads of five kinds there is no request for one of them.
func TestManyOfEachKindAtRest(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	custom := []annotations.Kind{shared.define(t, trains(t, "rest.example.com")), shared.define(t, rollouts(t))}
	shared.permit(t, custom...)
	pairs := quick()
	pairs["target-cpu"] = "500m" // of a percentage, a warning says what cannot be known of Trains
	var workloads []*workload
	for i := range 40 {
		for _, kind := range append(annotations.Builtin(), custom...) {
			workloads = append(workloads, shared.begin(t, kind, ns, fmt.Sprintf("web-%02d", i), 1, 500, pairs))
		}
	}
	for _, d := range workloads {
		d.awaitPods(1)
		d.rest()
	}
	name := ns + "-controller"
	c := shared.controller(t, ns, named(custom...), "--kubeconfig", shared.userKubeconfig(t, name))
	shared.awaitLeader(t, ns)
	c.awaitWorkloads(len(workloads))
	shared.samples(t, 5)
	since := time.Now()
	shared.samples(t, int(*idleFor/samplePeriod/5))
	took := time.Since(since).Round(time.Second)
	count := map[string]int{}
	for _, r := range shared.asked(t, name, since) {
		what := strings.TrimSuffix(r.Verb+" "+r.ObjectRef.Resource+"."+r.ObjectRef.APIGroup, ".")
		count[what]++
		isLease := r.On("leases") && (r.Verb == "get" || r.Verb == "update")
		if r.Verb != "watch" && what != "list pods.metrics.k8s.io" && !isLease && !isMissing(r) {
			t.Errorf("%s %s at rest", r.Verb, r.RequestURI)
		}
	}
	t.Logf("in %s with %d workloads: %v", took, len(workloads), count)
	if n := count["list pods.metrics.k8s.io"]; n == 0 || n > 2*int(took/samplePeriod)+3 {
		t.Errorf("%d LISTs of metrics in %s, want one or two for each of %d sample sets", n, took, int(took/samplePeriod))
	}
	events, err := shared.client.CoreV1().Events(ns).List(t.Context(), metav1.ListOptions{FieldSelector: "source=mini-hpa"})
	if err != nil || len(events.Items) > 0 {
		t.Errorf("Events at rest: %v (%v)", events.Items, err)
	}
	shared.neverForbidden(t, name)
}

// isMissing says whether it is a look for a kind that is not installed, which is made again now and then.
func isMissing(r rig.Record) bool { return r.Response.Code == http.StatusNotFound }
