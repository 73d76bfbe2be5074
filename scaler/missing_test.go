package scaler

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// quota is what the Deployment controller says while a quota lets three pods be.
func (c *cluster) quota(status corev1.ConditionStatus, reason string) {
	c.running = 3
	c.deployment = c.deployment.DeepCopy()
	c.deployment.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: status, Reason: reason,
		Message: `pods "web-5d4-x7k2p" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3`}}
}

func TestReplicasThatAQuotaRefuses(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "600"})
	c.milliCPU, c.running = 20_000, 3 // 40 times the target
	three := int32(3)
	c.deployment.Spec.Replicas = &three
	c.reconcile(tick).wantWrites(7)
	c.quota(corev1.ConditionTrue, "FailedCreate")
	for range 40 {
		c.reconcile(tick)
	}
	c.wantWrites(7)
	if got := standings(t, c.scaler.telemetry.board); !slices.Contains(got, "missing_replicas = 4") {
		t.Errorf("shown: %v", got)
	}
	<-c.events.Events // SuccessfulRescale
	c.wantEvents(`Warning ReplicasNotComing 4 of 7 replicas do not come, because their pods cannot be created: ` +
		`"pods \"web-5d4-x7k2p\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3"`)
	c.deployment.Status.Conditions, c.running = nil, 7 // the quota was raised
	c.reconcile(tick).wantWrites(7, 14)
	<-c.events.Events
	c.quota(corev1.ConditionTrue, "FailedCreate")
	c.reconcile(tick).reconcile(tick)
	if event := <-c.events.Events; !strings.Contains(event, "ReplicasNotComing 11 of 14") {
		t.Errorf("told: %s; want again what does not come again", event)
	}
}

// TestWhoIsRaisedAgainStaysStarved: replicas that a quota refused before the raise have not come since.
func TestWhoIsRaisedAgainStaysStarved(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "600"})
	c.milliCPU, c.running = 20_000, 3
	c.deployment.Spec.Replicas = new(int32(3))
	c.reconcile(tick).wantWrites(7)
	c.quota(corev1.ConditionTrue, "FailedCreate")
	c.running = 5 // two have come, so that more are asked for
	c.reconcile(time.Second).wantWrites(7, 14)
	for range 20 {
		c.reconcile(time.Second)
		if got, want := c.row(), "STARVED | "; !strings.Contains(got, want) || !strings.Contains(got, "9 of 14 replicas do not come") {
			t.Errorf("%s after the raise: %s", c.now.Sub(noon.Add(tick)), got)
		}
	}
	if got := c.shown("limited"); !slices.Equal(got, []string{"limited quota = 1"}) {
		t.Errorf("shown: %v", got)
	}
}

// TestWhatIsNoRefusal: pods that cannot be deleted, and what is over.
func TestWhatIsNoRefusal(t *testing.T) {
	for _, condition := range []struct {
		status corev1.ConditionStatus
		reason string
	}{{corev1.ConditionTrue, "FailedDelete"}, {corev1.ConditionFalse, "FailedCreate"}} {
		c := newCluster(t, map[string]string{"target-cpu": "50", "max": "40"})
		c.milliCPU = 100_000
		three := int32(7)
		c.deployment.Spec.Replicas = &three
		c.quota(condition.status, condition.reason)
		c.reconcile(tick).wantWrites(14)
	}
}

// TestPodsThatNoNodeTakes are told, and go on being asked for.
func TestPodsThatNoNodeTakes(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "20"})
	c.milliCPU, c.unscheduled = 2200, "0/3 nodes are available: 3 Insufficient cpu.\n\x1b[31m"
	c.reconcile(tick).wantWrites(5)
	<-c.events.Events
	c.milliCPU = 100_000
	c.reconcile(tick).wantWrites(5, 10)
	<-c.events.Events
	c.reconcile(tick).reconcile(tick).reconcile(tick).wantWrites(5, 10, 20)
	<-c.events.Events
	<-c.events.Events // ScalingLimited
	c.reconcile(time.Minute).reconcile(time.Minute).
		wantEvents(`Warning ReplicasNotComing 19 of 20 replicas do not come, because no node takes their pods: "0/3 nodes are available: 3 Insufficient cpu.\n\x1b[31m"`)
	c.unscheduled = ""
	c.reconcile(tick).wantEvents()
}

// TestWhoHasNobodyIsStarved and not blind: that nobody is measured comes of it. Another metric that fails is another matter.
func TestWhoHasNobodyIsStarved(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU, c.unscheduled, c.nowhere = -1, "0/3 nodes are available", true
	c.reconcile(2 * time.Minute).reconcile(tick)
	if got, want := c.row(), `STARVED | - | 1 of 1 replicas do not come, because no node takes their pods: "0/3 nodes are available"`; !strings.Contains(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	c.samplesErr = errors.New("the metrics API is away")
	c.reconcile(tick)
	if got := c.row(); !strings.Contains(got, "BLIND | - | the metrics API is away") {
		t.Errorf("got  %s", got)
	}
}
