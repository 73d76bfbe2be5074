package metrics

import (
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestSearch plays one LIST per letter: '.' without a new set, 'O' with one, 'x' without an answer.
func TestSearch(t *testing.T) {
	stories := map[string]struct {
		step   time.Duration
		script string
		mode   mode
		period time.Duration
	}{
		"two sets caught":                       {s, ".O....O", locked, 5 * s},
		"the first LIST is new":                 {s, "O....O", searching, 0},
		"its successors end a period":           {s, "O....O...O", locked, 4 * s},
		"a LIST fails between the sets":         {s, ".O..x..O", searching, 0},
		"a LIST fails just before the first":    {s, ".xO....O", searching, 0},
		"a LIST fails before, then two sets":    {s, ".xO....O..O", locked, 3 * s},
		"two LISTs in a row are new":            {s, ".O...OO", locked, 4 * s},
		"a set follows at once":                 {s, ".OO...O", searching, 0},
		"every LIST is new":                     {s, ".OOO", gliding, 0},
		"every LIST is new until one is not":    {s, ".OOOOO.", searching, 0},
		"too short for a period":                {700 * ms, ".O.O", searching, 0},
		"too long for a period":                 {10 * s, ".O............O", searching, 0},
		"too long, but the end is also a start": {10 * s, ".O............O.O", locked, 20 * s},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			sched, now := newSchedule(15*s), epoch
			for i, letter := range story.script {
				o := observation{sent: now, done: now, listed: 10, comparable: 10}
				switch letter {
				case 'O':
					o.advanced, o.repeated = 10, 10
				case 'x':
					o = observation{sent: now, done: now, failed: true}
				}
				if sched.mode == locked && i < len(story.script)-1 {
					t.Fatalf("locked too early, at LIST %d", i)
				}
				sched, _ = sched.next(o)
				now = now.Add(story.step)
			}
			if sched.mode != story.mode || sched.period() != story.period {
				t.Errorf("mode %v, period %v; want %v, %v", sched.mode, sched.period(), story.mode, story.period)
			}
		})
	}
}

// TestSearchAllowance: searches in a row get shorter in fine steps, and one after a phase that lasted is as long as the first.
func TestSearchAllowance(t *testing.T) {
	quiet := observation{sent: epoch, done: epoch, listed: 10, comparable: 10}
	steps := func(sched schedule) (n int) {
		for ; n < 1000; n++ {
			var wait time.Duration
			if sched, wait = sched.next(quiet); wait > fineStep {
				break
			}
		}
		return n
	}
	sched := newSchedule(15 * s)
	got := []int{steps(sched)}
	for range 6 {
		sched, _ = sched.relearn(quiet)
		got = append(got, steps(sched))
	}
	sched.mode, sched.phase = locked, phase{period: 15 * s, span: 8, due: epoch, seen: settled - 1}
	sched, _ = sched.next(observation{sent: epoch, done: epoch, listed: 10, comparable: 10, advanced: 10, repeated: 10})
	sched, _ = sched.relearn(quiet)
	got = append(got, steps(sched))
	// One step of each but the first was used up by relearn itself.
	if want := []int{60, 29, 14, 6, 4, 4, 4, 59}; !slices.Equal(got, want) {
		t.Errorf("fine steps (-want +got):\n%s", gocmp.Diff(want, got))
	}
}
