package scaler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// shown are the series of the workload whose names begin with one of these.
func (c *cluster) shown(names ...string) []string {
	c.t.Helper()
	return slices.DeleteFunc(standings(c.t, c.scaler.telemetry.board), func(series string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(series, name) })
	})
}

// TestWhatIsMeasuredIsShownBesideItsTarget: in its unit, under the names of kube-state-metrics.
func TestWhatIsMeasuredIsShownBesideItsTarget(t *testing.T) {
	external := func(name, target string) string {
		return "- {type: External, external: {metric: {name: " + name + "}, target: {" + target + "}}}\n"
	}
	for name, story := range map[string]struct {
		pairs map[string]string
		want  []string
	}{
		"a percentage": {map[string]string{"target-cpu": "70", "max": "10"},
			[]string{"metric_target Resource/cpu//utilization = 70", "metric_value Resource/cpu//utilization = 50"}},
		"an amount": {map[string]string{"target-cpu": "250m", "max": "10"},
			[]string{"metric_target Resource/cpu//average = 0.25", "metric_value Resource/cpu//average = 0.5"}},
		"of one container": {map[string]string{"target-cpu": "70", "container": "app", "max": "10"},
			[]string{"metric_target ContainerResource/cpu/app/utilization = 70", "metric_value ContainerResource/cpu/app/utilization = 50"}},
		"memory, which has no sample": {map[string]string{"target-memory": "1Gi", "max": "10"},
			[]string{"metric_target Resource/memory//average = 1.073741824e+09"}},
		"a total": {map[string]string{"metrics": external("backlog", "type: Value, value: 100"), "max": "10"},
			[]string{"metric_target External/backlog//value = 100", "metric_value External/backlog//value = 40"}},
		"a total for each pod": {map[string]string{"metrics": external("backlog", "type: AverageValue, averageValue: 100"), "max": "10"},
			[]string{"metric_target External/backlog//average = 100", "metric_value External/backlog//average = 40"}},
		"one that is called as another, and one of another type": {map[string]string{"target-cpu": "1000m", "max": "10",
			"metrics": external("cpu", "type: AverageValue, averageValue: 5") + external("backlog", "type: Value, value: 7") + external("backlog", "type: Value, value: 9")},
			[]string{"metric_target External/backlog//value = 7", "metric_target External/cpu//average = 5", "metric_target Resource/cpu//average = 1",
				"metric_value External/backlog//value = 40", "metric_value External/cpu//average = 3", "metric_value Resource/cpu//average = 0.5"}},
		"paused":  {map[string]string{"target-cpu": "70", "max": "10", "mode": "paused"}, []string{"metric_target Resource/cpu//utilization = 70"}},
		"invalid": {map[string]string{"target-cpu": "70", "max": "no"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, story.pairs)
			c.answers, c.answered = map[string]any{"backlog": int64(40), "cpu": int64(3)}, c.now
			c.reconcile(tick)
			if diff := cmp.Diff(story.want, c.shown("metric_"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

// TestASleeperShowsWhatWouldWakeIt, and of what cannot be measured without pods only the target.
func TestASleeperShowsWhatWouldWakeIt(t *testing.T) {
	c := newCluster(t, map[string]string{"min": "0", "max": "10", "target-cpu": "50",
		"metrics": "- {type: External, external: {metric: {name: backlog}, target: {type: Value, value: 10}}}"})
	c.answers, c.answered = map[string]any{"backlog": int64(0)}, c.now
	c.overwrite(annotations.FieldManager, "scale", 0)
	c.reconcile(tick)
	want := []string{"asleep = 1", "metric_target External/backlog//value = 10", "metric_target Resource/cpu//utilization = 50",
		"metric_value External/backlog//value = 0", "ready_replicas = 0"}
	if diff := cmp.Diff(want, c.shown("asleep", "metric_", "ready", "limited")); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

// TestManyMetricsOfLongNames: who may annotate a workload does not fill up the memory of who scrapes.
func TestManyMetricsOfLongNames(t *testing.T) {
	var all strings.Builder
	for i := range 20 {
		fmt.Fprintf(&all, "- {type: External, external: {metric: {name: %s%d}, target: {type: Value, value: 1}}}\n", strings.Repeat("m", 300), i)
	}
	c := newCluster(t, map[string]string{"metrics": all.String(), "max": "10"})
	c.reconcile(tick)
	got := c.shown("metric_target")
	if len(got) != 1 || len(got[0]) > 300 {
		t.Errorf("%d series, the first of %d bytes; want those that are told apart by 200 bytes of a name", len(got), len(got[0]))
	}
	if got := testutil.CollectAndCount(c.scaler.telemetry.board); got > 20 {
		t.Errorf("%d series in all", got)
	}
}

// TestWhatLimitsAWorkloadIsShown while it does.
func TestWhatLimitsAWorkloadIsShown(t *testing.T) {
	for name, story := range map[string]struct {
		max  string
		play func(c *cluster)
		want []string
	}{
		"nothing":     {"10", func(c *cluster) { c.reconcile(tick) }, nil},
		"the maximum": {"1", func(c *cluster) { c.milliCPU = 2200; c.reconcile(tick) }, []string{"limited max = 1"}},
		"the minimum": {"10", func(c *cluster) {
			c.milliCPU = 0
			for range 25 {
				c.reconcile(tick)
			}
		}, []string{"limited min = 1"}},
		"a policy": {"10", func(c *cluster) { c.milliCPU = 4900; c.reconcile(tick) }, []string{"limited policy = 1"}},
		"a window": {"10", func(c *cluster) {
			c.milliCPU = 2200
			c.reconcile(tick)
			c.milliCPU = 100
			c.reconcile(tick)
		}, []string{"limited stabilization = 1"}},
		"no node": {"5", func(c *cluster) {
			c.milliCPU, c.unscheduled = 2200, "0/3 nodes are available"
			c.reconcile(2 * time.Minute).reconcile(tick)
		}, []string{"limited unschedulable = 1"}},
		"a quota": {"600", func(c *cluster) {
			c.milliCPU, c.running = 20_000, 3
			c.deployment.Spec.Replicas = new(int32(3))
			c.reconcile(tick)
			c.quota("True", "FailedCreate")
			c.reconcile(tick).reconcile(tick)
		}, []string{"limited quota = 1"}},
		"what was, and is over": {"10", func(c *cluster) {
			c.milliCPU = 4900
			c.reconcile(tick)
			c.milliCPU = 500
			c.reconcile(10 * time.Minute).reconcile(tick)
		}, nil},
		"metrics that are not there": {"1", func(c *cluster) {
			c.milliCPU = 2200
			c.reconcile(tick)
			c.samplesErr = errors.New("away")
			c.reconcile(tick)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, map[string]string{"target-cpu": "50", "max": story.max})
			story.play(c)
			if diff := cmp.Diff(story.want, c.shown("limited"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWhoSetsTheReplicasIsCounted by what kind of tool it is, whatever it calls itself; and since when this process has not scaled is shown.
func TestWhoSetsTheReplicasIsCounted(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	if c.reconcile(0); len(c.shown("external_writes", "last_scale")) != 1 {
		t.Errorf("shown: %v", c.shown("external_writes", "last_scale"))
	}
	for i, manager := range []string{"kubectl-client-side-apply", "kubectl", "argocd-controller", "kustomize-controller", "Helm", "kube-controller-manager", "keda", "my-script", ""} {
		c.milliCPU = 500
		c.overwrite(manager, "", int32(i%2+3))
		c.reconcile(0)
	}
	want := []string{"external_writes_total argocd = 1", "external_writes_total flux = 1", "external_writes_total helm = 1", "external_writes_total hpa = 1",
		"external_writes_total keda = 1", "external_writes_total kubectl = 2", "external_writes_total other = 1", "external_writes_total unknown = 1",
		fmt.Sprintf("last_scale_timestamp_seconds = %v", float64(noon.Unix())), "ready_replicas = 3"}
	if diff := cmp.Diff(want, c.shown("external_writes", "last_scale", "ready")); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	c.deployment = nil
	if c.reconcile(tick); testutil.CollectAndCount(c.scaler.telemetry.board) != 1 {
		t.Errorf("what is gone is still shown: %v", standings(t, c.scaler.telemetry.board))
	}
}

// TestReadyPodsAreShownOfWhatIsPaused, too.
func TestReadyPodsAreShownOfWhatIsPaused(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10", "mode": "paused"})
	c.deployment.Spec.Replicas = new(int32(3))
	if c.reconcile(tick); !slices.Contains(c.shown("ready"), "ready_replicas = 3") {
		t.Errorf("shown: %v", c.shown("ready"))
	}
	c.unready = true
	if c.reconcile(tick); !slices.Contains(c.shown("ready"), "ready_replicas = 0") {
		t.Errorf("shown: %v", c.shown("ready"))
	}
}
