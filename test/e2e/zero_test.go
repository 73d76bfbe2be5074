package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
	"github.com/mini-hpa/mini-hpa/test/rig"
)

// TestZeroSleepsAndWakes: a queue is empty, gets a backlog, and is empty again. The log says how long it takes from the question that shows
// the backlog to the write.
func TestZeroSleepsAndWakes(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.setQueue("night", 100)
	d := shared.deploy(t, ns, "worker", 1, 0, sleepy("night", map[string]string{"scale-up-policies": "4 pods/3s, 100%/3s"}))
	proxy, through := shared.proxied(t, ns)
	shared.controller(t, ns, through...)
	shared.awaitLeader(t, ns)
	shared.samples(t, 2)
	d.wantHistory(1)
	for range 2 {
		shared.setQueue("night", 0)
		d.await(0)
		before, from := shared.load.Asked(loadsim.ExternalAPI, "night"), time.Now()
		shared.samples(t, 3)
		t.Logf("asleep, asked %d times in %s with a sync period of 1 s", shared.load.Asked(loadsim.ExternalAPI, "night")-before, time.Since(from).Round(time.Millisecond))
		d.await(0)
		shared.setQueue("night", 5200) // 52 pods are needed, 40 allowed
		d.await(40)
	}
	shared.setQueue("night", 0)
	d.await(0)
	d.wantHistory(1, 0, 4, 8, 16, 32, 40, 0, 4, 8, 16, 32, 40, 0)
	t.Logf("from the question to the write that wakes: %v", d.toWake(proxy, "night"))
	d.awaitState("asleep")
	d.eventually("an Event for each write", func(context.Context) (bool, string) {
		return d.told("SuccessfulRescale") == len(d.history())-1, fmt.Sprint(d.events())
	})
}

// TestZeroOfWhatCannotBeKnown: of a metric that fails in any way it is not known that there is nothing to do. It puts nothing to sleep and
// wakes nothing, but for the fallback.
func TestZeroOfWhatCannotBeKnown(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	proxy, through := shared.proxied(t, ns)
	faults := map[string]rig.Fault{
		"refuses": {Answer: http.StatusInternalServerError}, "hangs": {Hold: true}, "forgets": {Answer: http.StatusNotFound},
		"empty": {Respond: externalAnswer("")}, "nan": {Respond: externalAnswer(externalValue("x", `"NaN"`))},
		"word": {Respond: externalAnswer(externalValue("x", `"none"`))}, "null": {Respond: externalAnswer(externalValue("x", "null"))},
		"negative": {Respond: externalAnswer(externalValue("x", `"-1"`))}, "torn": {Respond: answering("application/json", "", []byte(`{"kind":"Ext`))},
		"nothing": {Respond: func(http.ResponseWriter, *http.Request) {}},
	}
	type story struct {
		day, night, safe *workload
		busy, idle       string
	}
	stories := map[string]*story{}
	for name := range faults {
		s := &story{busy: name + "-busy", idle: name + "-idle"}
		shared.setQueue(s.busy, 100)
		shared.setQueue(s.idle, 0)
		s.day = shared.deploy(t, ns, name+"-day", 1, 0, sleepy(s.busy, nil))
		s.night = shared.deploy(t, ns, name+"-night", 1, 0, sleepy(s.idle, nil))
		s.safe = shared.deploy(t, ns, name+"-safe", 1, 0, sleepy(s.idle, map[string]string{"fallback": "3 after 15s"}))
		stories[name] = s
	}
	shared.controller(t, ns, append(through, "--kube-api-timeout", "1s")...)
	for _, s := range stories {
		s.night.await(0)
		s.safe.await(0)
	}
	shared.samples(t, 2)
	var lifts []func()
	for name, fault := range faults {
		for _, metric := range []string{stories[name].busy, stories[name].idle} {
			lifts = append(lifts, proxy.Break(ofMetric(metric), fault))
		}
	}
	for _, s := range stories {
		s.safe.await(3)
	}
	shared.samples(t, 3)
	for name, s := range stories {
		s.day.wantHistory(1)
		s.night.wantHistory(1, 0)
		s.safe.wantHistory(1, 0, 3)
		if t.Failed() {
			t.Errorf("%s: Events %q, %q, %q", name, s.day.events(), s.night.events(), s.safe.events())
		}
		shared.setQueue(s.busy, 0)
		shared.setQueue(s.idle, 150)
	}
	for _, lift := range lifts {
		lift()
	}
	for _, s := range stories {
		s.day.await(0)
		s.night.await(2)
		s.safe.await(2)
	}
}

// TestZeroOfGitOps: a manifest says 0, and is applied again and again while there is something to do. The workload wakes each time, later the
// more often that happens, which is told once; then the tool rests.
func TestZeroOfGitOps(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.setQueue(ns, 250)
	// Between two applies there are less than two sync periods: otherwise they are not seen as one row of them, and told of again.
	d := shared.begin(t, deployments, ns, "web", 0, 0, sleepy(ns, map[string]string{"sleep-after": "1h", "scale-up-policies": "100 pods/1s", "sync-period": "5s"}))
	d.record()
	shared.controller(t, ns)
	for n := range 4 {
		d.await(3)
		d.apply(0)
		d.eventually("the 0 of the manifest is seen", func(context.Context) (bool, string) { // or what was before it would be taken for the wake after it
			return len(d.history()) >= 3+2*n, fmt.Sprint(d.history())
		})
	}
	if event := d.awaitEvent("ReplicasOverwritten"); !strings.Contains(event, `field manager "kubectl-client-side-apply" sets the replicas again and again: now to 0, where mini-hpa wants 3`) {
		t.Errorf("event %q", event)
	}
	d.await(3)
	d.wantHistory(0, 3, 0, 3, 0, 3, 0, 3, 0, 3)
	if n, disabled := d.told("ReplicasOverwritten"), d.told("ScalingDisabled"); n != 1 || disabled != 0 {
		t.Errorf("told %d times, want once, and %d times that it is paused, want never: %q", n, disabled, d.events())
	}
}

// TestZeroByTheClock: a schedule alone says how many there are at a moment. The finest that it has are minutes, so its lines are changed here.
func TestZeroByTheClock(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	line := func(bounds string) map[string]string {
		return map[string]string{"schedule": "zone Europe/Berlin\ndaily 00:00-24:00 " + bounds, "min": "1", "max": "5", "sync-period": "1s"}
	}
	d := shared.deploy(t, ns, "web", 2, 0, line("replicas=0"))
	c := shared.controller(t, ns)
	d.await(0)
	d.awaitState("asleep")
	shows := func(part string) {
		t.Helper()
		d.eventually("explain names the line", func(ctx context.Context) (bool, string) {
			text, err := d.explain(ctx)
			return err == nil && strings.Contains(text, part), fmt.Sprint(text, err)
		})
	}
	shows(`line 2, "daily 00:00-24:00", Europe/Berlin: replicas=0`)
	c.terminate()
	shared.controller(t, ns)
	d.annotate(line("min=3"))
	d.await(3)
	shows(`line 2, "daily 00:00-24:00", Europe/Berlin: min=3`)
	d.annotate(line("replicas=1"))
	d.await(1)
	d.scaleBy(0)
	d.awaitState(`paused by "somebody"`)
	shared.samples(t, 2)
	d.wantHistory(2, 0, 3, 1, 0)
}

// TestZeroOfOtherKinds: of a StatefulSet it is known who has set 0, of a custom resource it is not. A pause of that is one by its mode.
func TestZeroOfOtherKinds(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	train := shared.define(t, trains(t, "zero.example.com"))
	shared.permit(t, train)
	shared.setQueue(ns, 250)
	fast := map[string]string{"scale-up-policies": "100 pods/1s"}
	set := shared.run(t, statefulSets, ns, "db", 1, 0, sleepy(ns, fast))
	ice := shared.run(t, train, ns, "ice", 1, 0, sleepy(ns, fast))
	both := []*workload{set, ice}
	c := shared.controller(t, ns, named(train))
	for _, d := range both {
		d.await(3)
	}
	shared.setQueue(ns, 0)
	for _, d := range both {
		d.await(0)
		d.awaitState("asleep", named(train))
	}
	c.terminate()
	c = shared.controller(t, ns, named(train))
	shared.setQueue(ns, 250)
	for _, d := range both {
		d.await(3)
	}
	set.scaleBy(0)
	ice.overwrite(0, ice.scaleBy)
	set.awaitState(`paused by "somebody"`)
	ice.annotate(map[string]string{"mode": "paused"})
	ice.awaitState("paused by its mode", named(train))
	shared.samples(t, 2)
	ice.scaleBy(0)
	shared.samples(t, 3)
	set.wantHistory(1, 3, 0, 3, 0)
	ice.wantHistory(1, 3, 0, 3, 0, 3, 0)
	c.running()
}
