package e2e

import (
	"context"
	"strings"
	"testing"
	"time"
)

// standsDown is about an autoscaler that comes later, while the controller, which serves the webhook too, scales already.
func (a *admission) standsDown(t *testing.T) {
	ns := a.space(t, "stands-down", true)
	c := a.listen(t, "controller", "--metrics-resolution", samplePeriod.String(), "--namespace", ns)
	a.awaitRefusal(t, ns)
	d := a.deploy(t, ns, "web", 1, loadFor(1), map[string]string{"target-cpu": "50", "max": "40", "scale-up-policies": "100 pods/15s"})
	replicas := int32(1)
	for _, other := range []struct{ kind, manifest string }{
		{"HorizontalPodAutoscaler", hpaOf("web")},
		{"ScaledObject", `{"apiVersion":"keda.sh/v1alpha1","kind":"ScaledObject","metadata":{"name":"rival"},"spec":{"scaleTargetRef":{"name":"web"}}}`},
	} {
		t.Run(other.kind, func(t *testing.T) {
			replicas += 2
			d.setLoad(loadFor(replicas))
			d.await(replicas) // it scales
			a.must(t, other.manifest, "-n", ns, "create", "-f", "-")
			since := time.Now()
			eventually(t, "the controller stands down", func(context.Context) (bool, string) {
				events := strings.Join(d.events(), "\n")
				return strings.Contains(events, "ConflictingAutoscaler metadata.annotations: Forbidden: "+other.kind), events
			})
			replicas += 2
			d.setLoad(loadFor(replicas))
			a.samples(t, 3)
			for _, at := range a.scaleTimes(t, ns) {
				if at.After(since) {
					t.Errorf("the scale was written %s after the %s was there", at.Sub(since), other.kind)
				}
			}
			// The webhook knows of it too: it lets through what does not make it worse, and warns.
			said := a.kubectl(t, "", "-n", ns, "set", "env", "deployment", "web", "RIVAL="+other.kind)
			if said.verdict() != warned || !strings.Contains(said.err, other.kind+` "rival" already scales this Deployment`) {
				t.Errorf("%s, want a warning", said)
			}
			a.must(t, "", "-n", ns, "delete", strings.ToLower(other.kind), "rival")
			before := a.counts(t, c)
			d.await(replicas) // it goes on, and nobody is asked about what it writes
			if after := a.counts(t, c); after.sent != before.sent {
				t.Errorf("the webhook was asked %d times about its own process' writes", after.sent-before.sent)
			}
		})
	}
	if events := strings.Join(d.events(), "\n"); strings.Count(events, " ConflictingAutoscaler ") != 2 {
		t.Errorf("Events, want two ConflictingAutoscaler:\n%s", events)
	}
}

// hpaOf is an HPA that scales nothing itself: its metric has no value.
func hpaOf(deployment string) string {
	return `{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"rival"},"spec":{"maxReplicas":50,
		"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"` + deployment + `"},
		"metrics":[{"type":"External","external":{"metric":{"name":"nothing"},"target":{"type":"Value","value":"1"}}}]}}`
}
