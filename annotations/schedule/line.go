package schedule

import (
	"fmt"
	"time"
)

// Line is one line of a schedule: days, hours and the bounds that count then. It is a value; == compares it.
type Line struct {
	// Number is that of its line in the annotation; the first is 1.
	Number int

	days days
	// from and to are seconds of a day. Where to is the smaller one, the hours end on the day after the one on which they begin.
	from, to int32
	// min and max are unset where the line does not say them.
	min, max int32
	// text is what the line says of days and hours.
	text, zone string
}

// unset stands for a bound that a line does not say.
const unset = -1

// Bounds are the fewest and the most replicas while the line counts, instead of those of the other annotations. A line that says only
// one of them may contradict the annotations: then the first is above the second.
func (l Line) Bounds(fewest, most int32) (int32, int32) {
	if l.min != unset {
		fewest = l.min
	}
	if l.max != unset {
		most = l.max
	}
	return fewest, most
}

// SetsMin says whether the line itself says the fewest replicas.
func (l Line) SetsMin() bool { return l.min != unset }

// SetsMax says whether the line itself says the most replicas.
func (l Line) SetsMax() bool { return l.max != unset }

// When is what the line says of days and hours, such as "Mon-Fri 07:30-20:00".
func (l Line) When() string { return l.text }

// Says is what the line says of replicas, such as "min=5 max=40".
func (l Line) Says() string {
	switch {
	case l.min == l.max:
		return fmt.Sprintf("replicas=%d", l.min)
	case l.max == unset:
		return fmt.Sprintf("min=%d", l.min)
	case l.min == unset:
		return fmt.Sprintf("max=%d", l.max)
	}
	return fmt.Sprintf("min=%d max=%d", l.min, l.max)
}

// String is how a message names the line: line 2, "Mon-Fri 07:30-20:00", Europe/Berlin. It holds nothing but what the grammar allows.
func (l Line) String() string {
	return fmt.Sprintf("line %d, %q, %s", l.Number, l.text, l.zone)
}

// moment is what a clock on the wall says, with the day before, on which the hours of a line may have begun.
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

// reach says until which second of the moment's day the line lasts; false if the moment is not in it.
//
//	from < to        |     [#####)     |           of a day in days
//	to <= from       |           [#####|####)      of a day in days, and of the one after it
func (l *Line) reach(m moment) (int32, bool) {
	if l.from < l.to {
		return l.to, l.from <= m.second && m.second < l.to && l.days.on(m.today)
	}
	if m.second >= l.from && l.days.on(m.today) {
		return secondsOfDay, true
	}
	return l.to, m.second < l.to && l.days.on(m.yesterday)
}

// end is when a line ends that the moment is in, and false if it never does, for a clock that nobody sets.
func (l *Line) end(m moment) (int64, bool) {
	switch {
	case l.from == 0 && l.to == secondsOfDay:
		day, ok := l.days.nextOther(m.today)
		return day * secondsOfDay, ok
	case l.to < l.from && m.second >= l.from:
		return (m.today.number+1)*secondsOfDay + int64(l.to), true
	default:
		return m.today.number*secondsOfDay + int64(l.to), true
	}
}

// start is when a line begins next, and false if it never does, for a clock that nobody sets.
func (l *Line) start(m moment) (int64, bool) {
	from := m.today
	if m.second >= l.from {
		from = dateOf(from.number + 1)
	}
	day, ok := l.days.next(from)
	return day*secondsOfDay + int64(l.from), ok
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
