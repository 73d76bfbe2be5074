package metrics

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

var allow = gocmp.AllowUnexported(parts{})

func TestFollowWanted(t *testing.T) {
	stories := map[string]struct {
		before   parts
		complete bool
		want     bool
		after    parts
	}{
		"a part is missing":                   {parts{patience: 3, skipped: 7}, false, true, parts{patience: 3}},
		"looks complete":                      {parts{patience: 3}, true, false, parts{patience: 3, skipped: 1}},
		"looks complete, the rest comes late": {parts{patience: 3, spread: 2 * s}, true, true, parts{patience: 3, spread: 2 * s}},
		"a part is always missing":            {parts{skipped: 5}, false, false, parts{skipped: 6}},
		"tried again after a while":           {parts{skipped: retrial - 1}, false, true, parts{patience: 1}},
		"a complete one is, too":              {parts{patience: 3, skipped: retrial - 1}, true, true, parts{patience: 1}},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			f := story.before
			if got := f.wanted(story.complete); got != story.want {
				t.Errorf("wanted %v, want %v", got, story.want)
			}
			if diff := gocmp.Diff(story.after, f, allow); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFollowed is one LIST after the rest of a set that appeared 2 s ago, with 10 pods, of which 6 were seen.
func TestFollowed(t *testing.T) {
	stories := map[string]struct {
		before   parts
		advanced int
		repeated int
		want     parts
		wait     time.Duration
	}{
		"the rest": {parts{left: 4, patience: 1}, 4, 0, parts{patience: 3, spread: 1875 * ms, found: true}, 13 * s},
		"a part of it, more may come": {
			parts{left: 4, patience: 3}, 2, 0, parts{left: 3, patience: 3, spread: 1875 * ms, found: true}, s,
		},
		"a part of it, when the last was expected": {
			parts{left: 2, patience: 3, spread: 2 * s}, 2, 0, parts{patience: 3, spread: 1875 * ms, found: true}, 13 * s,
		},
		"nothing yet": {parts{left: 2, patience: 3, spread: 2 * s}, 0, 0, parts{left: 1, patience: 3, spread: 2 * s}, s},
		"nothing":     {parts{left: 1, patience: 3, spread: 2 * s}, 0, 0, parts{patience: 2}, 13 * s},
		"only pods with a rhythm of their own": {
			parts{left: 1, patience: 3}, 2, 2, parts{patience: 2}, 13 * s,
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			sched := newSchedule(15 * s)
			sched.mode, sched.set = locked, set{began: epoch.Add(-2 * s), fresh: 6}
			sched.phase = phase{period: 15 * s, span: 8, due: epoch.Add(13 * s), parts: story.before}
			o := observation{sent: epoch, done: epoch, listed: 10, comparable: 10, advanced: story.advanced, repeated: story.repeated}
			got, wait := sched.next(o)
			if diff := gocmp.Diff(story.want, got.phase.parts, allow); diff != "" || wait != story.wait {
				t.Errorf("wait %v, want %v; parts (-want +got):\n%s", wait, story.wait, diff)
			}
		})
	}
}

// TestLockGivesUpASet: it goes on with the next one as if it had not looked for this one, and looks in between.
func TestLockGivesUpASet(t *testing.T) {
	stories := map[string]struct{ late, wait, due time.Duration }{
		"a moment late":             {0, firstRetry, 0},
		"too late":                  {4500 * ms, 5 * s, 15 * s},
		"too late, the next is due": {9500 * ms, 5500 * ms, 15 * s},
		"far too late":              {40 * s, 5 * s, 45 * s},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			sched := newSchedule(15 * s)
			sched.mode, sched.phase = locked, phase{period: 15 * s, span: 8, seen: 8, due: epoch, run: 2}
			if story.late > 0 {
				sched.phase.tries = 5
			}
			now := epoch.Add(story.late)
			got, wait := sched.next(observation{sent: now, done: now, listed: 10, comparable: 10})
			if wait != story.wait || !got.phase.due.Equal(epoch.Add(story.due)) {
				t.Errorf("wait %v, due in %v; want %v, %v", wait, got.phase.due.Sub(epoch), story.wait, story.due)
			}
			if lost := story.due > 0; got.phase.lost != lost || lost && (got.phase.tries != 0 || got.phase.run != 0) {
				t.Errorf("phase %+v", got.phase)
			}
		})
	}
}

// TestLockSees is a set that is seen a second after it was due, with a LIST of the set before still owed.
func TestLockSees(t *testing.T) {
	whole := observation{sent: epoch, done: epoch, listed: 10, comparable: 10, advanced: 10, repeated: 10}
	stories := map[string]struct {
		blind bool
		due   time.Duration
	}{
		"at the first look":                   {false, 15*s - creeps[1]},
		"after a failure, so moments unknown": {true, 14 * s},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			sched := newSchedule(15 * s)
			sched.mode = locked
			sched.phase = phase{period: 15 * s, span: 8, due: epoch.Add(-s), blind: story.blind, parts: parts{left: 2}}
			got, wait := sched.next(whole)
			if wait != story.due || got.phase.parts.left != 0 || got.phase.blind {
				t.Errorf("wait %v, want %v; phase %+v", wait, story.due, got.phase)
			}
		})
	}
}
