package schedule

import (
	"errors"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// secondsOfDay are those of a calendar. Local time is counted as if every day had them; what setting the clocks does to it is in schedule.go.
const secondsOfDay = 24 * 60 * 60

// date is a day of the calendar.
type date struct {
	// number counts days; 1970-01-01 is 0.
	number  int64
	weekday int // 0 is Sunday, as in time.Weekday
	ofMonth int // from 1
}

func dateOf(number int64) date {
	midnight := time.Unix(number*secondsOfDay, 0).UTC()
	return date{number, int(midnight.Weekday()), midnight.Day()}
}

// calendar is what the days of a line are said in.
type calendar int8

const (
	ofWeek calendar = iota
	ofMonth
	dates
)

// days are the days on which the hours of a line begin.
type days struct {
	calendar calendar
	// set has a bit for each day of the week (0 is Sunday) or of the month (from 1).
	set uint32
	// first and last are the numbers of dates.
	first, last int32
}

const (
	wholeWeek  = 1<<7 - 1
	wholeMonth = 1<<32 - 2
)

// on says whether a date is one of the days.
func (d days) on(day date) bool {
	switch d.calendar {
	case ofWeek:
		return d.set>>day.weekday&1 != 0
	case ofMonth:
		return d.set>>day.ofMonth&1 != 0
	default:
		return int64(d.first) <= day.number && day.number <= int64(d.last)
	}
}

// next is the first of the days from a date on, and false if there is none.
func (d days) next(from date) (int64, bool) {
	switch d.calendar {
	case ofWeek:
		turned := d.set>>from.weekday | d.set<<(7-from.weekday)
		return from.number + int64(bits.TrailingZeros32(turned)), d.set != 0
	case ofMonth:
		return d.nextOfMonth(from)
	default:
		return max(from.number, int64(d.first)), from.number <= int64(d.last)
	}
}

// nextOfMonth looks into three months: there are never two in a row without a 29th, 30th or 31st.
func (d days) nextOfMonth(from date) (int64, bool) {
	year, month, _ := time.Unix(from.number*secondsOfDay, 0).UTC().Date()
	left := d.set >> from.ofMonth << from.ofMonth
	for range 3 {
		first := bits.TrailingZeros32(left)
		if day := time.Date(year, month, first, 0, 0, 0, 0, time.UTC); left != 0 && day.Day() == first {
			return day.Unix() / secondsOfDay, true
		}
		left, month = d.set, month+1
	}
	return 0, false
}

// nextOther is the first day that is none of them after one that is, and false if there is none.
func (d days) nextOther(from date) (int64, bool) {
	switch d.calendar {
	case ofWeek:
		d.set ^= wholeWeek
	case ofMonth:
		d.set ^= wholeMonth
	default:
		return int64(d.last) + 1, true
	}
	return d.next(from)
}

const allowedDays = `must be "daily", days of the week such as "Mon-Fri" or "Sat,Sun", days of the month from 1 to 31 such as "1" or "25-31", ` +
	`or dates such as "2026-12-24" or "2026-11-27..2026-11-30"`

// readDays reads the first word of a line.
func readDays(word string) (days, error) {
	isDigit := word[0] >= '0' && word[0] <= '9'
	switch {
	case word == "daily":
		return days{set: wholeWeek}, nil
	case !isDigit:
		return readSet(word, ofWeek)
	case len(word) < len(time.DateOnly) || strings.Contains(word, ","):
		return readSet(word, ofMonth)
	}
	return readDates(word)
}

// readSet reads days and ranges of days, separated by commas.
func readSet(word string, c calendar) (days, error) {
	d := days{calendar: c}
	const week, month = 7, 31 + 1
	size := week
	if c == ofMonth {
		size = month
	}
	for item := range strings.SplitSeq(word, ",") {
		from, to, isRange := strings.Cut(item, "-")
		if !isRange {
			to = from
		}
		first, ok := readDay(from, c)
		last, lastOK := readDay(to, c)
		if !ok || !lastOK {
			return days{}, errors.New(allowedDays)
		}
		if c == ofMonth && last < first {
			return days{}, errors.New(`must not go over the end of a month; write such as "25-31,1-3"`)
		}
		d.set |= 1 << last
		for day := first; day != last; day = (day + 1) % size {
			d.set |= 1 << day
		}
	}
	if d.set == wholeMonth {
		d = days{set: wholeWeek}
	}
	return d, nil
}

func readDay(text string, c calendar) (int, bool) {
	if c == ofWeek {
		day := slices.Index([]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}, text)
		return day, day >= 0
	}
	day, err := strconv.ParseUint(text, 10, 6)
	return int(day), err == nil && len(text) <= 2 && day >= 1 && day <= 31
}

// readDates reads one date, or the first and the last one.
func readDates(word string) (days, error) {
	from, to, isRange := strings.Cut(word, "..")
	if !isRange {
		to = from
	}
	first, err := time.Parse(time.DateOnly, from)
	last, lastErr := time.Parse(time.DateOnly, to)
	switch {
	case err != nil || lastErr != nil:
		return days{}, errors.New(`must be a date that exists, such as "2026-12-24", or the first and the last one, such as "2026-11-27..2026-11-30"`)
	case last.Before(first):
		return days{}, errors.New("must not end before it begins")
	}
	return days{calendar: dates, first: int32(first.Unix() / secondsOfDay), last: int32(last.Unix() / secondsOfDay)}, nil
}
