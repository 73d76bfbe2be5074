package scaler

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// chain is a StatefulSet below another annotated object.
type chain struct {
	*cluster
	key           annotations.Key
	copied, found bool
	obscured      string
}

// Workload is Workloads', of which an inner object is not selected.
func (c *chain) Workload(key annotations.Key) *annotations.Workload {
	return &annotations.Workload{Key: key, UID: c.deployment.UID}
}

// Outer is Chain's.
func (c *chain) Outer(annotations.Key) (annotations.Key, bool, bool) {
	return annotations.Key{Kind: schema.GroupKind{Group: "leaderworkerset.x-k8s.io", Kind: "LeaderWorkerSet"}, Namespace: "default", Name: "llm"}, c.copied, c.found
}

// Obscured is Chain's.
func (c *chain) Obscured(annotations.Key) string { return c.obscured }

func (c *chain) look(times int) *cluster {
	for range times {
		if _, err := c.scaler.Reconcile(c.t.Context(), c.key); err != nil {
			c.t.Error(err)
		}
	}
	return c.cluster
}

// TestAnInnerObjectIsToldOnce: when it becomes one, and again if it is a new one; and not where the annotations are copies.
func TestAnInnerObjectIsToldOnce(t *testing.T) {
	const told = "Warning AnnotationWarning the annotations here have no effect: leaderworkerset default/llm controls this object, is annotated, too, and is scaled in its place"
	c := &chain{cluster: newCluster(t, selected()), key: annotations.Key{Kind: schema.GroupKind{Group: "apps", Kind: "StatefulSet"}, Namespace: "default", Name: "llm-1"}}
	c.scaler.observer.Workloads, c.scaler.chain = c, c
	c.look(1).wantEvents()
	c.found = true
	c.look(3).wantEvents(told).wantWrites()
	c.deployment.UID = "u2"
	c.look(2).wantEvents(told)
	c.found = false
	c.look(2).wantEvents()
	c.found = true
	c.look(2).wantEvents(told)
	c.scaler.Forget()
	c.look(1).wantEvents(told)
	c.deployment.UID, c.copied = "u3", true
	c.look(1).wantEvents()
	c.found, c.copied, c.obscured = false, false, "trains.example.com: its objects cannot be listed"
	c.look(2).wantEvents("Warning AnnotationWarning this object is not scaled, because it cannot be known whether what controls it is scaled in its place: trains.example.com: its objects cannot be listed")
	c.found = true
	c.look(2).wantEvents(told)
	c.found, c.obscured = false, ""
	c.look(2).wantEvents()
	if n := c.scaler.chronicle.n; n > 0 {
		t.Errorf("%d entries are kept of what is no workload: %+v", n, c.scaler.Chronicle(c.key))
	}
}
