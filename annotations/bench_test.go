package annotations

import "testing"

// BenchmarkParse is what every reconcile pays.
func BenchmarkParse(b *testing.B) {
	tests := map[string]map[string]string{
		"smallest": basic(nil),
		"all": basic(map[string]string{
			TargetMemory: "512Mi", Container: "app", Min: "2", Tolerance: "5%", ScaleUpStabilization: "30s",
			ScaleDownStabilization: "2m", ScaleUpPolicies: "4 pods/15s, 100%/15s", ScaleDownPolicies: "1 pod/60s",
			WarmUp: "90s", SyncPeriod: "5s", ModeKey: "auto",
		}),
		"metrics and behavior, JSON": {Max: "10", Metrics: goodMetrics()[1].value, Behavior: goodBehaviors()[5].value},
		"metrics and behavior, YAML": {Max: "10", Metrics: exampleMetrics, Behavior: exampleBehavior},
		"wrong":                      basic(map[string]string{Min: "11", "mini-hpa/maxx": "12"}),
	}
	for name, annotations := range tests {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parse(annotations)
			}
		})
	}
}

// TestParseAllocations keeps the usual parse cheap: the draft, the policies of both directions, the metrics and what
// they point to.
func TestParseAllocations(t *testing.T) {
	annotations := basic(nil)
	if got := testing.AllocsPerRun(100, func() { parse(annotations) }); got > 6 {
		t.Errorf("%v allocations, want no more than 6", got)
	}
}
