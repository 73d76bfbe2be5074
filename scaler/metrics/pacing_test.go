package metrics

import (
	"math/rand/v2"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestPause: whatever the plan, LISTs keep a distance that grows with the time the server needs.
func TestPause(t *testing.T) {
	now := epoch
	for name, story := range map[string]struct{ took, ahead, want time.Duration }{
		"planned":              {100 * ms, 3 * s, 3 * s},
		"overdue":              {20 * ms, -3 * s, 180 * ms},
		"overdue, not so fast": {180 * ms, -3 * s, 100 * ms},
		"overdue, slow":        {4 * s, -3 * s, 2 * s},
		"due just now":         {500 * ms, 10 * ms, 250 * ms},
	} {
		o := observation{sent: now.Add(-story.took), done: now}
		if got := pause(o, now.Add(story.ahead)); got != story.want {
			t.Errorf("%s: %v, want %v", name, got, story.want)
		}
	}
}

// TestCreep is how much earlier to look after sets that were there at the first look.
func TestCreep(t *testing.T) {
	for name, story := range map[string]struct {
		phase phase
		want  time.Duration
	}{
		"a moment known well":            {phase{period: 15 * s, span: 8, slack: s}, 0},
		"there at once":                  {phase{period: 15 * s, span: 8, slack: s, run: 1}, 125 * ms},
		"there at once again and again":  {phase{period: 15 * s, span: 8, slack: s, run: 6}, 2 * s},
		"a period known to 1 s":          {phase{period: 15 * s, span: 1, slack: s}, s},
		"measured over four":             {phase{period: 15 * s, span: 4, slack: s, run: 1}, 250 * ms},
		"never a large part of a period": {phase{period: 2 * s, span: 8, slack: s, run: 6}, 500 * ms},
	} {
		if got := story.phase.creep(); got != story.want {
			t.Errorf("%s: %v, want %v", name, got, story.want)
		}
	}
}

// TestScheduleLocksFromAnyPhase starts the feed at every moment of a period.
func TestScheduleLocksFromAnyPhase(t *testing.T) {
	for phase := time.Duration(0); phase < 15*s; phase += 230 * ms {
		p := steady(15*s, phase, 12*m)
		r := p.run(15*s, 10*m)
		learning := chapter{from: phase + 30*s, to: 3 * m, period: 15 * s, lists: 4, mean: 800 * ms, worst: 1200 * ms}
		learning.check(t, p, r)
		locked := chapter{from: 3 * m, to: 10 * m, period: 15 * s, lists: 1.8, mean: 250 * ms, worst: 600 * ms}
		locked.check(t, p, r)
		if t.Failed() {
			t.Fatalf("with the first set %v after the start", phase)
		}
	}
}

// TestScheduleAfterFailure is the rate at which an API that does not answer is asked.
func TestScheduleAfterFailure(t *testing.T) {
	stories := map[string]struct {
		took time.Duration
		want []time.Duration
	}{
		"refused at once":      {0, []time.Duration{s, 2 * s, 3 * s, 4 * s, 5 * s, 5 * s, 5 * s}},
		"hangs until deadline": {5 * s, []time.Duration{s, 2 * s, 2 * s, 2 * s, 2 * s, 2 * s, 2 * s}},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			sched, now := newSchedule(15*s), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			var waits []time.Duration
			for range story.want {
				o := observation{sent: now, done: now.Add(story.took), failed: true}
				var wait time.Duration
				sched, wait = sched.next(o)
				waits = append(waits, wait)
				now = o.done.Add(wait)
			}
			if diff := gocmp.Diff(story.want, waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzSchedule plays arbitrary answers. Whatever the publisher does, the waits are bounded on both sides and a minute
// costs a bounded number of LISTs.
func FuzzSchedule(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add(uint64(2), []byte{100, 0, 0, 255, 255, 255, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255})
	f.Fuzz(func(t *testing.T, seed uint64, script []byte) {
		random := rand.New(rand.NewPCG(seed, seed))
		sched, now := newSchedule(time.Duration(1+seed%90)*s), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		var sent []time.Time
		for _, b := range append(script, make([]byte, 200)...) {
			o := observation{sent: now, done: now.Add(time.Duration(b%7) * 30 * ms), failed: b > 240}
			if !o.failed {
				o.listed = int(b % 16)
				o.comparable = random.IntN(o.listed + 1)
				o.advanced = random.IntN(o.comparable + 1)
				o.repeated = random.IntN(o.advanced + 1)
			}
			var wait time.Duration
			sched, wait = sched.next(o)
			if wait < breather || wait > longest {
				t.Fatalf("wait of %v after %+v", wait, o)
			}
			sent = append(sent, now)
			now = o.done.Add(wait)
			const perMinute = 120
			if n := len(sent); n > perMinute && sent[n-1].Sub(sent[n-1-perMinute]) < time.Minute {
				t.Fatalf("more than %d LISTs in a minute", perMinute)
			}
		}
	})
}
