package schedule

import (
	"math"
	"slices"
	"time"
)

// Shadowed are the lines that never count, whatever the date, because lines above them cover all of their hours.
func (s Schedule) Shadowed() []Line {
	counts := make([]bool, len(s.lines))
	for i, l := range s.lines {
		if l.days.calendar == dates && !l.isLong() {
			s.markDates(i, counts)
		}
	}
	s.markAnyDate(counts)
	var shadowed []Line
	for i, l := range s.lines {
		if !counts[i] {
			shadowed = append(shadowed, l)
		}
	}
	return shadowed
}

// markDates marks the lines that count on the dates of a line, until that one does.
func (s Schedule) markDates(line int, counts []bool) {
	d := s.lines[line].days
	for number := int64(d.first); number <= int64(d.last)+1 && !counts[line]; number++ {
		s.mark(moment{today: dateOf(number), yesterday: dateOf(number - 1)}, counts)
	}
}

// never is the number of no date.
const never = math.MinInt32 - 1

// markAnyDate marks the lines that count on some kind of date, until all do: all combinations of a day of the week, one of the month and the
// one before it come again and again, and no date of a year does.
func (s Schedule) markAnyDate(counts []bool) {
	for ofMonth := 1; ofMonth <= 31; ofMonth++ {
		before := []int{ofMonth - 1}
		if ofMonth == 1 {
			before = []int{28, 29, 30, 31}
		}
		for _, yesterday := range before {
			for weekday := range 7 {
				if !slices.Contains(counts, false) {
					return
				}
				s.mark(moment{today: date{never, weekday, ofMonth}, yesterday: date{never, (weekday + 6) % 7, yesterday}}, counts)
			}
		}
	}
}

// mark marks the lines that count in some minute of the moment's day.
func (s Schedule) mark(day moment, counts []bool) {
	var covered minutes
	for i, l := range s.lines {
		isGuess := day.today.number == never && l.isLong()
		if isGuess {
			l.days = days{set: wholeWeek}
		}
		for _, begin := range [...]int32{0, l.from} {
			day.second = begin
			end, ok := l.reach(day)
			if !ok {
				continue
			}
			before := covered
			if covered.add(begin/60, end/60) {
				counts[i] = true
			}
			if isGuess {
				covered = before
			}
		}
	}
}

// isLong says whether a line has more dates than are looked at one by one. It is taken for one of every day, which covers nothing itself.
func (l *Line) isLong() bool {
	const most = 92
	return l.days.calendar == dates && l.days.last-l.days.first > most
}

// minutes has a bit for each minute of a day.
type minutes [(24*60 + 63) / 64]uint64

// add adds the minutes before the second one, and says whether any is new.
func (m *minutes) add(from, to int32) bool {
	isNew := false
	for from < to {
		word, first := from/64, from%64
		count := min(64-first, to-from)
		bits := ^uint64(0) >> (64 - count) << first
		isNew = isNew || bits&^m[word] != 0
		m[word] |= bits
		from += count
	}
	return isNew
}

// Past are the lines all of whose dates are more than a day ago. No clock is set back by more than a day.
func (s Schedule) Past(now time.Time) []Line {
	var past []Line
	for _, l := range s.lines {
		if day, ends := l.pastFrom(); ends && s.day(now) >= day {
			past = append(past, l)
		}
	}
	return past
}

// NextPast is the first instant after t, to an hour, at which Past are more lines than at t; the zero time if there is none.
func (s Schedule) NextPast(t time.Time) time.Time {
	var next time.Time
	for _, l := range s.lines {
		day, ends := l.pastFrom()
		if !ends || s.day(t) >= day {
			continue
		}
		at := time.Unix(day*secondsOfDay-s.offset(t), 0)
		for s.day(at) < day { // clocks are set back in between
			at = at.Add(time.Hour)
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// pastFrom is the day from which on all dates of a line are past; false if it has no dates.
func (l *Line) pastFrom() (int64, bool) { return int64(l.days.last) + 3, l.days.calendar == dates }

// day is the number of the day that clocks show in the zone of the schedule.
func (s Schedule) day(t time.Time) int64 { return momentAt(t.Unix() + s.offset(t)).today.number }
