package scaler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// twelve is a workload at its target whose pods somebody else's manifest does not ask for.
func twelve(t *testing.T, pairs map[string]string) *cluster {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "20"})
	for key, value := range pairs {
		c.deployment.Annotations[annotations.Prefix+key] = value
	}
	replicas := int32(12)
	c.deployment.Spec.Replicas, c.running = &replicas, replicas
	c.reconcile(time.Second).wantWrites()
	return c
}

// insist lets somebody write a number every so often, wherever it is not there, and the controller look whenever it would: it returns when
// the controller wrote.
func (c *cluster) insist(lasting, every time.Duration, replicas int32) []time.Duration {
	return c.insists(lasting, every, func(time.Duration) int32 { return replicas })
}

// insists is insist with a number of its own at each time.
func (c *cluster) insists(lasting, every time.Duration, number func(time.Duration) int32) []time.Duration {
	var wrote []time.Duration
	begun, look := c.now, c.now
	for end := c.now.Add(lasting); c.now.Before(end); c.now = c.now.Add(100 * time.Millisecond) {
		if replicas := number(c.now.Sub(begun)); c.now.Sub(begun)%every == 0 && *c.deployment.Spec.Replicas != replicas {
			c.overwrite("argocd-controller", "", replicas)
			look = c.now
		}
		if !c.now.Before(look) {
			before := len(c.writes)
			c.reconcile(0)
			if look = c.now.Add(c.lastWait); len(c.writes) > before {
				wrote, look = append(wrote, c.now.Sub(begun)), c.now
			}
		}
	}
	return wrote
}

func TestARivalIsNotFoughtWithoutEnd(t *testing.T) {
	c := twelve(t, nil)
	got := c.insist(12*time.Minute, time.Second, 1)
	want := []time.Duration{0, 16, 47, 108, 229, 470}
	for i := range want {
		want[i] *= time.Second
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("it wrote at (-want +got):\n%s", diff)
	}
	var told []string
	for len(c.events.Events) > 0 {
		if event := <-c.events.Events; !strings.Contains(event, "SuccessfulRescale") {
			told = append(told, event)
		}
	}
	if diff := cmp.Diff([]string{`Warning ReplicasOverwritten field manager "argocd-controller" sets the replicas again and again: now to 1, where mini-hpa ` +
		`wants 12 and tries again in 15s, later the more often they are overwritten. Take spec.replicas out of the manifest (or let the tool ignore it: ` +
		`ignoreDifferences in Argo CD), or remove the other autoscaler; to set replicas by hand, set mini-hpa/mode to paused first`}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if got := standings(t, c.scaler.telemetry.board); !slices.Contains(got, "overwritten_pause_seconds = 300") {
		t.Errorf("shown: %v", got)
	}
}

// TestWhoOverwritesIsSaidOnce: an Event, the state and the history name the same field manager, where several have set the replicas.
func TestWhoOverwritesIsSaidOnce(t *testing.T) {
	c := twelve(t, nil)
	drain(c)
	for range 3 {
		c.overwrite("kubectl", "scale", 1)
		c.deployment.ManagedFields = slices.Concat(signed("argocd-controller", "", 1), c.deployment.ManagedFields)
		c.reconcile(time.Second)
	}
	const who = `field manager "kubectl"`
	if events := strings.Join(drain(c), "\n"); !strings.Contains(events, "ReplicasOverwritten "+who+" sets the replicas again and again") {
		t.Errorf("told %s", events)
	}
	if row := c.row(); !strings.Contains(row, "OVERWRITTEN") || !strings.Contains(row, "by "+who+" 2s ago") {
		t.Errorf("shown %s", row)
	}
	for _, entry := range c.scaler.Chronicle(web) {
		if entry.Reason == EntryOverwritten && entry.Message != "replicas were set from 12 to 1 by "+who {
			t.Errorf("noted %+v", entry)
		}
	}
}

// TestARivalWhoseNumberChanges is not fought without end either, whatever way it goes: what is set during a pause does not make it longer.
func TestARivalWhoseNumberChanges(t *testing.T) {
	for name, number := range map[string]func(after time.Duration, i int32) int32{
		"one, then two": func(after time.Duration, _ int32) int32 {
			if after < 5*time.Second {
				return 1
			}
			return 2
		},
		"another autoscaler":   func(after time.Duration, _ int32) int32 { return 3 + int32(after/(30*time.Second))%4 },
		"up and down by turns": func(_ time.Duration, i int32) int32 { return [...]int32{1, 18}[i%2] },
		"always one more":      func(_ time.Duration, i int32) int32 { return 1 + i%11 },
		"always one fewer":     func(_ time.Duration, i int32) int32 { return 11 - i%11 },
		"anything":             func(_ time.Duration, i int32) int32 { return 1 + i*i*31%17%11 },
	} {
		t.Run(name, func(t *testing.T) {
			c := twelve(t, map[string]string{"scale-down-stabilization": "0s"})
			i := int32(0)
			got := c.insists(12*time.Minute, time.Second, func(after time.Duration) int32 {
				if after%time.Second == 0 {
					i++
				}
				return number(after, i)
			})
			if len(got) > 20 || len(got) < 4 {
				t.Errorf("it wrote at %v, want a pause that grows, and an end of each", got)
			}
			told := c.told()
			overwritten := slices.DeleteFunc(told, func(s string) bool { return !strings.Contains(s, "ReplicasOverwritten") })
			if len(overwritten) != 1 {
				t.Errorf("told %q, want who overwrites once", overwritten)
			}
		})
	}
}

// TestThePauseShrinks once the rival rests, and in the end a single change is taken back at once again.
func TestThePauseShrinks(t *testing.T) {
	c := twelve(t, nil)
	c.insist(4*time.Minute, time.Second, 1)
	for _, rest := range []struct {
		lasting time.Duration
		pause   int
	}{{0, 240}, {4 * time.Minute, 240}, {4 * time.Minute, 120}, {2 * time.Minute, 60}, {time.Minute, 30}, {30 * time.Second, 15}, {30 * time.Second, 0}} {
		c.now = c.now.Add(rest.lasting)
		c.reconcile(0)
		if got := standings(t, c.scaler.telemetry.board); !slices.Contains(got, fmt.Sprintf("overwritten_pause_seconds = %d", rest.pause)) {
			t.Errorf("after %s: %v, want a pause of %d s", rest.lasting, got, rest.pause)
		}
	}
	c.now = c.now.Add(time.Hour)
	for c.reconcile(0); len(c.events.Events) > 0; {
		<-c.events.Events
	}
	if got := standings(t, c.scaler.telemetry.board); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "overwritten") }) {
		t.Errorf("after an hour: %v, want no rival", got)
	}
	before := len(c.writes)
	c.overwrite("kubectl", "scale", 1)
	if c.reconcile(0); len(c.writes) != before+1 {
		t.Errorf("a single change was not taken back at once")
	}
	c.wantEvents("Normal SuccessfulRescale New size: 12; reason: cpu utilization 50% at target 50% (12 of 12 pods, sample 2s old); somebody else has set 1 instead of 12")
}

// TestWhoWritesSeldomIsTold, and taken back at once each time.
func TestWhoWritesSeldomIsTold(t *testing.T) {
	c := twelve(t, nil)
	got := c.insist(12*time.Minute+time.Second, 3*time.Minute, 1)
	if diff := cmp.Diff([]time.Duration{0, 3 * time.Minute, 6 * time.Minute, 9 * time.Minute, 12 * time.Minute}, got); diff != "" {
		t.Errorf("it wrote at (-want +got):\n%s", diff)
	}
	told := 0
	for len(c.events.Events) > 0 {
		if strings.Contains(<-c.events.Events, "ReplicasOverwritten") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
}

// TestWhoIsAgreedWithIsNoRival: somebody scales by hand, the other way or further than the load asks for.
func TestWhoIsAgreedWithIsNoRival(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "40", "scale-up-policies": "100 pods/15s"})
	for i := range int32(6) {
		c.reconcile(time.Second)
		c.overwrite("kubectl", "scale", 2+2*i)
		c.milliCPU = 500 + 100*int64(i)
	}
	for len(c.events.Events) > 0 {
		if event := <-c.events.Events; !strings.Contains(event, "SuccessfulRescale") {
			t.Errorf("told: %s", event)
		}
	}
}

// TestAPausedWorkloadHasNoRival: what is set by hand meanwhile is left alone, and forgotten.
func TestAPausedWorkloadHasNoRival(t *testing.T) {
	c := twelve(t, map[string]string{"mode": "paused"})
	for range 5 {
		c.overwrite("kubectl", "scale", 1)
		c.reconcile(time.Second)
		c.overwrite("kubectl", "scale", 12)
		c.reconcile(time.Second)
	}
	c.wantWrites().wantEvents()
}
