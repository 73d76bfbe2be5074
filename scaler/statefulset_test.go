package scaler

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// ordered is a StatefulSet with podManagementPolicy OrderedReady: a pod is made when the one before it is ready.
type ordered struct{ *cluster }

// Workload is Workloads'.
func (o ordered) Workload(key annotations.Key) *annotations.Workload {
	d := o.cluster.Workload(key)
	w := annotations.OfStatefulSet(&appsv1.StatefulSet{ObjectMeta: o.seen.ObjectMeta,
		Spec: appsv1.StatefulSetSpec{Replicas: &d.Replicas, Template: *d.Template}})
	w.StatusReplicas = max(o.running, 1)
	return w
}

func newOrdered(t *testing.T, pairs map[string]string) *cluster {
	c := newCluster(t, pairs)
	c.scaler.observer.Workloads = ordered{c}
	return c
}

// TestPodsThatWaitForTheirTurn are pending, not missing: while the first ones take all the load, no more are asked for, none are given up,
// and nothing is told.
func TestPodsThatWaitForTheirTurn(t *testing.T) {
	c := newOrdered(t, map[string]string{"target-cpu": "50", "max": "20"})
	c.milliCPU, c.running = 2000, 1 // four times the target
	c.reconcile(tick).wantWrites(4)
	<-c.events.Events // SuccessfulRescale
	for range 40 {    // the second pod takes long to be ready, and the others wait for it
		c.reconcile(tick)
	}
	c.running = 2
	c.milliCPU = 1000
	c.reconcile(time.Minute).reconcile(time.Minute).wantWrites(4).wantEvents()
}

// TestAPodOnWhichOthersWait is the only one that no node takes: the others have no pod yet.
func TestAPodOnWhichOthersWait(t *testing.T) {
	c := newOrdered(t, map[string]string{"target-cpu": "50", "max": "20"})
	c.milliCPU, c.running = 2000, 1
	c.reconcile(tick).wantWrites(4)
	<-c.events.Events
	c.running, c.unscheduled = 2, "0/3 nodes are available: 3 Insufficient cpu."
	c.reconcile(tick).wantEvents()
	c.reconcile(time.Minute).reconcile(time.Minute).reconcile(time.Minute).wantWrites(4).
		wantEvents(`Warning ReplicasNotComing 1 of 4 replicas do not come, because no node takes their pods: "0/3 nodes are available: 3 Insufficient cpu."`)
}

// TestClaimsThatAreDeleted are a warning, told once.
func TestClaimsThatAreDeleted(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "20"})
	c.scaler.observer.Workloads = claims{c}
	c.reconcile(tick).reconcile(tick).wantEvents("Warning AnnotationWarning spec.persistentVolumeClaimRetentionPolicy.whenScaled: is Delete: each time mini-hpa scales in, " +
		"the volume claims of the pods that go are deleted, and most likely what is on the volumes; set Retain to keep them")
}

type claims struct{ *cluster }

// Workload is Workloads'.
func (c claims) Workload(key annotations.Key) *annotations.Workload {
	w := *c.cluster.Workload(key)
	w.DeletesClaims = true
	return &w
}
