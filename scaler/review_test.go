package scaler

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func TestAVerdictHoldsForAsLongAsWhatItCameOf(t *testing.T) {
	c := newCluster(t, selected())
	w, d := &workload{told: map[topic]string{}}, c.deployment
	other := d.DeepCopy()
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
		seen := d
		if step.invalid {
			seen = other
		}
		if _, ok := c.scaler.review(w, seen); ok != step.want {
			t.Errorf("step %d: %t, want %t", i, ok, step.want)
		}
		if n := testing.AllocsPerRun(10, func() { c.scaler.review(w, seen) }); step.want && n > 0 {
			t.Errorf("step %d: %.0f allocations for a verdict that is known", i, n)
		}
	}
}
