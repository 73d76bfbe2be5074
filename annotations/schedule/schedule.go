// Package schedule is the time of day in the bounds of a workload: which line of a schedule counts at an instant, and when that changes.
//
//	zone Europe/Berlin
//	2026-11-27..2026-11-30 00:00-24:00 min=20 max=200
//	Mon-Fri 07:30-20:00 min=5 max=40
//	daily 22:00-06:00 replicas=0
//
// A line counts at an instant if the date and the time that the clocks of its zone show then are in it, and in no line above it. Hours
// that go over midnight belong to the day on which they begin. So in the hour that is skipped when clocks are set forward nothing begins
// or ends, and in the one that comes twice a line may count twice.
package schedule

import (
	"iter"
	"slices"
	"time"
)

// horizon is how far ahead Next looks: in any year, it finds a date of the next one.
const horizon = 2 * 366 * secondsOfDay * time.Second

// Schedule is the lines of one annotation. It is a value that never changes; the zero value has no line.
type Schedule struct {
	zone  *time.Location
	lines []Line
}

// IsZero says whether there is no line.
func (s Schedule) IsZero() bool { return len(s.lines) == 0 }

// Equal says whether two schedules have the same lines and the same zone.
func (s Schedule) Equal(other Schedule) bool { return slices.Equal(s.lines, other.lines) }

// Zone is the name of the zone whose clocks count; empty without a line.
func (s Schedule) Zone() string {
	if s.IsZero() {
		return ""
	}
	return s.zone.String()
}

// In is an instant as the clocks of the zone show it; as it is without a line.
func (s Schedule) In(t time.Time) time.Time {
	if s.IsZero() {
		return t
	}
	return t.In(s.zone)
}

// Lines are all lines, from the top.
func (s Schedule) Lines() iter.Seq[Line] { return slices.Values(s.lines) }

// At is the line that counts at an instant: the first one that it is in. There may be none.
func (s Schedule) At(t time.Time) (Line, bool) {
	if s.IsZero() {
		return Line{}, false
	}
	if i := s.first(momentAt(t.Unix() + s.offset(t))); i < len(s.lines) {
		return s.lines[i], true
	}
	return Line{}, false
}

// Next is the first instant after t at which At is not what it is at t, in the zone of the schedule. It is the zero time if there is none
// in the next two years.
func (s Schedule) Next(t time.Time) time.Time {
	if s.IsZero() {
		return time.Time{}
	}
	limit := t.Add(horizon)
	now := momentAt(t.Unix() + s.offset(t))
	counts := s.first(now)
	// From one setting of the clocks to the next, they show what is computed. How often they are set in two years bounds the loop.
	for {
		set := s.setting(t)
		wall, found := s.change(now, counts)
		if next := time.Unix(wall-s.offset(t), 0).In(s.zone); found && (set.IsZero() || next.Before(set)) {
			return within(next, limit)
		}
		if set.IsZero() || set.After(limit) {
			return time.Time{}
		}
		t, now = set, momentAt(set.Unix()+s.offset(set))
		if s.first(now) != counts {
			return within(set, limit)
		}
	}
}

// setting is when the clocks may be set next after t, or the zero time if they never are. On the last day of a leap year, ZoneBounds says
// the beginning of that day in UTC (golang/go#81583); what it looks at ends with the year.
func (s Schedule) setting(t time.Time) time.Time {
	const day = secondsOfDay * time.Second
	_, set := t.In(s.zone).ZoneBounds()
	if !set.IsZero() && !set.After(t) {
		return t.UTC().Truncate(day).Add(day)
	}
	return set
}

func within(t, limit time.Time) time.Time {
	if t.After(limit) {
		return time.Time{}
	}
	return t
}

// offset is what the clocks of the zone show more than UTC, in seconds.
func (s Schedule) offset(t time.Time) int64 {
	_, seconds := t.In(s.zone).Zone()
	return int64(seconds)
}

// first is the index of the first line that a moment is in, or the number of lines if it is in none.
func (s Schedule) first(m moment) int {
	for i := range s.lines {
		if _, ok := s.lines[i].reach(m); ok {
			return i
		}
	}
	return len(s.lines)
}

// change is when another line will count than the given one, which counts now, while nobody sets the clocks: when that one ends, or one
// above it begins. It is false if that never happens.
func (s Schedule) change(now moment, counts int) (wall int64, found bool) {
	consider := func(at int64, ok bool) {
		if ok && (!found || at < wall) {
			wall, found = at, true
		}
	}
	if counts < len(s.lines) {
		consider(s.lines[counts].end(now))
	}
	for i := range s.lines[:counts] {
		consider(s.lines[i].start(now))
	}
	return wall, found
}
