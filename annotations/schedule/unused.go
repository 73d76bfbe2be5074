package schedule

import (
	"math"
	"time"
)

// Shadowed are the lines that never count, whatever the date, because lines above them cover all of their hours.
func (s Schedule) Shadowed() []Window {
	var shadowed []Window
	for i, w := range s.windows {
		if above := (Schedule{windows: s.windows[:i]}); above.cover(w) {
			shadowed = append(shadowed, w)
		}
	}
	return shadowed
}

// Past are the lines all of whose dates are more than a day ago. No clock is set back by more than a day.
func (s Schedule) Past(now time.Time) []Window {
	var past []Window
	for _, w := range s.windows {
		if w.days.calendar == dates && momentAt(now.Unix()+s.offset(now)).today.number > int64(w.days.last)+2 {
			past = append(past, w)
		}
	}
	return past
}

// longest is how many dates of a line are looked at one by one. A line with more of them is taken for one of every day, so that lines of
// other dates do not cover it.
const longest = 92

// cover says whether the lines cover a window on every date.
func (s Schedule) cover(w Window) bool {
	if w.days.calendar != dates {
		return s.coverForever(w)
	}
	if w.days.last-w.days.first > longest {
		w.days = days{set: wholeWeek}
		return s.coverForever(w)
	}
	for number := int64(w.days.first); number <= int64(w.days.last)+1; number++ {
		if !s.coverOn(moment{today: dateOf(number), yesterday: dateOf(number - 1)}, w) {
			return false
		}
	}
	return true
}

// coverForever looks at every kind of date that there is: all combinations of a day of the week, one of the month and the one before
// it come again and again, and no date of a year does.
func (s Schedule) coverForever(w Window) bool {
	const never = math.MinInt32 - 1
	for weekday := range 7 {
		for ofMonth := 1; ofMonth <= 31; ofMonth++ {
			before := []int{ofMonth - 1}
			if ofMonth == 1 {
				before = []int{28, 29, 30, 31}
			}
			for _, yesterday := range before {
				m := moment{today: date{never, weekday, ofMonth}, yesterday: date{never, (weekday + 6) % 7, yesterday}}
				if !s.coverOn(m, w) {
					return false
				}
			}
		}
	}
	return true
}

// coverOn says whether the lines cover as much of a window as there is on the moment's day, if anything.
func (s Schedule) coverOn(day moment, w Window) bool {
	for _, begin := range [...]int32{0, w.from} {
		day.second = begin
		end, ok := w.reach(day)
		for ok && day.second < end {
			i := s.first(day)
			if i == len(s.windows) {
				return false
			}
			day.second, _ = s.windows[i].reach(day)
		}
	}
	return true
}
