//go:build linux

package story

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/test/node/calls"
	"github.com/mini-hpa/mini-hpa/test/rig"
)

// awakening is when the first request of a burst to a workload that sleeps was made, and when the first of them was answered.
type awakening struct{ begun, answered time.Time }

// timeline is what happened to a request that woke a workload, each moment by the clock of the machine.
type timeline struct {
	// begun is when its client began to connect, answered when it had the whole answer.
	begun, answered time.Time
	// asked and scaled are when the API server had read what mini-hpa wants of /scale, and had answered it.
	asked, scaled time.Time
	// bound is when the pod had a node, began when its process began, ready when its EndpointSlice said that it is ready.
	bound, began, ready time.Time
}

// span is a part of a timeline.
type span struct {
	what     string
	from, to time.Time
}

func (s span) takes() time.Duration { return s.to.Sub(s.from) }

// spans are the parts of which the last is the end of the first.
func (t *timeline) spans() []span {
	return []span{
		{"the request waits for its answer", t.begun, t.answered},
		{"mini-hpa hears of it and writes replicas", t.begun, t.scaled},
		{"Kubernetes makes a pod and finds a node", t.scaled, t.bound},
		{"the node starts the container", t.bound, t.began},
		{"the program starts until the pod is ready", t.began, t.ready},
		{"the request is passed on and answered", t.ready, t.answered},
	}
}

// timelines looks up what happened between the first request of each burst and the first answer, of pods to the first that was ready. One of which a moment is not known is left out.
func timelines(wakes []awakening, records []rig.Record, ready []readiness, ledger *calls.Ledger) []timeline {
	var found []timeline
	for _, w := range wakes {
		t := timeline{begun: w.begun, answered: w.answered}
		within := func(at time.Time) bool { return !at.Before(w.begun) && !at.After(w.answered) }
		var pod string
		if first := slices.IndexFunc(ready, func(r readiness) bool { return within(r.at) }); first >= 0 {
			t.ready, pod = ready[first].at, ready[first].pod
		}
		for i := range records {
			r := &records[i]
			if !within(r.Received) || r.ObjectRef == nil || r.ObjectRef.Namespace != shop || !r.Stored() {
				continue
			}
			switch {
			case t.asked.IsZero() && r.On("deployments/scale") && r.Verb != "get" && r.User.Username == account:
				t.asked, t.scaled = r.Received, r.Answered
			case t.bound.IsZero() && r.On("pods/binding") && r.ObjectRef.Name == pod:
				t.bound, t.began = r.Answered, ledger.Began(r.ObjectRef.Name)
			}
		}
		if !slices.ContainsFunc(t.spans(), func(s span) bool { return s.from.IsZero() || s.to.IsZero() }) {
			found = append(found, t)
		}
	}
	return found
}

// tellWakes tells how long wakes took, shows one of them, that which took as long as half of them at most, and draws it.
func (d *director) tellWakes(picture string) error {
	records, err := rig.ReadAudit(d.Cluster.AuditLog())
	if err != nil {
		return err
	}
	d.calls.mu.Lock()
	all := timelines(d.calls.wakes, records, d.calls.ready, &d.calls.ledger)
	wakes := len(d.calls.wakes)
	d.calls.mu.Unlock()
	d.say("%d of %d wakes are known in all their parts", len(all), wakes)
	if len(all) == 0 {
		return nil
	}
	for i := range all[0].spans() {
		var takes []time.Duration
		for k := range all {
			takes = append(takes, all[k].spans()[i].takes())
		}
		d.say("  %-42s p50 %5d ms, p99 %5d ms", all[0].spans()[i].what, quantile(takes, 50).Milliseconds(), quantile(takes, 99).Milliseconds())
	}
	var pods []time.Duration
	for _, t := range all {
		pods = append(pods, t.ready.Sub(t.scaled))
	}
	d.say("  %-42s p50 %5d ms, p99 %5d ms", "of which the pod by itself takes", quantile(pods, 50).Milliseconds(), quantile(pods, 99).Milliseconds())
	slices.SortFunc(all, func(a, b timeline) int { return int(a.answered.Sub(a.begun) - b.answered.Sub(b.begun)) })
	one := all[(len(all)-1)/2]
	d.say("one of them:\n%s", one.text())
	if picture == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(picture), 0o755); err != nil {
		return fmt.Errorf("make the folder of the picture: %w", err)
	}
	if err := os.WriteFile(picture, []byte(one.draw()), 0o644); err != nil { //nolint:gosec // it is for everybody
		return fmt.Errorf("write the picture: %w", err)
	}
	d.say("it is drawn in %s", picture)
	return nil
}

// quantile is the smallest that at least so many of a hundred do not exceed.
func quantile(all []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max((len(sorted)*percent+99)/100, 1)-1]
}

// text is the timeline in lines of text.
func (t *timeline) text() string {
	var b strings.Builder
	for _, moment := range []struct {
		at   time.Time
		what string
	}{
		{t.begun, "the client connects, and an activator holds the request"},
		{t.asked, "mini-hpa writes replicas to /scale"},
		{t.scaled, "the API server has answered that"},
		{t.bound, "the pod has a node"},
		{t.began, "its process begins"},
		{t.ready, "the cluster says that it is ready"},
		{t.answered, "the client has the answer"},
	} {
		fmt.Fprintf(&b, "  %6d ms  %s\n", moment.at.Sub(t.begun).Milliseconds(), moment.what)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
