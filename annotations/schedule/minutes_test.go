package schedule

import (
	"fmt"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"
)

// zoneYear is a year in a zone: what is peculiar about it is the comment beside it.
type zoneYear struct {
	zone string
	year int
}

func zoneYears() []zoneYear {
	return []zoneYear{
		{"UTC", 2026},
		{"Europe/Berlin", 2026},
		{"Europe/Berlin", 2028}, // a leap year
		{"Europe/Berlin", 2040}, // beyond the zone's table
		{"Australia/Sydney", 2040},
		{"Europe/Dublin", 2026}, // winter time is the one that is not standard
		{"America/New_York", 2026},
		{"America/Sao_Paulo", 2018},    // at midnight, so that days begin at 01:00 and 23:00 comes twice
		{"America/Scoresbysund", 2024}, // another standard time, in the same night
		{"Africa/Cairo", 2026},         // at midnight
		{"Africa/Casablanca", 2026},    // back during Ramadan
		{"Africa/Monrovia", 1972},      // 44 minutes and 30 seconds, at once
		{"Antarctica/Troll", 2026},     // by two hours
		{"Asia/Gaza", 2026},
		{"Asia/Kathmandu", 1986},      // from UTC+05:30 to UTC+05:45 at the turn of the year
		{"Asia/Tehran", 2021},         // at midnight, by half hours from UTC
		{"Australia/Lord_Howe", 2026}, // by half an hour
		{"Pacific/Apia", 2011},        // without December 30
		{"Pacific/Kwajalein", 1993},   // without August 21
		{"Pacific/Chatham", 2026},     // at 02:45
		{"America/Juneau", 1983},      // set back by two hours at once
	}
}

// said is a line, and what it means: it is written a second time, in another way.
type said struct {
	text     string
	on       func(time.Time) bool
	from, to string
}

func onAll(time.Time) bool { return true }

func onWeekdays(all ...time.Weekday) func(time.Time) bool {
	return func(day time.Time) bool { return slices.Contains(all, day.Weekday()) }
}

func onDays(all ...int) func(time.Time) bool {
	return func(day time.Time) bool { return slices.Contains(all, day.Day()) }
}

func onDates(first, last string) func(time.Time) bool {
	return func(day time.Time) bool {
		text := day.Format(time.DateOnly)
		return first <= text && text <= last
	}
}

// clocks are what they show in each minute of a day.
var clocks = func() (all [24 * 60]string) {
	for i := range all {
		all[i] = fmt.Sprintf("%02d:%02d", i/60, i%60)
	}
	return all
}()

// marks are what is true of each minute of a day.
type marks [24 * 60]bool

// mark marks those that are in the line on a date.
func (s said) mark(today time.Time) *marks {
	var m marks
	isOn, wasOn := s.on(today), s.on(today.AddDate(0, 0, -1))
	for i := range m {
		clock := clocks[i]
		if s.from < s.to {
			m[i] = s.from <= clock && clock < s.to && isOn
		} else {
			m[i] = s.from <= clock && isOn || clock < s.to && wasOn
		}
	}
	return &m
}

// saidSchedules are schedules for one year.
func saidSchedules(year int) [][]said {
	date := func(s string) string { return fmt.Sprint(year, "-", s) }
	week := onWeekdays(time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday)
	return [][]said{
		{ // the usual
			{date("11-27") + ".." + date("11-30") + " 00:00-24:00", onDates(date("11-27"), date("11-30")), "00:00", "24:00"},
			{"Mon-Fri 07:30-20:00", week, "07:30", "20:00"},
			{"Sat,Sun 00:00-24:00", onWeekdays(time.Saturday, time.Sunday), "00:00", "24:00"},
		},
		{ // around the hours at which clocks are set
			{"daily 02:30-02:40", onAll, "02:30", "02:40"},
			{"daily 02:10-02:50", onAll, "02:10", "02:50"},
			{"daily 23:30-00:30", onAll, "23:30", "00:30"},
			{"daily 01:15-03:15", onAll, "01:15", "03:15"},
			{"Sun 00:00-04:00", onWeekdays(time.Sunday), "00:00", "04:00"},
		},
		{ // over midnight, over weeks and over months
			{"25-31 22:00-06:00", onDays(25, 26, 27, 28, 29, 30, 31), "22:00", "06:00"},
			{"Fri-Mon 20:00-02:15", onWeekdays(time.Friday, time.Saturday, time.Sunday, time.Monday), "20:00", "02:15"},
			{"29-31,1 00:00-24:00", onDays(29, 30, 31, 1), "00:00", "24:00"},
			{"daily 23:59-00:01", onAll, "23:59", "00:01"},
		},
		{ // days that are skipped or follow each other
			{date("12-29") + ".." + date("12-30") + " 21:00-05:00", onDates(date("12-29"), date("12-30")), "21:00", "05:00"},
			{date("12-30") + " 00:00-24:00", onDates(date("12-30"), date("12-30")), "00:00", "24:00"},
			{date("02-28") + " 23:00-24:00", onDates(date("02-28"), date("02-28")), "23:00", "24:00"},
			{"20-22 00:00-24:00", onDays(20, 21, 22), "00:00", "24:00"},
			{"1-6,30 12:00-00:00", onDays(1, 2, 3, 4, 5, 6, 30), "12:00", "00:00"},
		},
	}
}

// TestEveryMinuteOfAYear holds At and Next to what clocks show: a line that has been written a second time in another way counts where At
// says so, and the changes are where Next says so, to the second.
func TestEveryMinuteOfAYear(t *testing.T) {
	t.Parallel()
	zones := &Zones{}
	for _, place := range zoneYears() {
		for i, lines := range saidSchedules(place.year) {
			t.Run(fmt.Sprint(place.zone, "/", place.year, "/", i), func(t *testing.T) {
				t.Parallel()
				y := year{t: t, lines: lines, schedule: parsed(t, zones, place.zone, lines), marked: make([]*marks, len(lines))}
				y.walk(place.year)
			})
		}
	}
}

func parsed(t *testing.T, zones *Zones, zone string, lines []said) Schedule {
	t.Helper()
	text := "zone " + zone
	for _, line := range lines {
		text += "\n" + line.text + " min=1"
	}
	s, err := Parse(text, zones)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type year struct {
	t        *testing.T
	lines    []said
	schedule Schedule
	// date is that for which the minutes of each line are marked.
	date   time.Time
	marked []*marks
}

func (y *year) walk(number int) {
	minute := time.Date(number, 1, 1, 0, 0, 0, 0, time.UTC).Add(-12 * time.Hour)
	end := minute.AddDate(1, 0, 2)
	counts, next := y.at(minute), y.schedule.Next(minute)
	step := time.Minute
	if testing.Short() {
		step = 13 * time.Minute // the changes are looked at all the same
	}
	for changes := 0; minute.Before(end); minute = minute.Add(step) {
		for !next.IsZero() && !next.After(minute) {
			counts, next = y.change(counts, next), y.schedule.Next(next)
			changes++
		}
		if got := y.at(minute); got != counts {
			y.t.Fatalf("%v: line %d counts after %d changes, Next knows of line %d, and then of %v", minute.In(y.schedule.zone), got, changes, counts, next)
		}
	}
}

// change looks at both sides of what Next has said, and returns the line that counts after it.
func (y *year) change(before int, at time.Time) int {
	y.t.Helper()
	after := y.at(at)
	if last := y.at(at.Add(-time.Second)); last != before || after == before {
		y.t.Fatalf("%v: line %d counts a second before, %d then; it was %d", at, last, after, before)
	}
	return after
}

// at is the line that counts by what clocks show, which At has to say, too; 0 if there is none.
func (y *year) at(t time.Time) int {
	local := t.In(y.schedule.zone)
	year, month, day := local.Date()
	if date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC); !date.Equal(y.date) {
		for i, line := range y.lines {
			y.marked[i] = line.mark(date)
		}
		y.date = date
	}
	minute := local.Hour()*60 + local.Minute()
	want := slices.IndexFunc(y.marked, func(m *marks) bool { return m[minute] })
	got, ok := y.schedule.At(t)
	if ok != (want >= 0) || ok && got.Number != want+2 {
		y.t.Fatalf("%v: got %v, want %d", local, got, want+2)
	}
	return got.Number
}
