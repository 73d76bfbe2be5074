package recommend

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// states are what pods may be in, beside those that are ready.
var states = map[string][]option{
	"pending":                        {pending},
	"never ready":                    {ready(corev1.ConditionFalse, time.Hour)},
	"never ready, without a sample":  {ready(corev1.ConditionFalse, time.Hour), without},
	"starting":                       {started(time.Minute), ready(corev1.ConditionFalse, time.Minute)},
	"unready":                        {ready(corev1.ConditionFalse, 30*time.Second)},
	"unready, without a sample":      {ready(corev1.ConditionFalse, 30*time.Second), without},
	"unready soon after the start":   {started(2 * time.Minute), ready(corev1.ConditionFalse, 20*time.Second)},
	"unheard of":                     {ready(corev1.ConditionUnknown, time.Minute)},
	"unheard of, without a sample":   {ready(corev1.ConditionUnknown, time.Minute), without},
	"unheard of, with an old sample": {ready(corev1.ConditionUnknown, time.Minute), sampled(2 * time.Minute)},
	"unheard of soon after start":    {started(3 * time.Minute), ready(corev1.ConditionUnknown, 30*time.Second), sampled(20 * time.Second)},
	"without a sample":               {without},
	"warming up":                     {started(time.Minute), ready(corev1.ConditionTrue, 30*time.Second)},
	"warming up, unheard of":         {started(time.Minute), ready(corev1.ConditionUnknown, 30*time.Second)},
	"below zero":                     {negative},
	"ended":                          {succeeded},
	"failed":                         {failed},
	"being deleted":                  {deleted},
}

// other is a pod of a mixture in one of the states; its usage is in thousandths of its request.
type other struct {
	state string
	usage int
}

// mixture is a workload with pods in many states. Those that are ready use the same.
type mixture struct {
	metric           string
	replicas, status int32
	ready, each      int
	others           []other
}

func randomMixture(rng *rand.Rand) mixture {
	names := make([]string, 0, len(states))
	for name := range states {
		names = append(names, name)
	}
	slices.Sort(names)
	m := mixture{metric: []string{"cpu", "cpu", "absolute cpu", "memory", "hits of pods", "hits"}[rng.IntN(6)], ready: 1 + rng.IntN(8), each: rng.IntN(1200)}
	two := []string{names[rng.IntN(len(names))], names[rng.IntN(len(names))]}
	for range rng.IntN(9) {
		m.others = append(m.others, other{two[rng.IntN(2)], []int{0, 10, 300, 500, 900, 1500}[rng.IntN(6)]})
	}
	m.replicas = max(int32(m.ready+len(m.others))+rng.Int32N(5)-2, 1)
	m.status = max(m.replicas+rng.Int32N(3)-1, 0)
	return m
}

// policy has a target of half of the request, whatever the metric.
func (m mixture) policy(t *testing.T) annotations.Policy {
	if m.metric == "hits" {
		return totals(t, autoscalingv2.ObjectMetricSourceType, "500m")
	}
	target := map[string]string{"memory": "target-memory=50%", "absolute cpu": "target-cpu=500m"}[m.metric]
	if target == "" {
		target = "target-cpu=50"
	}
	p := policy(t, target, "warm-up=90s", "max=1000", "scale-up-policies=10000%/15s", "scale-down-stabilization=0s")
	if m.metric == "hits of pods" {
		p.Metrics = perPod(t, "500m").Metrics
	}
	return p
}

func (m mixture) snapshot() Snapshot {
	use := func(n, usage int, options ...option) []fixture {
		return pods(noon, n, fmt.Sprintf("%dm", usage), append([]option{usingMemory("1000Mi", fmt.Sprintf("%dMi", usage))}, options...)...)
	}
	made := [][]fixture{use(m.ready, m.each)}
	for _, o := range m.others {
		made = append(made, use(1, o.usage, states[o.state]...))
	}
	s := surging(snapshot(noon, m.replicas, made...), m.status)
	switch m.metric {
	case "hits":
		return withHits(s, fmt.Sprintf("%dm", m.each))
	case "hits of pods":
		var values []custommetricsv1beta2.MetricValue
		for _, sample := range s.PodMetrics {
			values = append(values, custommetricsv1beta2.MetricValue{DescribedObject: corev1.ObjectReference{Kind: "Pod", Name: sample.Name},
				Timestamp: metav1.NewTime(sample.Time), Value: *sample.Containers[0].Usage.Of(corev1.ResourceCPU)})
		}
		s.CustomMetrics = map[string][]custommetricsv1beta2.MetricValue{"hits": values}
	}
	return s
}

func (m mixture) decide(t *testing.T) Decision {
	d, _ := recommend(m.policy(t), m.snapshot(), History{})
	return d
}

// with is the mixture with other others.
func (m mixture) with(others []other) mixture {
	m.others = others
	return m
}

// TestMixtures: of pods in whatever states beside each other, those that have ended do not matter, those that were never ready hold
// nothing, more load never means fewer replicas, and the load of a pod that is lost is still there.
func TestMixtures(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 4000 {
		m := randomMixture(rng)
		d := m.decide(t)
		complain := func(what string, n mixture, got Decision) {
			t.Fatalf("%s:\n%+v: %d -> %d\n%s%+v: %d -> %d\n%s", what, m, d.Current, d.Desired, steps(d), n, got.Current, got.Desired, steps(got))
		}
		more := m
		more.each += 10 + rng.IntN(400)
		if got := more.decide(t); got.Desired < d.Desired {
			complain("the ready pods use more", more, got)
		}
		if m.ready > 2 && m.metric != "hits" {
			lost := m.with(append(slices.Clone(m.others), other{state: "unheard of, without a sample"}))
			lost.ready, lost.each = m.ready-1, m.each*m.ready/(m.ready-1)
			if got := lost.decide(t); got.Desired < d.Desired-1 { // one is what rounding takes
				complain("a ready pod is lost, and the others carry its load", lost, got)
			}
		}
		for i, o := range m.others {
			fewer := m.with(slices.Delete(slices.Clone(m.others), i, i+1))
			switch o.state {
			case "ended", "failed", "being deleted":
				if got := fewer.decide(t); got.Desired != d.Desired {
					complain("a pod that is "+o.state+" matters", fewer, got)
				}
			case "pending", "starting", "never ready", "never ready, without a sample":
				with := m // the status counts no pod that is not seen
				with.status = min(m.status, int32(fewer.ready+len(fewer.others)))
				fewer.status = with.status
				if d, got := with.decide(t), fewer.decide(t); d.Desired < d.Current && got.Desired < d.Desired {
					complain("a pod that is "+o.state+" holds", fewer, got)
				}
			}
			busier := m.with(slices.Clone(m.others))
			busier.others[i].usage += 300
			if got := busier.decide(t); got.Desired < d.Desired && !strings.HasPrefix(o.state, "never ready") {
				complain("a pod that is "+o.state+" uses more", busier, got)
			}
		}
	}
}

// TestMixturesCatch: as the HPA controller decides, some of that is not so.
func TestMixturesCatch(t *testing.T) {
	compat := DefaultRules()
	compat.Compat = true
	rng := rand.New(rand.NewPCG(7, 7))
	for range 4000 {
		m := randomMixture(rng)
		more := m
		more.each += 10 + rng.IntN(400)
		d, _ := compat.Recommend(m.policy(t), m.snapshot(), History{})
		if got, _ := compat.Recommend(more.policy(t), more.snapshot(), History{}); got.Desired < d.Desired {
			return
		}
	}
	t.Error("more load never means fewer replicas")
}
