package scaler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
)

const tick = 15 * time.Second

func TestLoadIsWrittenAndTold(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	c.reconcile(tick).wantWrites(5).
		wantEvents("Normal SuccessfulRescale New size: 5; reason: cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old)")
	c.milliCPU = 500
	c.reconcile(tick).reconcile(tick).wantWrites(5).wantEvents()
}

func TestALimitedRescaleSaysWhatLimitsIt(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 4900
	c.reconcile(tick).wantWrites(5).wantEvents("Normal SuccessfulRescale New size: 5; reason: cpu utilization 490% above target 50% " +
		"(1 of 1 pods, sample 2s old); 5 instead of 10: 4 pods/15s, 100%/15s: no further than 5 now")
}

func TestMoreThanMaxIsToldOnce(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "2"})
	c.milliCPU = 2200
	c.reconcile(tick).reconcile(tick).reconcile(tick).wantWrites(2).wantEvents(
		"Normal SuccessfulRescale New size: 2; reason: cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old); 2 instead of 5: 5 is not within 1..2",
		"Warning ScalingLimited the load asks for more than mini-hpa/max 2: cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old)")
	c.milliCPU = 500
	c.reconcile(tick)
	c.milliCPU = 2200
	c.reconcile(tick).wantEvents("Warning ScalingLimited the load asks for more than mini-hpa/max 2: cpu utilization 220% above target 50% (2 of 2 pods, sample 2s old)")
}

func TestInvalidAnnotationsAreToldOnceAndNothingIsWritten(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "fifty", "max": "10"})
	c.milliCPU = 2200
	c.reconcile(tick).reconcile(tick).wantWrites()
	if n := len(c.events.Events); n != 1 {
		t.Fatalf("%d Events, want 1", n)
	}
	event := <-c.events.Events
	for _, part := range []string{"Warning InvalidAnnotations ", "mini-hpa/target-cpu", `"fifty"`} {
		if !strings.Contains(event, part) {
			t.Errorf("event %q does not name %q", event, part)
		}
	}
	c.annotate(selected())
	c.reconcile(tick).wantWrites(5)
}

func TestUnannotatingStopsAndForgets(t *testing.T) {
	c := newCluster(t, selected())
	c.reconcile(tick)
	if keys := c.scaler.Keys(); len(keys) != 1 {
		t.Fatalf("remembered: %v, want the workload", keys)
	}
	c.annotate(nil)
	c.milliCPU = 2200
	if c.reconcile(tick).wantWrites(); c.lastWait != 0 || len(c.scaler.Keys()) != 0 {
		t.Errorf("next look in %s, remembered %v; want neither", c.lastWait, c.scaler.Keys())
	}
	if series := standings(t, c.scaler.telemetry.board); len(series) != 0 {
		t.Errorf("series of the workload are left: %v", series)
	}
}

func TestADeletedOrTerminatingDeploymentIsForgotten(t *testing.T) {
	c := newCluster(t, selected())
	c.reconcile(tick)
	c.deployment.DeletionTimestamp = &metav1.Time{Time: c.now}
	c.milliCPU = 2200
	if c.reconcile(tick).wantWrites(); len(c.scaler.Keys()) != 0 {
		t.Error("a Deployment that is being deleted is still remembered")
	}
	c.deployment = nil
	if c.reconcile(tick); c.lastFailure != nil {
		t.Errorf("a Deployment that does not exist: %v", c.lastFailure)
	}
}

func TestANewDeploymentUnderAnOldNameStartsAfresh(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 4900
	c.reconcile(time.Second).reconcile(time.Second).wantWrites(5) // the policy's budget is used up
	c.deployment.UID, c.milliCPU = "u2", 2200
	one := int32(1)
	c.deployment.Spec.Replicas = &one
	c.reconcile(tick).wantWrites(5, 5)
}

func TestModeObserveTellsAndDoesNotWrite(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10", "mode": "observe"})
	c.milliCPU = 2200
	c.reconcile(tick).reconcile(tick).wantWrites().wantEvents("Normal RescaleObserved Would set size: 5; reason: " +
		"cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old) (mini-hpa/mode is observe)")
}

func TestModePausedDoesNotDecide(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10", "mode": "paused"})
	c.milliCPU = 2200
	if c.reconcile(tick).wantWrites().wantEvents(); c.lastWait != 0 {
		t.Errorf("next look in %s, want none", c.lastWait)
	}
}

// TestNothingIsSaidWhileSamplesAreFetched: a workload that was annotated just now is decided on when its pods' samples are there.
func TestNothingIsSaidWhileSamplesAreFetched(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU, c.fetching = 2200, true
	c.reconcile(tick).reconcile(time.Hour).wantEvents().wantWrites()
	if c.lastFailure != nil || c.lastWait != soon {
		t.Errorf("looked at again after %v, error %v; want %v", c.lastWait, c.lastFailure, soon)
	}
	c.fetching = false
	c.reconcile(tick).wantWrites(5)
}

func TestZeroReplicasPauses(t *testing.T) {
	c := newCluster(t, selected())
	zero := int32(0)
	c.deployment.Spec.Replicas = &zero
	c.reconcile(tick).reconcile(tick).wantWrites().
		wantEvents(`Normal ScalingDisabled somebody has set the replicas to 0: scaling is disabled until somebody sets them above 0`)
}

func TestAFailingMetricsAPIIsToldAtEachTransition(t *testing.T) {
	c := newCluster(t, selected())
	c.reconcile(tick).wantEvents()
	for range 2 {
		c.samplesErr = errors.New("the metrics API does not answer")
		c.reconcile(tick).reconcile(tick).reconcile(tick).wantEvents("Warning FailedGetResourceMetric the metrics API does not answer")
		c.samplesErr = nil
		c.reconcile(tick).reconcile(tick).reconcile(tick).
			wantEvents("Normal ValidMetricFound metrics are usable again: cpu utilization 50% at target 50% (1 of 1 pods, sample 2s old)")
	}
	c.wantWrites()
}

// TestOneOutageIsToldOnce: a metrics-server that restarts answers 503 at first, then with nothing.
func TestOneOutageIsToldOnce(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "2"})
	c.milliCPU = 2200
	c.reconcile(tick)
	<-c.events.Events // SuccessfulRescale
	<-c.events.Events // ScalingLimited
	for range 3 {
		c.samplesErr = errors.New("503")
		c.reconcile(tick)
		c.samplesErr, c.milliCPU = nil, -1
		c.reconcile(tick)
	}
	c.wantEvents("Warning FailedGetResourceMetric 503")
	c.milliCPU = 2200
	c.reconcile(tick).reconcile(tick).reconcile(tick).wantEvents("Normal ValidMetricFound metrics are usable again: cpu utilization 220% above target 50% (2 of 2 pods, sample 2s old)")
}

func TestManyProblemsAreAllNamed(t *testing.T) {
	pairs := map[string]string{}
	for _, key := range annotations.Rows() {
		pairs[strings.TrimPrefix(key.Name, annotations.Prefix)] = "no!"
	}
	c := newCluster(t, pairs)
	c.reconcile(tick)
	event := <-c.events.Events
	for _, key := range annotations.Rows() {
		if !strings.Contains(event, "["+key.Name+"]") {
			t.Errorf("%s is not named in %q", key.Name, event)
		}
	}
	if len(event) > maxMessage+len("Warning InvalidAnnotations ") {
		t.Errorf("the message is %d bytes long", len(event))
	}
}

// TestAnInjectedSidecarIsToldOnce: the workload scales on what the other containers use.
func TestAnInjectedSidecarIsToldOnce(t *testing.T) {
	c := newCluster(t, selected())
	c.injected = true
	told := "Warning MissingRequest container proxy has no cpu request and is left out of the cpu utilization; " +
		"set the request, or name the container to measure with mini-hpa/container"
	c.reconcile(time.Minute).reconcile(time.Minute).wantEvents(told)
	c.injected = false
	c.reconcile(time.Minute).wantEvents()
	c.injected = true
	c.reconcile(time.Minute).wantEvents(told).wantWrites()
}

func TestPodsThatHaveJustStartedAreNoFailure(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU, c.podAge = -1, 20*time.Second
	c.reconcile(tick).wantEvents()
	c.podAge = 2 * time.Minute
	c.reconcile(tick).reconcile(tick).reconcile(tick).wantEvents("Warning FailedGetResourceMetric no usable cpu sample of any pod: " +
		"1 pods: 0 ready, 0 unready, 1 without a current sample, 0 ignored")
}

var deployments = schema.GroupResource{Group: "apps", Resource: "deployments"}

func TestAConflictLooksAgainInSilence(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	c.scaleErr = apierrors.NewConflict(deployments, "web", errors.New("changed"))
	if c.reconcile(time.Second).wantEvents().wantWrites(); !apierrors.IsConflict(c.lastFailure) {
		t.Errorf("error %v, want the conflict: the queue looks again at once for it", c.lastFailure)
	}
	c.scaleErr, c.deployment.ResourceVersion = nil, "2"
	c.reconcile(tick).wantWrites(5) // the failed write has not used up the policy's budget
}

// TestALateWatch shows the Deployment for a while as it was before a write. Nothing is decided on that: the second write would
// be a conflict, then be taken for one that was carried out, told again, and counted in the policies' budget.
func TestALateWatch(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "100", "scale-up-policies": "4 pods/60s"})
	c.milliCPU, c.late = 1500, true
	const told = "Normal SuccessfulRescale New size: 3; reason: cpu utilization 150% above target 50% (1 of 1 pods, sample 2s old)"
	c.reconcile(time.Second).wantWrites(3).wantEvents(told)
	if c.reconcile(time.Second).wantWrites(3).wantEvents(); c.lastFailure != nil {
		t.Errorf("error %v, want none", c.lastFailure)
	}
	c.deployment, c.late = c.stored, false
	c.milliCPU = 2200
	c.reconcile(time.Second).wantWrites(3, 5) // two of the four pods of the minute are left
}

// TestAVersionThatNeverComes: a restored etcd may have the version that was replaced for its newest.
func TestAVersionThatNeverComes(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU, c.late = 2200, true
	c.reconcile(time.Second).wantWrites(5)
	if c.reconcile(time.Minute); c.lastWait <= 0 || c.lastWait > time.Minute {
		t.Errorf("it looks again after %s, want a wait of less than a minute", c.lastWait)
	}
	c.replaced = ""
	c.reconcile(time.Second).wantWrites(5, 5)
}

func TestARefusedWriteIsToldOnceAndRetried(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	const told = "Warning FailedRescale New size: 5; reason: cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old); " +
		`error: "deployments.apps \"web\" is forbidden: no"`
	c.scaleErr = apierrors.NewForbidden(deployments, "web", errors.New("no"))
	if c.reconcile(time.Second).reconcile(time.Second); c.lastFailure == nil {
		t.Error("a refused write returns no error, so nothing retries it")
	}
	c.wantEvents(told)
	c.milliCPU = 500 // nothing to write any more
	c.reconcile(time.Hour)
	c.milliCPU = 2200
	c.reconcile(tick).wantEvents(told)
}

// TestAWriteWhoseAnswerIsLost is found out from the next version of the Deployment that is seen.
func TestAWriteWhoseAnswerIsLost(t *testing.T) {
	for name, carriedOut := range map[string]bool{"carried out": true, "not carried out": false} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, map[string]string{"target-cpu": "50", "max": "100", "scale-up-policies": "4 pods/60s"})
			c.milliCPU, c.scaleErr = 2200, context.DeadlineExceeded
			c.reconcile(time.Second)
			<-c.events.Events // FailedRescale
			c.scaleErr, c.deployment.ResourceVersion = nil, "2"
			if !carriedOut {
				c.reconcile(tick).wantWrites(5)
				return
			}
			five := int32(5)
			c.deployment.Spec.Replicas = &five
			c.deployment.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: annotations.FieldManager, Subresource: "scale"}}
			c.reconcile(tick).wantWrites().
				wantEvents("Normal SuccessfulRescale New size: 5; reason: cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old)")
			c.now = noon.Add(time.Minute)
			c.reconcile(tick).wantWrites(9)
		})
	}
}

func TestARestartInAScaleOutHoldsForThePolicysPeriod(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10", "scale-up-policies": "1 pod/15s"})
	c.milliCPU, c.created = 2200, noon.Add(-5*time.Second)
	c.deployment.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: annotations.FieldManager, Subresource: "scale"}}
	c.reconcile(0).wantWrites()
	if want := 11 * time.Second; c.lastWait != want {
		t.Fatalf("next look in %s, want %s: 15 s after the end of the second in which the pod was created", c.lastWait, want)
	}
	c.now = c.now.Add(c.lastWait)
	c.reconcile(tick).wantWrites(2)
}

func TestADeploymentThatSomebodyElseScaledIsNotHeld(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10", "scale-up-policies": "1 pod/15s"})
	c.milliCPU, c.created = 2200, noon.Add(-5*time.Second)
	c.deployment.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", Subresource: "scale"}}
	c.reconcile(tick).wantWrites(2)
}

// TestAWriteThatHasBegunIsFinished: the first write is under way when the controller is told to stop.
func TestAWriteThatHasBegunIsFinished(t *testing.T) {
	c := newCluster(t, selected())
	ctx, cancel := context.WithCancel(t.Context())
	c.milliCPU, c.scaling = 2200, cancel
	if _, err := c.scaler.Reconcile(ctx, web); err != nil {
		t.Fatal(err)
	}
	c.wantWrites(5)
	c.now = c.now.Add(time.Minute)
	if _, err := c.scaler.Reconcile(ctx, web); err != nil {
		t.Fatal(err)
	}
	c.wantWrites(5) // none is begun any more
}

func TestNextLookIsAtTheLatestAfterTheSyncPeriod(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10", "sync-period": "30s"})
	c.reconcile(0)
	if c.lastWait < 30*time.Second || c.lastWait > 33*time.Second {
		t.Errorf("next look in %s, want 30 s and the key's share of 3 s", c.lastWait)
	}
}

func TestAnnotationsOnThePodTemplateAreTold(t *testing.T) {
	c := newCluster(t, selected())
	c.deployment.Spec.Template.Annotations = map[string]string{"mini-hpa/max": "3"}
	c.reconcile(tick).reconcile(tick).wantEvents("Warning AnnotationWarning spec.template.metadata.annotations: " +
		"mini-hpa/ annotations have no effect on the pod template; set them on the Deployment itself")
}

func TestForgetDropsEverything(t *testing.T) {
	c := newCluster(t, selected())
	c.reconcile(tick)
	if c.scaler.Forget(); len(c.scaler.Keys()) != 0 || testutil.CollectAndCount(c.scaler.telemetry.board) != 1 {
		t.Error("something is remembered")
	}
}

func TestTelemetryCountsAsTheHPADoes(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	c.reconcile(tick).reconcile(tick)
	c.annotate(map[string]string{"max": "no"})
	c.reconcile(tick)
	want := `
# HELP mini_hpa_desired_replicas Replicas that the last decision asked for.
# TYPE mini_hpa_desired_replicas gauge
mini_hpa_desired_replicas{hpa_name="web",kind="Deployment",namespace="default"} 10
# HELP mini_hpa_metric_computation_total Number of metric computations. 'action' is scale_up, scale_down or none; 'error' is spec (the annotations, the pod template or another autoscaler), internal or none.
# TYPE mini_hpa_metric_computation_total counter
mini_hpa_metric_computation_total{action="scale_up",error="none",metric_type="Resource"} 2
# HELP mini_hpa_num_horizontal_pod_autoscalers Number of autoscaled workloads; 0 in a standby.
# TYPE mini_hpa_num_horizontal_pod_autoscalers gauge
mini_hpa_num_horizontal_pod_autoscalers 1
# HELP mini_hpa_reconciliations_total Number of reconciliations. 'action' is scale_up, scale_down or none; 'error' is spec (the annotations, the pod template or another autoscaler), internal or none.
# TYPE mini_hpa_reconciliations_total counter
mini_hpa_reconciliations_total{action="none",error="spec"} 1
mini_hpa_reconciliations_total{action="scale_up",error="none"} 2
`
	if err := testutil.GatherAndCompare(c.registry, strings.NewReader(want), "mini_hpa_desired_replicas", "mini_hpa_metric_computation_total",
		"mini_hpa_num_horizontal_pod_autoscalers", "mini_hpa_reconciliations_total"); err != nil {
		t.Error(err)
	}
}

// TestWhoMayNotWriteTellsNothing: what there is to tell is another process's to tell. A write of which nobody knows what became of it
// is told if it turns out to have been carried out, and nobody else has led since.
func TestWhoMayNotWriteTellsNothing(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	c.scaleErr = fmt.Errorf("%w: %w", ErrNotLeading, context.DeadlineExceeded)
	c.reconcile(tick).wantWrites().wantEvents()
	if !errors.Is(c.lastFailure, ErrNotLeading) {
		t.Errorf("error %v, want %v", c.lastFailure, ErrNotLeading)
	}
	if series := standings(t, c.scaler.telemetry.board); len(series) > 0 {
		t.Errorf("shown: %v", series)
	}
	c.scaleErr = nil
	if _, err := c.Scale(t.Context(), c.Workload(web), 5); err != nil {
		t.Fatal(err)
	}
	c.milliCPU = 500
	c.reconcile(tick)
	if told := len(c.events.Events); told != 1 {
		t.Errorf("%d Events, want the one of the write that was carried out", told)
	}
}

// TestWhatWasNotSentIsNotCarriedOut: the same number by whoever leads is that one's to tell.
func TestWhatWasNotSentIsNotCarriedOut(t *testing.T) {
	for name, story := range map[string]struct {
		err  error
		told bool
	}{
		"not sent": {ErrNotSent, false},
		"sent":     {fmt.Errorf("%w: %w", ErrNotLeading, context.DeadlineExceeded), true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, selected())
			c.milliCPU = 2200
			c.scaleErr = story.err
			c.reconcile(time.Second).wantWrites().wantEvents()
			if !errors.Is(c.lastFailure, ErrNotLeading) {
				t.Errorf("error %v, want %v", c.lastFailure, ErrNotLeading)
			}
			c.overwrite(annotations.FieldManager, "scale", 5)
			c.milliCPU = 500
			c.reconcile(time.Second)
			if told := c.told(); (len(told) > 0) != story.told {
				t.Errorf("told %q", told)
			}
		})
	}
}

func TestSharesSpreadAFleet(t *testing.T) {
	var low, high int
	for i := range 1000 {
		if share(annotations.DeploymentKey("default", "web-"+strings.Repeat("x", i%50)+string(rune('a'+i%26)))) < 0.5 {
			low++
		} else {
			high++
		}
	}
	if low < 200 || high < 200 {
		t.Errorf("%d keys below the middle, %d above; want both halves used", low, high)
	}
}

// TestWhatAdmissionWouldRefuseIsNotScaled: what was stored before there was a webhook, or while it was away.
func TestWhatAdmissionWouldRefuseIsNotScaled(t *testing.T) {
	hpa := annotations.Surroundings{Autoscalers: []annotations.Autoscaler{{Kind: "HorizontalPodAutoscaler", Name: "web"}}}
	tests := map[string]struct {
		change func(c *cluster)
		undo   func(c *cluster)
		reason string
	}{
		"a request is missing": {func(c *cluster) {
			c.deployment.Spec.Template.Spec.Containers[0].Resources = corev1.ResourceRequirements{}
		},
			func(c *cluster) { c.deployment.Spec.Template.Spec.Containers[0] = app() }, EventMissingRequest},
		"a request of zero": {func(c *cluster) {
			c.deployment.Spec.Template.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("0")
		}, func(c *cluster) { c.deployment.Spec.Template.Spec.Containers[0] = app() }, EventMissingRequest},
		"another autoscaler": {func(c *cluster) { c.surroundings = hpa },
			func(c *cluster) { c.surroundings = annotations.Surroundings{} }, EventConflictingAutoscaler},
		"a bad value comes first": {func(c *cluster) {
			c.surroundings = hpa
			c.annotate(map[string]string{"target-cpu": "50", "max": "none"})
		},
			func(c *cluster) { c.surroundings = annotations.Surroundings{}; c.annotate(selected()) }, EventInvalidAnnotations},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, selected())
			c.milliCPU = 2200
			tc.change(c)
			c.reconcile(tick).reconcile(tick).reconcile(tick).wantWrites()
			if event := <-c.events.Events; !strings.HasPrefix(event, "Warning "+tc.reason+" ") {
				t.Errorf("event %q, want reason %s", event, tc.reason)
			}
			c.wantEvents()
			tc.undo(c)
			c.reconcile(tick).wantWrites(5)
		})
	}
}

// TestObserveGoesOnBesideAnotherAutoscaler: that is how two are compared.
func TestObserveGoesOnBesideAnotherAutoscaler(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10", "mode": "observe"})
	c.surroundings.Autoscalers = []annotations.Autoscaler{{Kind: "ScaledObject", Name: "web"}}
	c.milliCPU = 2200
	c.reconcile(tick).wantWrites().wantEvents(
		`Warning AnnotationWarning metadata.annotations: ScaledObject "web" already scales this Deployment; delete it before you set mini-hpa/mode to "auto"`,
		"Normal RescaleObserved Would set size: 5; reason: cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old) (mini-hpa/mode is observe)")
}

// TestOfVeryManyProblemsTheRestIsCounted in one Event.
func TestOfVeryManyProblemsTheRestIsCounted(t *testing.T) {
	c := newCluster(t, selected())
	for i := range 300 {
		c.deployment.Spec.Template.Spec.Containers = append(c.deployment.Spec.Template.Spec.Containers, corev1.Container{Name: fmt.Sprint("c", i)})
	}
	c.reconcile(tick).reconcile(tick).wantWrites()
	event := <-c.events.Events
	if !strings.HasPrefix(event, "Warning MissingRequest spec.template.spec.containers[1].res") || !strings.HasSuffix(event, "; and 76 more") || len(event) > 1100 {
		t.Errorf("event %q", event)
	}
	c.wantEvents()
}
