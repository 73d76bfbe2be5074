package clock

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

const second = time.Second

// received is a timestamp and when it was received, both counted from noon.
type received struct{ timestamp, at time.Duration }

// TestOnOurClock follows timestamps: what is said of each is how old it was when it was first received, and the difference of the clocks.
func TestOnOurClock(t *testing.T) {
	type told struct {
		age, offset time.Duration
		advanced    bool
	}
	steps := func(ahead, old time.Duration, n int) (all []received) {
		for i := range n {
			at := time.Duration(i) * 15 * second
			all = append(all, received{at + ahead - old, at})
		}
		return all
	}
	for name, test := range map[string]struct {
		received []received
		want     []told
	}{
		"a right clock is taken at its word": {steps(0, 5*second, 2), []told{{5 * second, 0, false}, {5 * second, 0, true}}},
		"ahead":                              {steps(20*second, 5*second, 2), []told{{second, 16 * second, false}, {second, 16 * second, true}}},
		"ten minutes ahead":                  {steps(600*second, 5*second, 2), []told{{second, 596 * second, false}, {second, 596 * second, true}}},
		"behind":                             {steps(-40*second, 5*second, 2), []told{{second, -44 * second, false}, {second, -44 * second, true}}},
		"an hour behind":                     {steps(-3600*second, 0, 2), []told{{second, -3599 * second, false}, {second, -3599 * second, true}}},
		"received late once: in the clock's own steps": {
			[]received{{100 * second, 0}, {115 * second, 18 * second}, {130 * second, 30 * second}},
			[]told{{second, 101 * second, false}, {4 * second, 101 * second, true}, {second, 101 * second, true}}},
		"received late the first time: never newer than now": {
			[]received{{100 * second, 5 * second}, {115 * second, 15 * second}, {130 * second, 30 * second}},
			[]told{{second, 96 * second, false}, {second, 101 * second, true}, {second, 101 * second, true}}},
		"put right by 40 s": {[]received{{-41 * second, 0}, {14 * second, 15 * second}}, []told{{second, -40 * second, false}, {second, 0, true}}},
		"put back by an hour": {[]received{{3600 * second, 0}, {12 * second, 15 * second}, {132 * second, 135 * second}, {147 * second, 150 * second}},
			[]told{{second, 3601 * second, false}, {3604 * second, 3601 * second, false}, {3 * second, 0, false}, {3 * second, 0, true}}},
		"put back by ten minutes, and going on": {
			[]received{{-3 * second, 0}, {-588 * second, 15 * second}, {-588 * second, 20 * second}, {-573 * second, 30 * second}, {-558 * second, 45 * second}, {-543 * second, 60 * second}},
			[]told{{3 * second, 0, false}, {603 * second, 0, false}, {608 * second, 0, false}, {603 * second, 0, false}, {second, -602 * second, false}, {second, -602 * second, true}}},
		"two that are stuck and answer in turn": {
			[]received{{-3 * second, 0}, {-600 * second, 15 * second}, {-590 * second, 30 * second}, {-600 * second, 45 * second}, {-590 * second, 60 * second}, {-590 * second, 75 * second}},
			[]told{{3 * second, 0, false}, {615 * second, 0, false}, {620 * second, 0, false}, {645 * second, 0, false}, {650 * second, 0, false}, {665 * second, 0, false}}},
		"those of replicas that are stuck since different times": {
			[]received{{-3 * second, 0}, {-3600 * second, 15 * second}, {-600 * second, 30 * second}, {-60 * second, 45 * second}},
			[]told{{3 * second, 0, false}, {3615 * second, 0, false}, {630 * second, 0, false}, {105 * second, 0, false}}},
		"a stuck one between": {[]received{{-5 * second, 0}, {-600 * second, 15 * second}, {-5 * second, 16 * second}, {25 * second, 30 * second}, {-600 * second, 45 * second}},
			[]told{{5 * second, 0, false}, {615 * second, 0, false}, {21 * second, 0, false}, {5 * second, 0, true}, {645 * second, 0, true}}},
		"a stuck one between, ahead": {[]received{{600 * second, 0}, {10 * second, 15 * second}, {630 * second, 30 * second}},
			[]told{{second, 601 * second, false}, {606 * second, 601 * second, false}, {second, 601 * second, true}}},
		"two that are stuck": {[]received{{-5 * second, 0}, {-20 * second, 15 * second}, {-5 * second, 30 * second}, {-20 * second, 90 * second}},
			[]told{{5 * second, 0, false}, {35 * second, 0, false}, {35 * second, 0, false}, {110 * second, 0, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			var stamp Stamp
			var got []told
			for _, r := range test.received {
				at := noon.Add(r.at)
				stamp = stamp.Next(noon.Add(r.timestamp), at, Believable(15*second), podPatience)
				got = append(got, told{at.Sub(stamp.Taken), stamp.Offset(), stamp.Advanced})
				if again := stamp.Next(noon.Add(r.timestamp), at.Add(time.Hour), Believable(15*second), podPatience); again.Taken != stamp.Taken || again.Advanced != stamp.Advanced {
					t.Errorf("served again it is %v, was %v", again, stamp)
				}
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(told{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestADoubtedValueIsAsOldAsItSaysUntilItAdvances(t *testing.T) {
	old := doubted(noon.Add(-6*time.Hour), noon)
	if got := noon.Sub(old.Taken); got != 6*time.Hour {
		t.Errorf("it is %s old", got)
	}
	next := old.Next(noon.Add(-6*time.Hour+30*second), noon.Add(30*second), time.Minute, valuePatience)
	if got := noon.Add(30 * second).Sub(next.Taken); got != second || !next.Advanced {
		t.Errorf("after a step it is %s old, advanced %t", got, next.Advanced)
	}
	ahead := doubted(noon.Add(time.Hour), noon)
	if got := noon.Sub(ahead.Taken); got != second {
		t.Errorf("an hour ahead it is %s old", got)
	}
}

func TestWithoutATimestampThereIsNoStamp(t *testing.T) {
	if got := First(noon, noon, Believable(15*second)).Next(time.Time{}, noon, Believable(15*second), 0); got != (Stamp{}) {
		t.Errorf("%v", got)
	}
}

// FuzzNeverNewerNorOlder: whatever was received, nothing is newer than when it was received nor more than believable older.
func FuzzNeverNewerNorOlder(f *testing.F) {
	f.Add(int64(0), int64(15), int64(40))
	f.Add(int64(600), int64(615), int64(-3600))
	f.Fuzz(func(t *testing.T, a, b, c int64) {
		stamp := Stamp{}
		for i, seconds := range []int64{a, b, c} {
			at := noon.Add(time.Duration(i) * 15 * second)
			stamp = stamp.Next(noon.Add(time.Duration(seconds%1e6)*second), at, Believable(15*second), 0)
			if age := at.Sub(stamp.Taken); age < 0 && stamp.Timestamp != noon || age >= Believable(15*second)+time.Duration(i)*15*second {
				t.Errorf("%d, %d, %d: number %d is %s old", a, b, c, i, age)
			}
		}
	})
}
