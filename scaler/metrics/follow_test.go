package metrics

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

var allow = gocmp.AllowUnexported(follow{})

func TestFollowWanted(t *testing.T) {
	stories := map[string]struct {
		before   follow
		complete bool
		want     bool
		after    follow
	}{
		"a part is missing":                   {follow{patience: 3, skipped: 7}, false, true, follow{patience: 3}},
		"looks complete":                      {follow{patience: 3}, true, false, follow{patience: 3, skipped: 1}},
		"looks complete, the rest comes late": {follow{patience: 3, spread: 2 * s}, true, true, follow{patience: 3, spread: 2 * s}},
		"a part is always missing":            {follow{skipped: 5}, false, false, follow{skipped: 6}},
		"tried again after a while":           {follow{skipped: retrial - 1}, false, true, follow{patience: 1}},
		"a complete one is, too":              {follow{patience: 3, skipped: retrial - 1}, true, true, follow{patience: 1}},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			f := story.before
			if got := f.wanted(story.complete); got != story.want {
				t.Errorf("wanted %v, want %v", got, story.want)
			}
			if diff := gocmp.Diff(story.after, f, allow); diff != "" {
				t.Errorf("follow (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFollowed is one LIST after the rest of a set that appeared 2 s ago, with 10 pods, of which 6 were seen.
func TestFollowed(t *testing.T) {
	stories := map[string]struct {
		before   follow
		advanced int
		repeated int
		want     follow
		wait     time.Duration
	}{
		"the rest": {follow{left: 4, patience: 1}, 4, 0, follow{patience: 3, spread: 1875 * ms, found: true}, 13 * s},
		"a part of it, more may come": {
			follow{left: 4, patience: 3}, 2, 0, follow{left: 3, patience: 3, spread: 1875 * ms, found: true}, s,
		},
		"a part of it, when the last was expected": {
			follow{left: 2, patience: 3, spread: 2 * s}, 2, 0, follow{patience: 3, spread: 1875 * ms, found: true}, 13 * s,
		},
		"nothing yet": {follow{left: 2, patience: 3, spread: 2 * s}, 0, 0, follow{left: 1, patience: 3, spread: 2 * s}, s},
		"nothing":     {follow{left: 1, patience: 3, spread: 2 * s}, 0, 0, follow{patience: 2}, 13 * s},
		"only pods with a rhythm of their own": {
			follow{left: 1, patience: 3}, 2, 2, follow{patience: 2}, 13 * s,
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			sched := newSchedule(15 * s)
			sched.mode, sched.set = locked, set{began: epoch.Add(-2 * s), fresh: 6}
			sched.lock = lock{period: 15 * s, span: 8, due: epoch.Add(13 * s), follow: story.before}
			o := observation{sent: epoch, done: epoch, listed: 10, comparable: 10, advanced: story.advanced, repeated: story.repeated}
			got, wait := sched.next(o)
			if diff := gocmp.Diff(story.want, got.lock.follow, allow); diff != "" || wait != story.wait {
				t.Errorf("wait %v, want %v; follow (-want +got):\n%s", wait, story.wait, diff)
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
			sched.mode, sched.lock = locked, lock{period: 15 * s, span: 8, seen: 8, due: epoch, run: 2}
			if story.late > 0 {
				sched.lock.tries = 5
			}
			now := epoch.Add(story.late)
			got, wait := sched.next(observation{sent: now, done: now, listed: 10, comparable: 10})
			if wait != story.wait || !got.lock.due.Equal(epoch.Add(story.due)) {
				t.Errorf("wait %v, due in %v; want %v, %v", wait, got.lock.due.Sub(epoch), story.wait, story.due)
			}
			if lost := story.due > 0; got.lock.lost != lost || lost && (got.lock.tries != 0 || got.lock.run != 0) {
				t.Errorf("lock %+v", got.lock)
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
			sched.lock = lock{period: 15 * s, span: 8, due: epoch.Add(-s), blind: story.blind, follow: follow{left: 2}}
			got, wait := sched.next(whole)
			if wait != story.due || got.lock.follow.left != 0 || got.lock.blind {
				t.Errorf("wait %v, want %v; lock %+v", wait, story.due, got.lock)
			}
		})
	}
}
