package record

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
	"github.com/mini-hpa/mini-hpa/test/conformance/generate"
	"github.com/mini-hpa/mini-hpa/test/conformance/replay"
)

const (
	period = 15 * time.Second
	fails  = -1
)

// moment is one evaluation: the value of the external metric and the use of CPU in thousandths of a core for each pod, each of which may
// fail, and what somebody else has just set.
type moment struct {
	backlog, cpu int64
	unready      bool
	// by is the number of replicas that somebody sets by hand, min the one that the HPA is edited to, late what status.replicas says
	// instead of the replicas; nil if nothing.
	by, min, late *int32
}

func backlog(value int64) moment             { return moment{backlog: value} }
func (m moment) hand(replicas int32) moment  { m.by = &replicas; return m }
func (m moment) least(replicas int32) moment { m.min = &replicas; return m }
func (m moment) status(late int32) moment    { m.late = &late; return m }
func (m moment) using(cpu int64) moment      { m.cpu = cpu; return m }
func (m moment) notReady() moment            { m.unready = true; return m }

func times(n int, m moment) []moment { return slices.Repeat([]moment{m}, n) }

// script is a world in which all that happens is written down. Its pods have been there for an hour.
type script struct {
	moments       []moment
	replicas, min int32
	status        int32
	by, series    string
}

// Start does nothing.
func (s *script) Start(time.Time) {}

// Scale is the scale subresource.
func (s *script) Scale() *autoscalingv1.Scale {
	return &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: generate.Name, Namespace: generate.Namespace},
		Spec: autoscalingv1.ScaleSpec{Replicas: s.replicas}, Status: autoscalingv1.ScaleStatus{Replicas: s.status, Selector: "app=load"}}
}

// Min is the least number of replicas.
func (s *script) Min() int32 { return s.min }

// Written is what the controller wrote.
func (s *script) Written(replicas int32) { s.replicas, s.by = replicas, "" }

// Observe plays the next moment.
func (s *script) Observe(now time.Time) recommend.Snapshot {
	m := s.moments[0]
	s.moments = s.moments[1:]
	if m.by != nil && *m.by != s.replicas {
		s.replicas, s.by = *m.by, "kubectl"
	}
	if m.min != nil {
		s.min = *m.min
	}
	if s.status = s.replicas; m.late != nil {
		s.status = *m.late
	}
	seen := recommend.Snapshot{Time: now, Replicas: s.replicas, StatusReplicas: s.status}
	if s.replicas == 0 {
		seen.Paused = s.by
	}
	for i := range s.replicas {
		seen.Pods = append(seen.Pods, new(podspec.ReadPod(podOf(i, now, !m.unready))))
		seen.PodMetrics = append(seen.PodMetrics, sampleOf(i, now, m.cpu))
	}
	if m.cpu == fails {
		seen.PodMetrics, seen.MetricsError = nil, "no metrics"
	}
	if m.backlog == fails {
		seen.Errors = map[string]string{s.series: "no such metric"}
		return seen
	}
	seen.ExternalMetrics = map[string][]externalmetricsv1beta1.ExternalMetricValue{
		s.series: {{MetricName: "backlog", Timestamp: metav1.NewTime(now), Value: *resource.NewQuantity(m.backlog, resource.DecimalSI)}}}
	return seen
}

func podOf(i int32, now time.Time, ready bool) *corev1.Pod {
	since := metav1.NewTime(now.Add(-time.Hour))
	condition := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: since}
	if ready {
		condition.Status = corev1.ConditionTrue
	}
	c := corev1.Container{Name: "app", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("100m")}}}
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("load-", i), Namespace: generate.Namespace, CreationTimestamp: since,
		Labels: map[string]string{"app": generate.Name}}, Spec: corev1.PodSpec{Containers: []corev1.Container{c}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &since, Conditions: []corev1.PodCondition{condition}}}
}

func sampleOf(i int32, now time.Time, cpu int64) *sample.Pod {
	return &sample.Pod{Name: fmt.Sprint("load-", i), Namespace: generate.Namespace, Time: now, Window: period, Containers: []sample.Container{
		{Name: "app", Usage: sample.UsageOf(corev1.ResourceList{"cpu": *resource.NewMilliQuantity(cpu, resource.DecimalSI)})}}}
}

// story is a row of what the HPA controller does at 0 replicas.
type story struct {
	// start is the number of replicas at the start, of at most 20. There is one external metric, and half of the CPU beside it if so.
	start  int32
	target autoscalingv2.MetricTarget
	cpu    bool
	up     autoscalingv2.HPAScalingRules
	// down is the window of scale-down in seconds.
	down    int32
	moments [][]moment
	// want are the replicas after each evaluation, and active and limited what the HPA says of the last one.
	want            string
	active, limited string
	// left is how many evaluations are left out, because the condition is stale.
	left int
}

// TestZero: what the HPA controller does at 0 replicas, and that mini-hpa does the same where it is not known to do otherwise.
func TestZero(t *testing.T) {
	each, total := average(10), autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: resource.NewQuantity(10, resource.DecimalSI)}
	asleep := []moment{backlog(30), backlog(0)}
	smaller := new(autoscalingv2.MinChangePolicySelect)
	stories := map[string]story{
		"it sleeps, and wakes with 4 pods and twice as many": {start: 3, target: each,
			moments: [][]moment{asleep, times(1, backlog(0)), times(3, backlog(100))}, want: "3 0 0 4 8 10", active: "ValidMetricFound", limited: "DesiredWithinRange"},
		"the window of scale-down holds off sleep": {start: 3, target: each, down: 45,
			moments: [][]moment{times(1, backlog(30)), times(4, backlog(0))}, want: "3 3 3 0 0", active: "ValidMetricFound", limited: "DesiredWithinRange"},
		"a policy of pods limits the first step": {start: 3, target: each, up: rules(nil, pods(2, 15)),
			moments: [][]moment{asleep, times(2, backlog(100))}, want: "3 0 2 4", active: "ValidMetricFound", limited: "ScaleUpLimit"},
		"policies of Percent only do not wake it": {start: 3, target: each, up: rules(nil, percent(100, 15)),
			moments: [][]moment{asleep, times(3, backlog(100))}, want: "3 0 0 0 0", active: "ValidMetricFound", limited: "ScaleUpLimit"},
		"they do within their period": {start: 3, target: each, up: rules(nil, percent(100, 60)),
			moments: [][]moment{asleep, times(1, backlog(100))}, want: "3 0 6", active: "ValidMetricFound", limited: "ScaleUpLimit"},
		"nor does the smaller of two changes": {start: 3, target: each, up: rules(smaller, pods(4, 15), percent(100, 15)),
			moments: [][]moment{asleep, times(2, backlog(100))}, want: "3 0 0 0", active: "ValidMetricFound", limited: "ScaleUpLimit"},
		"nor of the default policies": {start: 3, target: each, up: rules(smaller),
			moments: [][]moment{asleep, times(2, backlog(100))}, want: "3 0 0 0", active: "ValidMetricFound", limited: "ScaleUpLimit"},
		"scale-up that is disabled never wakes it, and a minimum that is raised does": {start: 3, target: each, up: rules(new(autoscalingv2.DisabledPolicySelect)),
			moments: [][]moment{asleep, times(2, backlog(100)), times(1, backlog(100).least(2))}, want: "3 0 0 0 2", active: "ValidMetricFound", limited: "ScaleUpLimit"},
		"the window of scale-up counts what was recommended in the sleep": {start: 3, target: each, up: window(30),
			moments: [][]moment{asleep, times(1, backlog(0)), times(2, backlog(100))}, want: "3 0 0 0 4", active: "ValidMetricFound", limited: "ScaleUpLimit"},
		"a target for the total has no tolerance at 0": {start: 1, target: total,
			moments: [][]moment{times(1, backlog(10)), times(1, backlog(0)), times(1, backlog(1))}, want: "1 0 1", active: "ValidMetricFound", limited: "DesiredWithinRange"},
		"a target for the total puts what is not ready to sleep": {start: 3, target: total,
			moments: [][]moment{times(1, backlog(30).notReady()), times(1, backlog(30)), times(1, backlog(30).notReady()), times(1, backlog(30))},
			want:    "0 3 0 3", active: "ValidMetricFound", limited: "DesiredWithinRange"},
		"the tolerance is asked with a late status": {start: 3, target: each,
			moments: [][]moment{asleep, times(1, backlog(32).status(3))}, want: "3 0 3", active: "ValidMetricFound", limited: "DesiredWithinRange"},
		"while the metric fails it stays asleep": {start: 3, target: each,
			moments: [][]moment{asleep, times(2, backlog(fails))}, want: "3 0 0 0", active: "FailedGetExternalMetric", limited: "DesiredWithinRange"},
		"CPU that is used keeps it awake": {start: 3, target: each, cpu: true,
			moments: [][]moment{times(3, backlog(0).using(5))}, want: "1 1 1", active: "ValidMetricFound", limited: "DesiredWithinRange"},
		"CPU that is not used does not, and its failure at 0 does not count": {start: 3, target: each, cpu: true,
			moments: [][]moment{times(2, backlog(0)), times(1, backlog(20))}, want: "0 0 2", active: "ValidMetricFound", limited: "DesiredWithinRange"},
		"all of several metrics fail, and the first one is told": {start: 3, target: each, cpu: true,
			moments: [][]moment{times(1, backlog(0)), times(2, backlog(fails))}, want: "0 0 0", active: "FailedGetResourceMetric", limited: "DesiredWithinRange"},
		"a metric that fails keeps all": {start: 3, target: each, cpu: true,
			moments: [][]moment{times(2, backlog(0).using(fails))}, want: "3 3", active: "FailedGetResourceMetric"},
		"what was paused stays so, until somebody scales it": {start: 3, target: each,
			moments: [][]moment{times(1, backlog(30)), times(1, backlog(30).hand(0)), times(2, backlog(30)), times(1, backlog(20).hand(2)), times(1, backlog(0)), times(1, backlog(20))},
			want:    "3 0 0 0 2 0 2", active: "ValidMetricFound", limited: "DesiredWithinRange"},
		"what is asleep cannot be paused": {start: 3, target: each,
			moments: [][]moment{asleep, times(1, backlog(0).hand(0)), times(1, backlog(20))}, want: "3 0 0 2", active: "ValidMetricFound", limited: "DesiredWithinRange"},
		"what is created with 0 is paused": {start: 0, target: each,
			moments: [][]moment{times(3, backlog(50))}, want: "0 0 0", active: "ScalingDisabled"},
		"it can sleep once it has run": {start: 0, target: each,
			moments: [][]moment{times(1, backlog(0)), times(1, backlog(0).hand(1)), times(1, backlog(20))}, want: "0 0 2", active: "ValidMetricFound", limited: "DesiredWithinRange"},
		"a condition that is stale wakes what was paused": {start: 3, target: each,
			moments: [][]moment{asleep, times(1, backlog(30).hand(3)), times(1, backlog(30).hand(0)), times(2, backlog(30))}, want: "3 0 3", active: "ValidMetricFound",
			limited: "DesiredWithinRange", left: 3},
		"a minimum that is raised wakes it, whatever the policies allow": {start: 3, target: each, up: rules(nil, percent(100, 15)),
			moments: [][]moment{asleep, times(1, backlog(100).least(2))}, want: "3 0 2", active: "ValidMetricFound", limited: "ScaleUpLimit"},
		"a minimum that is raised wakes it, though nothing is to do": {start: 3, target: each,
			moments: [][]moment{asleep, times(1, backlog(0).least(2))}, want: "3 0 2", active: "ValidMetricFound", limited: "DesiredWithinRange"},
		"not while every metric fails": {start: 3, target: each,
			moments: [][]moment{asleep, times(2, backlog(fails).least(2)), times(1, backlog(0))}, want: "3 0 0 0 2", active: "ValidMetricFound", limited: "DesiredWithinRange"},
		"nor what is paused": {start: 3, target: each,
			moments: [][]moment{times(1, backlog(30)), times(1, backlog(30).hand(0)), times(2, backlog(30).least(2))}, want: "3 0 0 0", active: "ScalingDisabled", limited: "DesiredWithinRange"},
	}
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.check(t)
		})
	}
}

func average(value int64) autoscalingv2.MetricTarget {
	return autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: resource.NewQuantity(value, resource.DecimalSI)}
}

func rules(selects *autoscalingv2.ScalingPolicySelect, policies ...autoscalingv2.HPAScalingPolicy) autoscalingv2.HPAScalingRules {
	return autoscalingv2.HPAScalingRules{SelectPolicy: selects, Policies: policies}
}

func window(seconds int32) autoscalingv2.HPAScalingRules {
	return autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: &seconds}
}

func pods(value, seconds int32) autoscalingv2.HPAScalingPolicy {
	return autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: value, PeriodSeconds: seconds}
}

func percent(value, seconds int32) autoscalingv2.HPAScalingPolicy {
	return autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: value, PeriodSeconds: seconds}
}

func (s *story) metrics() []autoscalingv2.MetricSpec {
	external := autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "backlog"}, Target: s.target}}
	if !s.cpu {
		return []autoscalingv2.MetricSpec{external}
	}
	half := autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(50))}
	return []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu", Target: half}}, external}
}

// record lets the controller evaluate the story.
func (s *story) record(t *testing.T) *replay.Recording {
	t.Helper()
	metrics := s.metrics()
	behavior := &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &s.up, ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: &s.down}}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: generate.Name, Namespace: generate.Namespace},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: new(int32(0)), MaxReplicas: 20, Metrics: metrics, Behavior: behavior,
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: generate.Name}}}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: generate.Name, Namespace: generate.Namespace, Annotations: map[string]string{
		annotations.Min: "0", annotations.Max: "20", annotations.Metrics: encode(t, metrics), annotations.Behavior: encode(t, behavior)}},
		Spec: appsv1.DeploymentSpec{Replicas: &s.start, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": generate.Name}}}}
	all := annotations.MetricsOf(metrics)
	w := &script{moments: slices.Concat(s.moments...), replicas: s.start, by: "kubectl", series: all[len(all)-1].ID}
	r := &replay.Recording{Object: d, Workload: annotations.OfDeployment(d)}
	l := &life{world: w, hpa: Defaulted(hpa), target: schema.GroupResource{Group: "apps", Resource: "deployments"}, period: period, ticks: len(w.moments)}
	l.record(t, r)
	return r
}

func encode(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// check compares what the controller does with what it is known to do, and with what mini-hpa does.
func (s *story) check(t *testing.T) {
	t.Helper()
	r := s.record(t)
	var replicas []string
	for _, o := range r.Outcomes {
		replicas = append(replicas, fmt.Sprint(o.Desired))
	}
	last := r.Outcomes[len(r.Outcomes)-1]
	if got := strings.Join(replicas, " "); got != s.want || last.Active != s.active || last.Limited != s.limited {
		t.Errorf("the HPA controller: %s (%s, %s), want %s (%s, %s)", got, last.Active, last.Limited, s.want, s.active, s.limited)
	}
	if r.Stale.Decisions != s.left || r.Stale.Woken != (s.left > 0) {
		t.Errorf("left out: %+v, want %d decisions, and that the workload was woken if there are any", r.Stale, s.left)
	}
	d, err := replay.Compare(r)
	if err != nil {
		t.Fatal(err)
	}
	if d != nil {
		t.Error(d)
	}
}
