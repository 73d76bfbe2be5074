package trace

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// TestSourcesAreReplayedWithoutTheirList: what sources have said, beside their values too, is in the trace, under names that no list is needed for.
func TestSourcesAreReplayedWithoutTheirList(t *testing.T) {
	const lag = "orders-kafka@lag"
	none := int32(0)
	w := annotations.OfDeployment(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "worker", Annotations: map[string]string{
		annotations.Min: "0", annotations.Max: "40", annotations.ScaleUpPolicies: "40 pods/15s",
		annotations.SourcesKey: "orders-kafka group=shop.a topic=shop.a target=100\ncosmos container=orders"}}, Spec: appsv1.DeploymentSpec{Replicas: &none}})
	policy := policyOf(t, w.Annotations)
	var text bytes.Buffer
	writer, err := NewWriter(&text, w)
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	live := NewReplay(policy, recommend.DefaultRules())
	var want []int32
	for i, hints := range []map[string]recommend.Hint{
		nil,
		{lag: {Active: &no}, "cosmos@value": {Active: &no}},
		{lag: {Limit: 12, Because: `12 partitions of topic "shop.a"`}, "cosmos@value": {Active: &yes, Target: new(resource.MustParse("5"))}},
		{lag: {Limit: 3}},
		{lag: {Limit: 3, Settling: metav1.Duration{Duration: time.Minute}, Recent: new(resource.MustParse("7k"))}},
	} {
		s := recommend.Snapshot{Time: time.Date(2026, 11, 28, 12, i, 0, 0, time.UTC), Hints: hints, ExternalMetrics: map[string][]externalmetricsv1beta1.ExternalMetricValue{
			lag: {{MetricName: lag, Value: resource.MustParse("5200")}}, "cosmos@value": {{MetricName: "cosmos@value", Value: resource.MustParse("0")}}}}
		if err := writer.Write(s); err != nil {
			t.Fatal(err)
		}
		want = append(want, live.Observe(s).Desired)
	}
	if diff := cmp.Diff([]int32{40, 0, 12, 3, 3}, want); diff != "" {
		t.Fatalf("decided (-want +got):\n%s", diff)
	}
	r, err := NewReader(&text)
	if err != nil {
		t.Fatal(err)
	}
	again := NewReplay(policyOf(t, r.Workload().Annotations), recommend.DefaultRules())
	for i := range want {
		s, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := again.Observe(s); got.Desired != want[i] {
			t.Errorf("line %d: %d replayed, %d decided: %s", i+2, got.Desired, want[i], got.Because())
		}
	}
}

// TestATargetOfASourceIsBounded, as every quantity of a trace is.
func TestATargetOfASourceIsBounded(t *testing.T) {
	const header = `{"workload":{"metadata":{"name":"worker","namespace":"shop"}}}`
	r, err := NewReader(strings.NewReader(header + "\n" + `{"time":"2026-01-01T12:00:00Z","replicas":1,"hints":{"a":{"target":"1e999999999","limit":3},"b":{}}}`))
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Hints["a"]; got.Limit != 3 || got.Target == nil || got.Target.Cmp(resource.MustParse("1e30")) != 0 || s.Hints["b"].Target != nil {
		t.Errorf("read %+v", s.Hints)
	}
}
