package story

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const began = 100 * time.Second

// sights is a track of one point per second from the phase's start to now, with these changes, times counted from the phase's start.
func sights(name string, replicas int32, now time.Duration, changes ...Change) Track {
	track := Track{Workload: name}
	for at := time.Duration(0); at <= now; at += time.Second {
		for _, c := range changes {
			if c.At == at {
				replicas = c.To
			}
		}
		track.Points = append(track.Points, Point{At: began + at, Replicas: replicas})
	}
	for _, c := range changes {
		c.At += began
		track.Changes = append(track.Changes, c)
	}
	return track
}

func change(after time.Duration, from, to int32) Change {
	return Change{At: after * time.Second, From: from, To: to}
}

func TestReaches(t *testing.T) {
	const s = time.Second
	hold := Reaches{Workload: "web", Replicas: 1, Within: 20 * s, Hold: 10 * s}
	out := Reaches{Workload: "web", Replicas: 5, Within: 20 * s, Hold: 10 * s}
	in := Reaches{Workload: "web", Replicas: 1, NotBefore: 25 * s, Within: 50 * s, Hold: 5 * s}
	tests := map[string]struct {
		expect Reaches
		from   int32
		now    time.Duration
		events []Change
		want   Verdict
	}{
		"staying is not yet proven":                {expect: hold, from: 1, now: 9 * s, want: Verdict{State: Pending}},
		"staying is enough":                        {expect: hold, from: 1, now: 10 * s, want: Verdict{Held, "web stayed at 1"}},
		"any change breaks staying":                {expect: hold, from: 1, now: 9 * s, events: []Change{change(3, 1, 2)}, want: Verdict{Failed, "web went 1 -> 2 after 3s, expected 1"}},
		"nothing seen yet is not zero replicas":    {expect: hold, from: -1, now: 9 * s, want: Verdict{State: Pending}},
		"nothing seen at all fails in the end":     {expect: hold, from: -1, now: 21 * s, want: Verdict{Failed, "web is at 0 after 21s, expected 1"}},
		"arrived, but not for long enough":         {expect: out, from: 1, now: 15 * s, events: []Change{change(6, 1, 5)}, want: Verdict{State: Pending}},
		"arrived and stayed":                       {expect: out, from: 1, now: 16 * s, events: []Change{change(6, 1, 5)}, want: Verdict{Held, "web went 1 -> 5 in 6s and stayed there"}},
		"steps on the way are fine":                {expect: out, from: 1, now: 30 * s, events: []Change{change(6, 1, 3), change(11, 3, 5)}, want: Verdict{Held, "web went 1 -> 3 -> 5 in 11s and stayed there"}},
		"overshoot is not":                         {expect: out, from: 1, now: 7 * s, events: []Change{change(6, 1, 6)}, want: Verdict{Failed, "web went 1 -> 6 after 6s, expected 5"}},
		"nor is a step back":                       {expect: out, from: 2, now: 7 * s, events: []Change{change(6, 2, 1)}, want: Verdict{Failed, "web went 2 -> 1 after 6s, expected 5"}},
		"nor leaving again":                        {expect: out, from: 1, now: 12 * s, events: []Change{change(6, 1, 5), change(11, 5, 4)}, want: Verdict{Failed, "web went 5 -> 4 after 11s, expected 5"}},
		"never arriving":                           {expect: out, from: 1, now: 21 * s, events: []Change{change(6, 1, 4)}, want: Verdict{Failed, "web is at 4 after 21s, expected 5"}},
		"arriving too late, seen late":             {expect: out, from: 1, now: 40 * s, events: []Change{change(25, 1, 5)}, want: Verdict{Failed, "web went 1 -> 5 only after 25s, expected it within 20s"}},
		"waiting for the window":                   {expect: in, from: 10, now: 30 * s, want: Verdict{State: Pending}},
		"scale-in before the window is over":       {expect: in, from: 10, now: 13 * s, events: []Change{change(12, 10, 1)}, want: Verdict{Failed, "web went 10 -> 1 after 12s already, expected nothing before 25s"}},
		"scale-in after the window":                {expect: in, from: 10, now: 40 * s, events: []Change{change(31, 10, 1)}, want: Verdict{Held, "web went 10 -> 1 in 31s and stayed there"}},
		"a change of the phase before is not ours": {expect: hold, from: 1, now: 10 * s, events: []Change{change(-3, 2, 1)}, want: Verdict{Held, "web stayed at 1"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			seen := Seen{Began: began, Now: began + tt.now, Tracks: []Track{{Workload: "other"}}}
			if tt.from >= 0 {
				seen.Tracks = append(seen.Tracks, sights("web", tt.from, tt.now, tt.events...))
			}
			if diff := cmp.Diff(tt.want, tt.expect.Judge(seen)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCalmer(t *testing.T) {
	const span = 90 * time.Second
	expect := Calmer{Wild: "flappy", Calm: "steady", Times: 3, For: span}
	tests := map[string]struct {
		now        time.Duration
		wild, calm int
		want       Verdict
	}{
		"too early to tell":      {now: span - 1, wild: 9, calm: 1, want: Verdict{State: Pending}},
		"three times as many":    {now: span, wild: 6, calm: 2, want: Verdict{Held, "flappy changed its replicas 6 times, steady 2 times"}},
		"not quite three times":  {now: span, wild: 5, calm: 2, want: Verdict{Failed, "flappy changed its replicas 5 times, steady 2 times, expected at least 3 times as many"}},
		"steady never moved":     {now: span, wild: 5, calm: 0, want: Verdict{Failed, "flappy changed its replicas 5 times, steady 0 times: the load never reached steady"}},
		"nothing moved anywhere": {now: span, want: Verdict{Failed, "flappy changed its replicas 0 times, steady 0 times: the load never reached steady"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			seen := Seen{Began: began, Now: began + tt.now, Tracks: []Track{
				sights("flappy", 1, tt.now, flaps(tt.wild)...),
				sights("steady", 1, tt.now, flaps(tt.calm)...),
			}}
			if diff := cmp.Diff(tt.want, expect.Judge(seen)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// flaps goes up and down n times, the first time before the phase began.
func flaps(n int) []Change {
	changes := []Change{change(-5, 2, 1)}
	for i := range n {
		from, to := int32(1), int32(4)
		if i%2 == 1 {
			from, to = to, from
		}
		changes = append(changes, change(time.Duration(5+5*i), from, to))
	}
	return changes
}
