package schedule

import (
	"fmt"
	"time"
)

// Window is one line of a schedule: days, hours and the bounds that count then. It is a value; == compares it.
type Window struct {
	// Line is the number of its line in the annotation; the first is 1.
	Line int

	days days
	// from and to are seconds of a day. Where to is the smaller one, the window ends on the day after the one on which it begins.
	from, to int32
	// min and max are unset where the line does not say them.
	min, max int32
	// text is what the line says of days and hours.
	text, zone string
}

// unset stands for a bound that a line does not say.
const unset = -1

// Bounds are the fewest and the most replicas while the window counts, instead of those of the other annotations. A line that says only
// one of them may contradict the annotations: then the first is above the second.
func (w Window) Bounds(fewest, most int32) (int32, int32) {
	if w.min != unset {
		fewest = w.min
	}
	if w.max != unset {
		most = w.max
	}
	return fewest, most
}

// SetsMin says whether the line itself says the fewest replicas.
func (w Window) SetsMin() bool { return w.min != unset }

// SetsMax says whether the line itself says the most replicas.
func (w Window) SetsMax() bool { return w.max != unset }

// When is what the line says of days and hours, such as "Mon-Fri 07:30-20:00".
func (w Window) When() string { return w.text }

// Says is what the line says of replicas, such as "min=5 max=40".
func (w Window) Says() string {
	switch {
	case w.min == w.max:
		return fmt.Sprintf("replicas=%d", w.min)
	case w.max == unset:
		return fmt.Sprintf("min=%d", w.min)
	case w.min == unset:
		return fmt.Sprintf("max=%d", w.max)
	}
	return fmt.Sprintf("min=%d max=%d", w.min, w.max)
}

// String is how a message names the window: line 2, "Mon-Fri 07:30-20:00", Europe/Berlin. It holds nothing but what the grammar allows.
func (w Window) String() string {
	return fmt.Sprintf("line %d, %q, %s", w.Line, w.text, w.zone)
}

// moment is what a clock on the wall says, with the day before, on which a window may have begun.
type moment struct {
	today, yesterday date
	second           int32 // of the day
}

// momentAt is the moment so many seconds after 1970-01-01 00:00 on the wall.
func momentAt(wall int64) moment {
	number := wall / secondsOfDay
	if wall%secondsOfDay < 0 {
		number--
	}
	return moment{dateOf(number), dateOf(number - 1), int32(wall - number*secondsOfDay)}
}

// reach says until which second of the moment's day the window lasts; false if the moment is not in it.
//
//	from < to        |     [#####)     |           of a day in days
//	to <= from       |           [#####|####)      of a day in days, and of the one after it
func (w *Window) reach(m moment) (int32, bool) {
	if w.from < w.to {
		return w.to, w.from <= m.second && m.second < w.to && w.days.on(m.today)
	}
	if m.second >= w.from && w.days.on(m.today) {
		return secondsOfDay, true
	}
	return w.to, m.second < w.to && w.days.on(m.yesterday)
}

// end is when a window ends that the moment is in, and false if it never does, for a clock that nobody sets.
func (w *Window) end(m moment) (int64, bool) {
	switch {
	case w.from == 0 && w.to == secondsOfDay:
		day, ok := w.days.nextOther(m.today)
		return day * secondsOfDay, ok
	case w.to < w.from && m.second >= w.from:
		return (m.today.number+1)*secondsOfDay + int64(w.to), true
	default:
		return m.today.number*secondsOfDay + int64(w.to), true
	}
}

// start is when a window begins next, and false if it never does, for a clock that nobody sets.
func (w *Window) start(m moment) (int64, bool) {
	from := m.today
	if m.second >= w.from {
		from = dateOf(from.number + 1)
	}
	day, ok := w.days.next(from)
	return day*secondsOfDay + int64(w.from), ok
}

// clock reads "07:30"; 24:00 is the end of a day.
func clock(text string) (int32, bool) {
	if text == "24:00" {
		return secondsOfDay, true
	}
	const layout = "15:04"
	t, err := time.Parse(layout, text)
	return int32(t.Hour()*60+t.Minute()) * 60, err == nil && len(text) == len(layout)
}
