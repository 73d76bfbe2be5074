package scaler

import (
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func TestAVerdictHoldsForAsLongAsWhatItCameOf(t *testing.T) {
	c := newCluster(t, selected())
	st, w := &state{told: map[topic]string{}}, c.Workload(web)
	other := *w
	other.Annotations = maps.Clone(w.Annotations)
	other.Annotations[annotations.Prefix+"max"] = "none"
	unlimited := annotations.Surroundings{}
	for i, step := range []struct {
		invalid      bool
		surroundings annotations.Surroundings
		want         bool
	}{
		{false, unlimited, true},
		{false, annotations.Surroundings{Autoscalers: []annotations.Autoscaler{{Kind: annotations.KindHPA, Name: "web"}}}, false},
		{false, unlimited, true},
		{true, unlimited, false},
		{false, annotations.Surroundings{LimitRanges: []*corev1.LimitRange{{}}}, true},
	} {
		c.surroundings = step.surroundings
		seen := w
		if step.invalid {
			seen = &other
		}
		if _, ok := c.scaler.review(st, seen); ok != step.want {
			t.Errorf("step %d: %t, want %t", i, ok, step.want)
		}
		if n := testing.AllocsPerRun(10, func() { c.scaler.review(st, seen) }); step.want && n > 0 {
			t.Errorf("step %d: %.0f allocations for a verdict that is known", i, n)
		}
	}
}

// TestTakingOver: while another autoscaler scales, what is remembered grows old; once it is gone, scaling goes on from the replicas that
// are there, and in no sooner than after a window.
func TestTakingOver(t *testing.T) {
	hpa := annotations.Surroundings{Autoscalers: []annotations.Autoscaler{{Kind: annotations.KindHPA, Name: "web"}}}
	c := newCluster(t, selected())
	c.reconcile(15 * time.Second).wantWrites() // 1 replica, and it is right
	c.surroundings = hpa
	c.reconcile(30 * time.Second)
	nine := int32(9)
	c.deployment.Spec.Replicas, c.deployment.ResourceVersion = &nine, "2" // the other one writes
	c.milliCPU = 100                                                      // 2 would do
	c.reconcile(30 * time.Second).wantWrites()
	c.surroundings = annotations.Surroundings{}
	for range 19 {
		c.reconcile(15 * time.Second).wantWrites()
	}
	c.reconcile(15 * time.Second).reconcile(15 * time.Second).reconcile(15 * time.Second).wantWrites(2)

	c = newCluster(t, selected())
	c.surroundings = hpa
	c.deployment.Spec.Replicas = &nine
	c.reconcile(15 * time.Second)
	c.surroundings = annotations.Surroundings{Autoscalers: []annotations.Autoscaler{{Kind: annotations.KindScaledObject, Name: "web", Paused: true}}}
	c.milliCPU = 600
	c.reconcile(15 * time.Second).wantWrites(10) // of one that is paused it takes over at once
}

// TestAContainerThatThePodsHave need not be in the template: another webhook may have put it there.
func TestAContainerThatThePodsHave(t *testing.T) {
	pairs := selected()
	pairs["container"], pairs["target-cpu"] = "proxy", "250m"
	c := newCluster(t, pairs)
	c.reconcile(15 * time.Second)
	if event := <-c.events.Events; !strings.Contains(event, `Warning InvalidAnnotations metadata.annotations[mini-hpa/container]: Invalid value: "proxy"`) {
		t.Error(event)
	}
	c.injected = true
	c.reconcile(15 * time.Second)
	if event := <-c.events.Events; !strings.Contains(event, `Warning AnnotationWarning metadata.annotations[mini-hpa/container]: container "proxy" is not in the pod template, which has "app"; it may be injected (the pods have it)`) {
		t.Error(event)
	}
}
