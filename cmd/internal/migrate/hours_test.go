package migrate

import (
	"fmt"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// TestHoursBesideCPU: of hours and CPU KEDA makes a workload that has replicas in these hours alone, at least as many as they ask for, and at least one where
// they ask for none.
func TestHoursBesideCPU(t *testing.T) {
	const object = "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: web, namespace: shop}, spec: {scaleTargetRef: {name: web}, maxReplicaCount: 40, triggers: [%s" +
		"{type: cron, metadata: {timezone: UTC, start: '%s', end: '%s', desiredReplicas: '%d'}}]}}"
	clock := func(at time.Time) string { return fmt.Sprintf("%d %d * * *", at.Minute(), at.Hour()) }
	snapshots := hour(t)
	begin := snapshots[0].Time.UTC().Truncate(time.Minute)
	opens, closes := begin.Add(20*time.Minute), begin.Add(40*time.Minute)
	for name, test := range map[string]struct {
		cpu     string
		desired int
		least   int32
	}{
		"hours and CPU":              {"{type: cpu, metricType: Utilization, metadata: {value: '50'}}, ", 7, 7},
		"hours that ask for nothing": {"", 0, 1},
		"such hours and CPU":         {"{type: cpu, metricType: Utilization, metadata: {value: '50'}}, ", 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			results, _ := made(t, "-f", fileOf(t, fmt.Sprintf(object, test.cpu, clock(opens), clock(closes), test.desired)))
			annotated, more := trace.NewReplay(policyFor(t, &results[0]), recommend.DefaultRules()), false
			for _, s := range snapshots {
				isOpen, desired := !s.Time.Before(opens) && s.Time.Before(closes), annotated.Next(s).Desired
				if more = more || desired > test.least; isOpen && desired < test.least || !isOpen && desired != 0 {
					t.Fatalf("%s: %d replicas, after %d\n%v", s.Time, desired, s.Replicas, results[0].Annotations)
				}
			}
			if more != (test.cpu != "") {
				t.Errorf("more than %d replicas: %t", test.least, more)
			}
		})
	}
}
