package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// TestAnnotatingARunningDeploymentScalesIt: nothing but annotations, and taking them away stops it.
func TestAnnotatingARunningDeploymentScalesIt(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 1, loadFor(5), nil)
	c := shared.controller(t, ns)
	shared.awaitLeader(t, ns)
	shared.samples(t, 2) // the pod's usage is known: any sample from now on is usable
	annotated := time.Now()
	d.annotate(map[string]string{"target-cpu": "50", "max": "10"})
	scaled := d.await(5)
	t.Logf("annotated to scaled: %s", scaled.at.Sub(annotated).Round(time.Millisecond))
	event := d.awaitEvent("SuccessfulRescale")
	if !strings.Contains(event, "New size: 5; reason: cpu utilization 2") || !strings.Contains(event, "above target 50% (1 of 1 pods, sample ") {
		t.Errorf("event %q does not tell the numbers", event)
	}

	d.annotate(map[string]string{"target-cpu": "", "max": ""})
	unannotated := time.Now()
	d.setLoad(loadBeyond(10))
	shared.samples(t, 4)
	if got := writes(shared.requests(t, unannotated, ns)); slices.Contains(got, "update deployments/scale") {
		t.Errorf("writes after the annotations were removed: %v", got)
	}
	d.wantHistory(1, 5)
	c.running()
}

// TestNewSamplesAreActedOnAtOnce prints how long after the publication of the sample that shows a load the replicas are
// written, for ten workloads at once.
func TestNewSamplesAreActedOnAtOnce(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	var workloads []*workload
	for i := range 10 {
		workloads = append(workloads, shared.deploy(t, ns, fmt.Sprint("web-", i), 1, loadFor(1), map[string]string{"target-cpu": "50", "max": "10"}))
	}
	shared.controller(t, ns)
	shared.awaitLeader(t, ns)
	shared.samples(t, 10) // the feed has found the rhythm; the next set shows what begins now
	for _, d := range workloads {
		d.setLoad(loadFor(5))
	}
	published := shared.samples(t, 1)
	var delays []time.Duration
	for _, d := range workloads {
		d.await(5)
		last := d.history()[len(d.history())-1]
		delays = append(delays, last.at.Sub(published).Round(time.Millisecond))
	}
	slices.Sort(delays)
	t.Logf("published to scaled: fastest %s, median %s, slowest %s", delays[0], delays[len(delays)/2], delays[len(delays)-1])
}

// awaitLeader returns when a controller of the namespace holds the Lease.
func (w *world) awaitLeader(t *testing.T, namespace string) string {
	t.Helper()
	var holder string
	eventually(t, "a leader", func(ctx context.Context) (bool, string) {
		lease, err := w.client.CoordinationV1().Leases(namespace).Get(ctx, "mini-hpa", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		if lease.Spec.HolderIdentity != nil {
			holder = *lease.Spec.HolderIdentity
		}
		return holder != "", "no holder"
	})
	return holder
}

// TestFromOneToTenAndBack is the main story: out, out again within the policies, settled, in after the window.
func TestFromOneToTenAndBack(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 1, loadFor(1), map[string]string{"target-cpu": "50", "max": "10", "scale-down-stabilization": "12s"})
	shared.controller(t, ns)
	shared.samples(t, 3)
	d.wantHistory(1)
	d.setLoad(loadFor(5))
	d.await(5)
	d.setLoad(loadBeyond(10))
	full := d.await(10)
	shared.samples(t, 4)
	d.setLoad(loadFor(1))
	empty := d.await(1)
	t.Logf("full after %s, load gone, empty %s later", full.at.Sub(d.history()[0].at).Round(time.Second), empty.at.Sub(full.at).Round(time.Second))
	d.wantTurns(1, 10, 1)
	if history := d.history(); history[1].replicas > 5 {
		t.Errorf("replicas went %v, want at most 5 first, by the policies", history)
	}
	output, err := exec.Command(shared.cluster.Kubectl(), "--kubeconfig", shared.cluster.Kubeconfig(), "-n", ns, "describe", "deployment", "web").CombinedOutput()
	if err != nil || !strings.Contains(string(output), "SuccessfulRescale") || !strings.Contains(string(output), "mini-hpa ") {
		t.Errorf("kubectl describe does not show the scaling history (%v):\n%s", err, output)
	}
}

// TestAWrongValueIsToldOnce: one Warning with key, value and what is allowed, and no write until it changes.
func TestAWrongValueIsToldOnce(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 1, loadFor(5), map[string]string{"target-cpu": "fifty", "max": "10"})
	shared.controller(t, ns)
	event := d.awaitEvent("InvalidAnnotations")
	for _, part := range []string{"1 Warning ", "mini-hpa/target-cpu", `"fifty"`, "percent"} {
		if !strings.Contains(event, part) {
			t.Errorf("event %q does not say %q", event, part)
		}
	}
	shared.samples(t, 4)
	if events := d.events(); len(events) != 1 {
		t.Errorf("Events: %q, want the one", events)
	}
	d.wantHistory(1)
	d.annotate(map[string]string{"target-cpu": "50"})
	d.await(5)
}

// TestModes: observe tells and does not write, paused does neither, replicas 0 pauses.
func TestModes(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	annotations := func(mode string) map[string]string {
		return map[string]string{"target-cpu": "50", "max": "10", "mode": mode}
	}
	observed := shared.deploy(t, ns, "observed", 1, loadFor(5), annotations("observe"))
	paused := shared.deploy(t, ns, "paused", 1, loadFor(5), annotations("paused"))
	stopped := shared.deploy(t, ns, "stopped", 0, loadFor(5), annotations("auto"))
	shared.controller(t, ns)
	observed.awaitEvent("RescaleObserved")
	stopped.awaitEvent("ScalingDisabled")
	shared.samples(t, 3)
	observed.wantHistory(1)
	paused.wantHistory(1)
	stopped.wantHistory(0)
	if events := paused.events(); len(events) > 0 {
		t.Errorf("Events of a paused workload: %q", events)
	}
	paused.annotate(map[string]string{"mode": "auto"})
	paused.await(5)
}

// TestAMissingRequestIsTold: a percentage of nothing cannot be computed, and the Event says what to do.
func TestAMissingRequestIsTold(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 2, 2200, map[string]string{"target-cpu": "50", "max": "10"})
	d.patch(map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
		"containers": []any{map[string]any{"name": "app", "image": "app", "resources": map[string]any{}}}}}}})
	shared.controller(t, ns)
	event := d.awaitEvent("MissingRequest")
	if !strings.Contains(event, `containers[0].resources.requests[cpu]: Required value: container "app"`) || !strings.Contains(event, "set its resources.requests.cpu") {
		t.Errorf("event %q does not say where and what to do", event)
	}
}

// TestSomebodyElsesScaleIsNotOverwritten: the write carries the resourceVersion that was decided on.
func TestSomebodyElsesScaleIsNotOverwritten(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 2, 0, nil)
	seen, err := shared.client.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	byHand := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: ns}, Spec: autoscalingv1.ScaleSpec{Replicas: 3}}
	if _, err := shared.client.AppsV1().Deployments(ns).UpdateScale(t.Context(), "web", byHand, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	scales, err := scaler.NewScales(shared.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	w := annotations.OfDeployment(seen)
	if _, err := scales.Scale(t.Context(), w, 7); !apierrors.IsConflict(err) {
		t.Errorf("writing on an old resourceVersion: %v, want a conflict", err)
	}
	w.Version = ""
	if _, err := scales.Scale(t.Context(), w, 7); !apierrors.IsConflict(err) {
		t.Errorf("writing on replicas that there are no longer: %v, want a conflict", err)
	}
	w.Replicas = 3
	if version, err := scales.Scale(t.Context(), w, 5); err != nil || version == "" {
		t.Errorf("writing on the replicas that there are: version %q, %v", version, err)
	}
	w.UID = "another"
	w.Replicas = 5
	if _, err := scales.Scale(t.Context(), w, 7); !apierrors.IsConflict(err) {
		t.Errorf("writing on another Deployment of that name: %v, want a conflict", err)
	}
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error { // the Deployment controller writes the status meanwhile
		seen, err := shared.client.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		_, err = scales.Scale(t.Context(), annotations.OfDeployment(seen), 4)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d.await(4)
	now, err := shared.client.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range now.ManagedFields {
		if entry.Manager == annotations.FieldManager && entry.Subresource == "scale" && entry.Operation == metav1.ManagedFieldsOperationUpdate {
			return
		}
	}
	t.Errorf("managedFields %+v do not name %q as who scaled", now.ManagedFields, annotations.FieldManager)
}

// TestItScalesThroughConflicts: somebody else keeps writing to the Deployment, so that what the controller has seen of it
// is old again when it writes. It looks again, and gets through.
func TestItScalesThroughConflicts(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 1, loadFor(1), map[string]string{"target-cpu": "50", "max": "10"})
	shared.controller(t, ns)
	shared.awaitLeader(t, ns)
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := 0; i < 5000 && ctx.Err() == nil; i++ {
			body := fmt.Appendf(nil, `{"metadata":{"annotations":{"test/count":"%d"}}}`, i)
			if _, err := shared.client.AppsV1().Deployments(ns).Patch(ctx, "web", types.MergePatchType, body, metav1.PatchOptions{}); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	d.setLoad(loadFor(5))
	d.await(5)
	stop()
	writing.Wait()
	// The first sample may show a part of the load, so there may be two rescales. A conflict is nobody's news.
	d.eventually("one Event for each rescale", func(context.Context) (bool, string) {
		return len(d.events()) == len(d.history())-1, fmt.Sprint(d.events())
	})
}

// TestExplain prints the arithmetic with the user's own kubeconfig.
func TestExplain(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 1, 2200, map[string]string{"target-cpu": "50", "max": "10"})
	explain := func(args ...string) (string, error) {
		out, err := exec.Command(program, append([]string{"explain", "--kubeconfig", shared.cluster.Kubeconfig(), "-n", ns}, args...)...).CombinedOutput()
		return string(out), err
	}
	d.eventually("explain shows the arithmetic", func(context.Context) (bool, string) { // of the whole load, which a first sample need not show
		out, err := explain("deploy/web")
		return err == nil && strings.Contains(out, "usage 2200m / requests 1000m = 220%") && strings.Contains(out, "ceil(4.4 * 1 pods) = 5"), fmt.Sprint(out, err)
	})
	out, err := explain("deploy/web", "-o", "json")
	if err != nil || !strings.Contains(out, `"desired": 5`) {
		t.Errorf("explain -o json (%v):\n%s", err, out)
	}
	if out, err = explain("deploy/nothing"); err == nil || !strings.Contains(out, "nothing") {
		t.Errorf("explain of what does not exist: %v\n%s", err, out)
	}
}
