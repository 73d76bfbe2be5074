package scaler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Fetch answers as Ask does. Explain asks for all metrics at the same time.
func (c *cluster) Fetch(_ context.Context, q metrics.Question) (metrics.Answer, error) {
	c.asking.Lock()
	defer c.asking.Unlock()
	return c.Ask(web, q, 0)
}

// Reply is scaler.Answers': of what was asked, all answers took a second, and went with another question.
func (c *cluster) Reply(q metrics.Question) (metrics.Reply, bool) {
	_, known := c.answers[q.Metric]
	return metrics.Reply{Asked: c.answered, Took: time.Second, Together: 2}, known
}

// Ask answers with what the test says: a number, with a hint or without one, a number for each pod, or an error; nothing is pending.
func (c *cluster) Ask(key annotations.Key, q metrics.Question, maxAge time.Duration) (metrics.Answer, error) {
	c.asked = append(c.asked, fmt.Sprintf("%s %s of %s: %s{%s} of pods %s%s every %s", key.NamespacedName(), q.Type, q.Namespace, q.Metric, q.Selector,
		q.Pods, q.Object.Name, maxAge.Round(time.Second)))
	if q.Parameters != "" {
		c.asked[len(c.asked)-1] += fmt.Sprintf(" from %s with %s", q.Source, q.Parameters)
	}
	known, ok := c.answers[q.Source]
	if !ok {
		known = c.answers[q.Metric]
	}
	switch answer := known.(type) {
	case hinted:
		return metrics.Answer{Asked: c.answered, Hint: answer.hint,
			External: []externalmetricsv1beta1.ExternalMetricValue{{MetricName: q.Metric, Value: *resource.NewQuantity(answer.value, resource.DecimalSI)}}}, nil
	case error:
		return metrics.Answer{}, answer
	case int64:
		value := *resource.NewQuantity(answer, resource.DecimalSI)
		return metrics.Answer{Asked: c.answered, External: []externalmetricsv1beta1.ExternalMetricValue{{MetricName: q.Metric, Value: value}},
			Custom: []custommetricsv1beta2.MetricValue{{DescribedObject: corev1.ObjectReference{Kind: q.Object.Kind, Name: q.Object.Name}, Value: value}}}, nil
	case map[string]int64:
		var made metrics.Answer
		for _, pod := range []string{"web-a", "web-b", "web-c", "web-d", "other"} {
			if value, ok := answer[pod]; ok {
				made.Custom = append(made.Custom, custommetricsv1beta2.MetricValue{DescribedObject: corev1.ObjectReference{Kind: "Pod", Name: pod},
					Timestamp: metav1.NewTime(c.now), Value: *resource.NewQuantity(value, resource.DecimalSI)})
			}
		}
		return made, nil
	}
	return metrics.Answer{}, metrics.ErrPending
}

func quantity(n int64) *resource.Quantity { return resource.NewQuantity(n, resource.DecimalSI) }

// queue wants 10 messages for each pod.
func queue(name, selector string) autoscalingv2.MetricSpec {
	id := autoscalingv2.MetricIdentifier{Name: name}
	if selector != "" {
		id.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"queue": selector}}
	}
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Metric: id, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: quantity(10)}}}
}

// hits wants 100 for each pod.
func hits() autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "hits"},
		Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: quantity(100)}}}
}

// front wants the Ingress to have 100 for each pod.
func front() autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricSource{
		Metric:          autoscalingv2.MetricIdentifier{Name: "rate"},
		DescribedObject: autoscalingv2.CrossVersionObjectReference{Kind: "Ingress", Name: "front", APIVersion: "networking.k8s.io/v1"},
		Target:          autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: quantity(100)}}}
}

// by looks once with these metrics and nothing else.
func (c *cluster) by(specs ...autoscalingv2.MetricSpec) recommend.Decision {
	c.t.Helper()
	return c.look(c.policy(specs...))
}

// policy is that of the annotations, with other metrics.
func (c *cluster) policy(specs ...autoscalingv2.MetricSpec) annotations.Policy {
	policy, _, _ := c.scaler.observer.Defaults.Parse(c.deployment.Annotations)
	policy.Metrics = annotations.MetricsOf(specs)
	return policy
}

// withCPU looks once with these metrics and that of the annotations.
func (c *cluster) withCPU(specs ...autoscalingv2.MetricSpec) {
	policy, _, _ := c.scaler.observer.Defaults.Parse(c.deployment.Annotations)
	policy.Metrics = append(policy.Metrics, annotations.MetricsOf(specs)...)
	c.look(policy)
}

// look does what Reconcile does for a policy.
func (c *cluster) look(policy annotations.Policy) recommend.Decision {
	c.t.Helper()
	c.deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	c.deployment.Status.Replicas = *c.deployment.Spec.Replicas
	w := c.Workload(web)
	mem := c.scaler.recall(web, w)
	mem.reviewed.verdict = &annotations.Verdict{Policy: policy}
	seen, _ := c.scaler.observer.Observe(w, policy, lastChange(mem.history))
	decision := c.scaler.decide(mem, w, policy, seen)
	if err := c.scaler.act(c.t.Context(), mem, w, policy, decision); err != nil {
		c.t.Fatal(err)
	}
	c.scaler.tell(mem, w, policy, decision)
	c.now = c.now.Add(tick)
	return decision
}

// quick has no stabilization window.
func quick() map[string]string {
	return map[string]string{"target-cpu": "50", "max": "10", "scale-down-stabilization": "0s"}
}

func TestEachKindOfMetricScales(t *testing.T) {
	for name, story := range map[string]struct {
		spec   autoscalingv2.MetricSpec
		answer any
		asked  string
	}{
		"External": {queue("backlog", "mail"), int64(40), "default/web External of default: backlog{queue=mail} of pods "},
		"Pods":     {hits(), map[string]int64{"web-a": 400, "other": 9999}, "default/web Pods of default: hits{} of pods app=web"},
		"Object":   {front(), int64(400), "default/web Object of default: rate{} of pods front"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, quick())
			c.samplesErr = errors.New("there is no metrics-server")
			c.answers = map[string]any{"backlog": story.answer, "hits": story.answer, "rate": story.answer}
			c.by(story.spec)
			c.wantWrites(4)
			if diff := cmp.Diff([]string{story.asked + " every 15s"}, c.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTwoSeriesOfOneNameAreKeptApart(t *testing.T) {
	c := newCluster(t, quick())
	c.answers = map[string]any{"backlog": int64(40), "pending": metrics.ErrPending, "lost": errors.New("gone")}
	policy := c.policy(queue("backlog", "mail"), queue("backlog", "print"), queue("pending", ""), queue("lost", ""))
	seen, _ := c.scaler.observer.Observe(c.Workload(web), policy, time.Time{})
	if len(seen.ExternalMetrics) != 2 || len(seen.ExternalMetrics["backlog{queue=mail}"]) != 1 || len(seen.ExternalMetrics["backlog{queue=print}"]) != 1 {
		t.Errorf("values %v, want one under each series' name", seen.ExternalMetrics)
	}
	if diff := cmp.Diff(map[string]string{"pending": recommend.ErrorPending, "lost": "gone"}, seen.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestAnAnswerThatIsAwaitedIsNoNews(t *testing.T) {
	c := newCluster(t, quick())
	if d := c.by(queue("backlog", "")); d.Desired != 1 || d.Failure == nil {
		t.Errorf("decision %+v, want that nothing is known", d)
	}
	c.wantEvents()
}

// TestAPartOfTheMetricsFails: what works may scale out, nothing scales in, and the Event says which metric it is.
func TestAPartOfTheMetricsFails(t *testing.T) {
	c := newCluster(t, quick())
	c.answers = map[string]any{"backlog": int64(10)}
	c.withCPU(queue("backlog", ""))
	c.wantWrites().wantEvents()

	c.answers["backlog"] = errors.New("no route")
	for range 3 {
		c.withCPU(queue("backlog", ""))
	}
	c.wantWrites().wantEvents("Warning FailedGetExternalMetric metric backlog: no route; until it is back, replicas may go up for the other metrics but not down")

	c.milliCPU = 2000
	c.withCPU(queue("backlog", ""))
	c.wantWrites(4).wantEvents("Normal SuccessfulRescale New size: 4; reason: cpu utilization 200% above target 50% (1 of 1 pods, sample 2s old)")

	c.milliCPU = 100
	c.withCPU(queue("backlog", ""))
	c.answers["backlog"] = errors.New("another text of the same outage")
	c.withCPU(queue("backlog", ""))
	c.wantWrites(4).wantEvents()

	c.answers["backlog"] = int64(10)
	c.withCPU(queue("backlog", ""))
	c.wantWrites(4, 1).wantEvents("Normal SuccessfulRescale New size: 1; reason: cpu utilization 10% below target 50% (4 of 4 pods, sample 2s old)")
	c.withCPU(queue("backlog", ""))
	c.withCPU(queue("backlog", ""))
	c.wantEvents("Normal ValidMetricFound metrics are usable again: cpu utilization 10% below target 50% (1 of 1 pods, sample 2s old)")
}

// TestOneAnswerMultipliesOnce: with a target for the total, looking again at what was asked before the change would go
// on multiplying.
func TestOneAnswerMultipliesOnce(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "100", "scale-up-policies": "100 pods/15s"})
	total := queue("backlog", "")
	total.External.Target = autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: quantity(10)}
	c.answers, c.answered = map[string]any{"backlog": int64(20)}, c.now.Add(-time.Second)
	for range 3 {
		c.by(total)
	}
	c.wantWrites(2)
	c.answered = c.now
	c.by(total)
	c.by(total)
	c.wantWrites(2, 4).wantEvents("Normal SuccessfulRescale New size: 2; reason: backlog 20 above target 10",
		"Normal SuccessfulRescale New size: 4; reason: backlog 20 above target 10")
}

// TestATargetBesideDoesNotMultiplyAgain: the same metric may have a target for the total and one for each pod, in either order.
func TestATargetBesideDoesNotMultiplyAgain(t *testing.T) {
	total, each := queue("backlog", ""), queue("backlog", "")
	total.External.Target = autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: quantity(10)}
	each.External.Target.AverageValue = quantity(1000)
	for name, both := range map[string][]autoscalingv2.MetricSpec{"total first": {total, each}, "each first": {each, total}} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, map[string]string{"target-cpu": "50", "max": "100", "scale-up-policies": "100 pods/15s"})
			c.answers, c.answered = map[string]any{"backlog": int64(20)}, c.now.Add(-time.Second)
			for range 3 {
				c.by(both...)
			}
			c.wantWrites(2)
			c.answered = c.now
			c.by(both...)
			c.by(both...)
			c.wantWrites(2, 4)
		})
	}
}

func TestEveryMetricFails(t *testing.T) {
	for reason, spec := range map[string]autoscalingv2.MetricSpec{
		EventFailedGetExternalMetric: queue("backlog", ""), EventFailedGetPodsMetric: hits(), EventFailedGetObjectMetric: front(),
	} {
		t.Run(reason, func(t *testing.T) {
			c := newCluster(t, quick())
			c.answers = map[string]any{"backlog": errors.New("no route"), "hits": errors.New("no route"), "rate": errors.New("no route")}
			name := c.by(spec).Failure.Metric
			for range 3 {
				c.by(spec)
			}
			c.wantWrites().wantEvents("Warning " + reason + " metric " + name + ": no route")
		})
	}
}

// TestWhereReplicasAreMultiplied: annotations may hold two targets, of which one counts.
func TestWhereReplicasAreMultiplied(t *testing.T) {
	value, average := autoscalingv2.ValueMetricType, autoscalingv2.AverageValueMetricType
	for name, story := range map[string]struct {
		target           autoscalingv2.MetricTarget
		external, object bool
	}{
		"a total":                  {autoscalingv2.MetricTarget{Type: value, Value: quantity(1)}, true, true},
		"for each pod":             {autoscalingv2.MetricTarget{Type: average, AverageValue: quantity(1)}, false, false},
		"both, by type a total":    {autoscalingv2.MetricTarget{Type: value, Value: quantity(1), AverageValue: quantity(1)}, false, true},
		"both, by type an average": {autoscalingv2.MetricTarget{Type: average, Value: quantity(1), AverageValue: quantity(1)}, false, false},
	} {
		external, object := queue("backlog", ""), front()
		external.External.Target, object.Object.Target = story.target, story.target
		if got := multiplied(&external); got != story.external {
			t.Errorf("%s of an External metric: %v", name, got)
		}
		if got := multiplied(&object); got != story.object {
			t.Errorf("%s of an Object metric: %v", name, got)
		}
	}
	if pods := hits(); multiplied(&pods) {
		t.Error("a Pods metric is multiplied")
	}
}

// TestAWorkloadThatNobodyScalesAsksNothing: its replicas are 0, it is paused, or its annotations are wrong.
func TestAWorkloadThatNobodyScalesAsksNothing(t *testing.T) {
	for name, change := range map[string]func(*cluster){
		"replicas 0": func(c *cluster) { *c.deployment.Spec.Replicas = 0 },
		"paused":     func(c *cluster) { c.deployment.Annotations["mini-hpa/mode"] = "paused" },
		"invalid":    func(c *cluster) { c.deployment.Annotations["mini-hpa/min"] = "ten" },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, quick())
			c.two(works, works)
			c.asked = nil
			change(c)
			c.reconcile(tick)
			if len(c.asked) > 0 {
				t.Errorf("asked for %v", c.asked)
			}
		})
	}
}

// TestWithoutASelectorNoPodsAreAskedAbout: a custom resource's scale may have none, and the metrics API takes an empty one for all pods of
// the namespace.
func TestWithoutASelectorNoPodsAreAskedAbout(t *testing.T) {
	m := &annotations.Metric{Spec: autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "requests"}}}}
	w := &annotations.Workload{Key: annotations.Key{Kind: schema.GroupKind{Group: "example.com", Kind: "Train"}, Namespace: "shop", Name: "web"}}
	if q, err := questionOf(w, m); err == nil || !strings.Contains(err.Error(), "train shop/web has no selector") {
		t.Errorf("asked %+v, error %v", q, err)
	}
	w.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	if q, err := questionOf(w, m); err != nil || q.Pods != "app=web" {
		t.Errorf("asked %+v, error %v", q, err)
	}
}
