package scaler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// standings are the series of each workload, without the labels of the workload that they all have.
func standings(t *testing.T, b *board) []string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry() // checks what is collected against what is described
	registry.MustRegister(b)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var series []string
	for _, family := range families {
		if family.GetName() == "mini_hpa_num_horizontal_pod_autoscalers" {
			continue // of all workloads together
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range metric.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			if labels["namespace"] != "default" || labels["hpa_name"] != "web" || labels["kind"] != "Deployment" {
				t.Errorf("%s has labels %v, want those of the workload", family.GetName(), labels)
			}
			which := labels["condition"] + labels["mode"] + labels["reason"] + labels["manager_class"]
			if labels["metric_name"] != "" {
				which = strings.Join([]string{labels["metric_type"], labels["metric_name"], labels["metric_container"], labels["metric_target_type"]}, "/")
			}
			series = append(series, strings.TrimSpace(fmt.Sprintf("%s %s", strings.TrimPrefix(family.GetName(), "mini_hpa_"), which))+
				fmt.Sprintf(" = %v", metric.GetGauge().GetValue()+metric.GetCounter().GetValue()))
		}
	}
	slices.Sort(series)
	return series
}

// automatic is the policy of 1 to 10 replicas.
func automatic() annotations.Policy {
	return annotations.Policy{Min: 1, Max: 10, Mode: annotations.ModeAuto}
}

// onCPU is that policy with a target of 50 %, for which grown has a result.
func onCPU() annotations.Policy {
	p, half := automatic(), int32(50)
	p.Metrics = annotations.MetricsOf([]autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
		Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &half}}}})
	return p
}

// grown is a decision to go from 4 to 10 replicas where the metrics ask for 14.
func grown() *recommend.Decision {
	return &recommend.Decision{Current: 4, Desired: 10, Active: recommend.ActiveValidMetric, Able: recommend.AbleReady, Limited: recommend.LimitedTooMany,
		Steps:   []recommend.Step{{Stage: recommend.StageLargest, From: 4, To: 14}, {Stage: recommend.StageBounds, From: 14, To: 10}, {Stage: recommend.StagePolicy, From: 10, To: 10}},
		Metrics: []recommend.MetricResult{{Metric: "cpu", Type: autoscalingv2.ResourceMetricSourceType, Replicas: 14, Ratio: 3.5}}}
}

func TestTheBoardShowsHowAWorkloadStands(t *testing.T) {
	deciding := []string{"condition AbleToScale = 1", "condition ScalingActive = 1", "condition ScalingLimited = 1", "current_replicas = 4",
		"desired_replicas = 10", "limited max = 1", "max_replicas = 10", "min_replicas = 1", "ready_replicas = 0", "recommended_replicas = 14", "workload_mode auto = 1"}
	grew := outcome{key: web, policy: automatic(), decision: grown()}
	tests := map[string]struct {
		outcomes []outcome
		want     []string
	}{
		"the metrics ask for more than is allowed": {[]outcome{grew}, deciding},
		"within the bounds": {
			[]outcome{{key: web, policy: automatic(), decision: &recommend.Decision{Current: 4, Desired: 5, Active: recommend.ActiveValidMetric,
				Able: recommend.AbleReady, Limited: recommend.LimitedNot, Steps: []recommend.Step{{Stage: recommend.StageBounds, From: 5, To: 5}}}}},
			[]string{"condition AbleToScale = 1", "condition ScalingActive = 1", "condition ScalingLimited = 0", "current_replicas = 4",
				"desired_replicas = 5", "max_replicas = 10", "min_replicas = 1", "ready_replicas = 0", "recommended_replicas = 5", "workload_mode auto = 1"},
		},
		"no metric is valid, so nobody knows what is asked for, and what limited it last is still said": {
			[]outcome{grew, {key: web, policy: automatic(), decision: &recommend.Decision{Current: 10, Desired: 10, Active: recommend.ActiveFailedResource, Able: recommend.AbleSucceededGetScale}}},
			[]string{"condition AbleToScale = 1", "condition ScalingActive = 0", "condition ScalingLimited = 1", "current_replicas = 10",
				"desired_replicas = 10", "max_replicas = 10", "min_replicas = 1", "ready_replicas = 0", "workload_mode auto = 1"},
		},
		"replicas out of bounds say nothing of the metrics": {
			[]outcome{{key: web, policy: automatic(), decision: &recommend.Decision{Current: 12, Desired: 10, Able: recommend.AbleSucceededGetScale,
				Steps: []recommend.Step{{Stage: recommend.StageBounds, From: 12, To: 10}}}}},
			[]string{"condition AbleToScale = 1", "current_replicas = 12", "desired_replicas = 10", "max_replicas = 10", "min_replicas = 1", "ready_replicas = 0", "workload_mode auto = 1"},
		},
		"a refused write": {
			[]outcome{{key: web, policy: automatic(), decision: grown(), err: apierrors.NewForbidden(deployments, "web", errors.New("no"))}},
			append([]string{"condition AbleToScale = 0"}, deciding[1:]...),
		},
		"a conflict passes by itself": {
			[]outcome{grew, {key: web, policy: automatic(), decision: grown(), err: fmt.Errorf("scaling: %w", apierrors.NewConflict(deployments, "web", errors.New("changed"))), passing: true}},
			deciding,
		},
		"no replicas": {
			[]outcome{{key: web, policy: automatic(), decision: &recommend.Decision{Active: recommend.ActiveDisabled, Able: recommend.AbleSucceededGetScale}}},
			[]string{"condition AbleToScale = 1", "condition ScalingActive = 0", "current_replicas = 0", "desired_replicas = 0", "max_replicas = 10",
				"min_replicas = 1", "ready_replicas = 0", "workload_mode disabled = 1"},
		},
		"paused": {
			[]outcome{grew, {key: web, policy: annotations.Policy{Min: 1, Max: 10, Mode: annotations.ModePaused}}},
			[]string{"condition ScalingActive = 0", "current_replicas = 4", "desired_replicas = 10", "max_replicas = 10", "min_replicas = 1", "ready_replicas = 0", "workload_mode paused = 1"},
		},
		"invalid annotations have no bounds": {
			[]outcome{grew, {key: web, policy: automatic(), invalid: true}},
			[]string{"condition ScalingActive = 0", "current_replicas = 4", "desired_replicas = 10", "ready_replicas = 0", "workload_mode invalid = 1"},
		},
		"invalid from the start": {
			[]outcome{{key: web, invalid: true}},
			[]string{"condition ScalingActive = 0", "ready_replicas = 0", "workload_mode invalid = 1"},
		},
		"valid again": {[]outcome{{key: web, invalid: true}, grew}, deciding},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBoard()
			for _, o := range test.outcomes {
				b.show(o)
			}
			if diff := cmp.Diff(test.want, standings(t, b)); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheBoardForgets(t *testing.T) {
	telemetry := NewTelemetry(prometheus.NewRegistry())
	other := annotations.DeploymentKey("default", "other")
	for _, key := range []annotations.Key{web, other} {
		telemetry.observe(outcome{key: key, policy: automatic(), decision: grown()})
	}
	const number = 1 // the series of all workloads together
	both := testutil.CollectAndCount(telemetry.board) - number
	telemetry.forget(other)
	if n := len(standings(t, telemetry.board)); n == 0 || 2*n != both {
		t.Errorf("%d series of one workload, %d of two", n, both)
	}
	telemetry.clear()
	if n := testutil.CollectAndCount(telemetry.board) - number; n != 0 {
		t.Errorf("%d series are left of a process that does not lead", n)
	}
	if err := testutil.CollectAndCompare(telemetry.board, strings.NewReader("# HELP mini_hpa_num_horizontal_pod_autoscalers Number of autoscaled "+
		"workloads; 0 in a standby.\n# TYPE mini_hpa_num_horizontal_pod_autoscalers gauge\nmini_hpa_num_horizontal_pod_autoscalers 0\n")); err != nil {
		t.Error(err)
	}
	if n := testutil.ToFloat64(telemetry.reconciliations.WithLabelValues("scale_up", "none")); n != 2 {
		t.Errorf("%v reconciliations, want the 2 from before", n)
	}
}

// TestAWorkloadHasFewSeries: whoever has thousands of workloads pays for each.
func TestAWorkloadHasFewSeries(t *testing.T) {
	b := newBoard()
	b.show(outcome{key: web, policy: onCPU(), decision: grown(), scaled: noon})
	if n := testutil.CollectAndCount(b) - 1; n > 14 { // one is of all workloads together
		t.Errorf("%d series, want 14 at most", n)
	}
}

func TestShowingAKnownWorkloadAllocatesNothing(t *testing.T) {
	b, o := newBoard(), outcome{key: web, policy: onCPU(), decision: grown()}
	b.show(o)
	if n := testing.AllocsPerRun(100, func() { b.show(o) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkObserve is the cost of telemetry for each look at a workload.
func BenchmarkObserve(b *testing.B) {
	telemetry, o := NewTelemetry(prometheus.NewRegistry()), outcome{key: web, policy: onCPU(), decision: grown()}
	b.ReportAllocs()
	for b.Loop() {
		telemetry.observe(o)
	}
}

// BenchmarkScrape is the cost of one scrape for each of 1000 workloads.
func BenchmarkScrape(b *testing.B) {
	registry, policy := prometheus.NewRegistry(), onCPU()
	telemetry := NewTelemetry(registry)
	for i := range 1000 {
		telemetry.observe(outcome{key: annotations.DeploymentKey("default", fmt.Sprint("web-", i)), policy: policy, decision: grown(), scaled: noon})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestEachLookIsShown: whatever a look comes to, the series say so, and they go with the annotations.
func TestEachLookIsShown(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	want := func(what, mode string, active bool) {
		t.Helper()
		c.reconcile(tick)
		got := standings(t, c.scaler.telemetry.board)
		if !slices.Contains(got, "workload_mode "+mode+" = 1") || slices.Contains(got, "condition ScalingActive = 1") != active {
			t.Errorf("%s: %v", what, got)
		}
	}
	want("load", "auto", true)
	c.annotate(map[string]string{"target-cpu": "fifty", "max": "10"})
	want("invalid annotations", "invalid", false)
	c.annotate(map[string]string{"target-cpu": "50", "max": "7", "mode": "paused"})
	want("paused", "paused", false)
	if got := standings(t, c.scaler.telemetry.board); !slices.Contains(got, "max_replicas = 7") {
		t.Errorf("the new bounds are not shown: %v", got)
	}
	c.annotate(map[string]string{"target-cpu": "50", "max": "10", "mode": "observe"})
	want("observed", "observe", true)
	c.annotate(nil)
	if c.reconcile(tick); len(standings(t, c.scaler.telemetry.board)) != 0 {
		t.Error("a Deployment without annotations is still shown")
	}
}

// TestWorkloadsOfOneNameHaveSeriesOfTheirOwn: also where two groups have a kind of the same name. Equal series would fail the whole scrape.
func TestWorkloadsOfOneNameHaveSeriesOfTheirOwn(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	telemetry := NewTelemetry(registry)
	want := []string{"Deployment", "StatefulSet", "Deployment.example.com", "Rollout.argoproj.io"}
	for _, kind := range []schema.GroupKind{{Group: "apps", Kind: "Deployment"}, {Group: "apps", Kind: "StatefulSet"},
		{Group: "example.com", Kind: "Deployment"}, {Group: "argoproj.io", Kind: "Rollout"}} {
		telemetry.observe(outcome{key: annotations.Key{Kind: kind, Namespace: "shop", Name: "web"}, policy: automatic(), decision: grown()})
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, family := range families {
		if family.GetName() != "mini_hpa_desired_replicas" {
			continue
		}
		for _, m := range family.GetMetric() {
			kinds = append(kinds, m.GetLabel()[1].GetValue())
		}
	}
	slices.Sort(kinds)
	slices.Sort(want)
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}
