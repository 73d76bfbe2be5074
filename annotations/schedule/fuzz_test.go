package schedule

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

// Times that are not before the year 1 or after 9999, in seconds since 1970.
const firstSecond, lastSecond = -62135596800, 253402300799

// FuzzSchedule holds schedules of any text, at any time, to what their callers rely on.
func FuzzSchedule(f *testing.F) {
	for _, text := range []string{
		"", "zone Europe/Berlin\nMon-Fri 07:30-20:00 min=5 max=40\nSat,Sun 00:00-24:00 replicas=0", "zone Africa/Casablanca\ndaily 02:59-02:01 min=1\n29-31 00:00-24:00 max=2",
		"zone Australia/Lord_Howe\n2026-04-05..2026-10-04 01:45-02:15 min=1\n1,31 22:00-06:00 min=1", "zone America/Sao_Paulo\nFri-Mon 23:30-00:30 min=1\ndaily 00:00-24:00 max=1",
		"zone Local\nx y", "zone \xff", "0001-01-01..9999-12-31 23:59-00:01 min=2147483647", "daily 00:00-24:00 min=1\ndaily 10:00-12:00 min=1", "zone Etc/UTC\n1-31 00:00-24:00 min=1",
		strings.Repeat("Mon,Tue 10:00-12:00 min=1\n", 33), "zone Pacific/Apia\n2011-12-30 20:00-10:00 min=1", "zone Antarctica/Troll\nSun 01:00-03:00 min=1",
	} {
		for _, seconds := range []int64{0, 1_790_000_000, -2_000_000_000, firstSecond, lastSecond} {
			f.Add(text, seconds, int64(1))
		}
	}
	zones := &Zones{}
	f.Fuzz(func(t *testing.T, text string, seconds, nanoseconds int64) {
		s, err := Parse(text, zones)
		if again, _ := Parse(text, zones); !s.Equal(again) {
			t.Fatal("the same text is two schedules")
		}
		if err != nil {
			mustBeReadable(t, s, err)
			return
		}
		second := time.Unix(firstSecond+int64(uint64(seconds)%(lastSecond-firstSecond)), nanoseconds&0x1fffffff)
		mustHold(t, s, second)
		mustHold(t, s, s.Next(second))
		mustNotPanic(s, time.Unix(seconds, nanoseconds))
		mustKnowUnused(t, s, second)
	})
}

func mustBeReadable(t *testing.T, s Schedule, err error) {
	t.Helper()
	if !s.IsZero() {
		t.Errorf("there is a schedule with an error")
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v is not a list", err)
	}
	for _, one := range joined.Unwrap() {
		if _, ok := errors.AsType[lines.Problem](one); !ok || strings.ContainsFunc(one.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("problem %q", one)
		}
	}
}

// mustHold looks at one step from a time to the next.
func mustHold(t *testing.T, s Schedule, from time.Time) {
	t.Helper()
	next := s.Next(from)
	until := next
	if next.IsZero() {
		until = from.Add(horizon)
	}
	if !until.After(from) || until.Sub(from) > horizon {
		t.Fatalf("after %v comes %v", from, next)
	}
	before, wasIn := s.At(from)
	if after, isIn := s.At(next); !next.IsZero() && before == after {
		t.Errorf("at %v and at %v there is the same: %v, %t, %t", from, next, before, wasIn, isIn)
	}
	span := until.Sub(from)
	for i := range time.Duration(50) {
		at := from.Add(span/50*i + i)
		if i > 40 {
			at = until.Add(-time.Nanosecond << (i - 41) * 100) // the end is where mistakes are
		}
		if now, ok := s.At(at); at.After(from) && at.Before(until) && (now != before || ok != wasIn) {
			t.Fatalf("%v counts at %v, between %v with %v and %v", now, at, from, before, next)
		}
	}
}

// mustNotPanic is for times that no clock shows: what comes out does not matter.
func mustNotPanic(s Schedule, t time.Time) {
	s.At(t)
	s.Next(t)
	s.Past(t)
	s.NextPast(t)
}

// mustKnowUnused goes on for a while: no line counts that never does.
func mustKnowUnused(t *testing.T, s Schedule, at time.Time) {
	t.Helper()
	shadowed, past := s.Shadowed(), s.Past(at)
	mustKnowNextPast(t, s, at)
	for range 100 {
		if w, ok := s.At(at); ok && (slices.Contains(shadowed, w) || slices.Contains(past, w)) {
			t.Fatalf("%v counts at %v", w, at)
		}
		if at = s.Next(at); at.IsZero() {
			return
		}
	}
}

// mustKnowNextPast goes on until all dates are past, and compares with an hour before.
func mustKnowNextPast(t *testing.T, s Schedule, at time.Time) {
	t.Helper()
	for next := s.NextPast(at); !next.IsZero(); at, next = next, s.NextPast(next) {
		before := next.Add(-2 * time.Hour)
		if !next.After(at) || len(s.Past(next)) <= len(s.Past(at)) || before.After(at) && len(s.Past(before)) > len(s.Past(at)) {
			t.Fatalf("after %v comes %v: %v, %v and before that %v", at, next, s.Past(at), s.Past(next), s.Past(before))
		}
	}
}

// TestShadowedIsExact compares with every date of 28 years, in which each kind of date comes.
func TestShadowedIsExact(t *testing.T) {
	t.Parallel()
	seeds := uint64(100)
	if testing.Short() {
		seeds = 10
	}
	shadowed := 0
	for seed := range seeds {
		text := randomLines(rand.New(rand.NewPCG(seed, 1)))
		s := mustParse(t, text)
		counts := lineNumbers(s)
		for _, w := range s.Shadowed() {
			counts = slices.DeleteFunc(counts, func(line int) bool { return line == w.Number })
			shadowed++
		}
		if seen := counting(s); !slices.Equal(seen, counts) {
			t.Errorf("seed %d: lines %v count sometimes, lines %v are not shadowed in\n%s", seed, seen, counts, text)
		}
	}
	if shadowed == 0 {
		t.Error("nothing was shadowed")
	}
}

// randomLines has few different hours, so that lines cover each other.
func randomLines(r *rand.Rand) string {
	all := []string{"daily", "Mon-Fri", "Sat,Sun", "Fri-Mon", "Wed", "1", "2-31", "29-31", "28-31,1", "15-20", "2010-03-01..2010-03-09", "2010-03-05", "2012-02-28..2012-03-01"}
	hours := []string{"00:00", "06:00", "12:00", "22:00", "24:00"}
	var text strings.Builder
	for range 3 + r.IntN(5) {
		from := r.IntN(4)
		to := (from + 1 + r.IntN(4)) % 5 // another one
		fmt.Fprintf(&text, "%s %s-%s min=1\n", all[r.IntN(len(all))], hours[from], hours[to])
	}
	return text.String()
}

func lineNumbers(s Schedule) []int {
	return numbers(slices.Collect(s.Lines()))
}

// counting are the lines that count at some minute at which a line begins or ends, or at the start of a day.
func counting(s Schedule) []int {
	minutes := []int32{0}
	for w := range s.Lines() {
		minutes = append(minutes, w.from, w.to%secondsOfDay)
	}
	slices.Sort(minutes)
	minutes = slices.Compact(minutes)
	seen := map[int]bool{}
	for day := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2028; day = day.AddDate(0, 0, 1) {
		for _, second := range minutes {
			if w, ok := s.At(day.Add(time.Duration(second) * time.Second)); ok {
				seen[w.Number] = true
			}
		}
	}
	var all []int
	for line := range seen {
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}
