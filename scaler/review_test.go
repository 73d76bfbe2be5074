package scaler

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/schedule"
)

func TestAVerdictHoldsForAsLongAsWhatItCameOf(t *testing.T) {
	c := newCluster(t, selected())
	mem, w := &remembered{}, c.Workload(web)
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
		if _, ok := c.scaler.review(mem, seen); ok != step.want {
			t.Errorf("step %d: %t, want %t", i, ok, step.want)
		}
		if n := testing.AllocsPerRun(10, func() { c.scaler.review(mem, seen) }); step.want && n > 0 {
			t.Errorf("step %d: %.0f allocations for a verdict that is known", i, n)
		}
	}
}

// TestADatePasses on a workload that does not change: that a line never counts any more is told then, whether something is decided or not.
func TestADatePasses(t *testing.T) {
	for _, mode := range []string{"auto", "paused"} {
		pairs := selected()
		pairs["schedule"], pairs["mode"] = "2025-12-30..2026-01-03 00:00-24:00 min=5", mode
		c := newCluster(t, pairs)
		if mode == "auto" { // it is looked at every 15 seconds
			c.now = time.Date(2026, 1, 5, 23, 0, 0, 0, time.UTC)
		}
		c.reconcile(0)
		drain(c)
		over, told := time.Date(2026, 1, 6, 0, 0, 0, 0, time.UTC), time.Time{}
		for range 1000 {
			if c.reconcile(0); strings.Contains(strings.Join(drain(c), "\n"), "never counts any more: all its dates are over") {
				told = c.now
				break
			}
			if c.lastWait == 0 {
				break
			}
			c.now = c.now.Add(c.lastWait)
		}
		if late := told.Sub(over); told.IsZero() || late < 0 || late > 17*time.Second {
			t.Errorf("%s: told at %s; want %s", mode, told, over)
		}
		c.reconcile(tick).wantEvents()
	}
}

// TestEqualAnnotationsShareAVerdict: if there is nothing to say of the workload, which may be the next one's own.
func TestEqualAnnotationsShareAVerdict(t *testing.T) {
	limited := annotations.Surroundings{Autoscalers: []annotations.Autoscaler{{Kind: annotations.KindHPA, Name: "web"}}}
	paused := annotations.Surroundings{Autoscalers: []annotations.Autoscaler{{Kind: annotations.KindHPA, Name: "web", Paused: true}}}
	for name, story := range map[string]struct {
		annotations  map[string]string
		surroundings annotations.Surroundings
		shared       bool
	}{
		"equal ones":           {selected(), annotations.Surroundings{}, true},
		"another value":        {map[string]string{"target-cpu": "50", "max": "11"}, annotations.Surroundings{}, false},
		"one more":             {map[string]string{"target-cpu": "50", "max": "10", "min": "1"}, annotations.Surroundings{}, false},
		"a problem of its own": {selected(), limited, false},
		"a warning of its own": {selected(), paused, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, selected())
			first, second := &remembered{}, &remembered{}
			c.scaler.review(first, c.Workload(web))
			c.annotate(story.annotations)
			c.surroundings = story.surroundings
			w := c.Workload(web)
			c.scaler.review(second, w)
			if got := second.reviewed.verdict == first.reviewed.verdict; got != story.shared {
				t.Errorf("shared: %t, want %t", got, story.shared)
			}
			alone := c.scaler.observer.Review(w, story.surroundings)
			if diff := cmp.Diff(&alone, second.reviewed.verdict, cmp.AllowUnexported(schedule.Schedule{}, schedule.Line{})); diff != "" {
				t.Errorf("sharing changes the verdict (-alone +shared):\n%s", diff)
			}
		})
	}
}

// TestALongVerdictIsNotRemembered: what users write must not fill the memory after their workloads are gone.
func TestALongVerdictIsNotRemembered(t *testing.T) {
	c := newCluster(t, selected())
	long := selected()
	long["metrics"] = "- type: External\n  external: {metric: {name: " + strings.Repeat("m", longestAnnotations) + "}, target: {type: AverageValue, averageValue: 10}}"
	c.annotate(long)
	mem := &remembered{}
	if _, ok := c.scaler.review(mem, c.Workload(web)); !ok || c.scaler.verdicts.seen.Len() > 0 {
		t.Errorf("%d remembered, problems: %v", c.scaler.verdicts.seen.Len(), mem.reviewed.verdict.Problems)
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
