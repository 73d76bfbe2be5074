package keda

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// hours are a line of the schedule: so many replicas at least, or none where that is 0, on these days of the week and at these minutes of the day.
type hours struct {
	replicas int
	days     [7]bool // the first is Sunday
	from, to int
}

const minutesOfDay = 24 * 60

// rest is what comes after all other lines: no replicas at all other times.
func rest() hours {
	return hours{days: [7]bool{true, true, true, true, true, true, true}, to: minutesOfDay}
}

// isAlways says whether there is a line for each minute of the week.
func isAlways(all []hours) bool {
	var covered [7 * minutesOfDay]bool
	for _, w := range all {
		to := w.to
		if to < w.from { // over midnight
			to += minutesOfDay
		}
		for day, is := range w.days {
			for minute := w.from; is && minute < to; minute++ {
				covered[(day*minutesOfDay+minute)%len(covered)] = true
			}
		}
	}
	return !slices.Contains(covered[:], false)
}

// scheduleText is the annotation. The first line that fits counts, so that the one with the most replicas is first.
func scheduleText(zone string, all []hours) string {
	slices.SortStableFunc(all, func(a, b hours) int { return cmp.Compare(b.replicas, a.replicas) })
	var b strings.Builder
	if zone != "" && zone != "UTC" {
		fmt.Fprintf(&b, "zone %s\n", zone)
	}
	for _, w := range all {
		bound := "min"
		if w.replicas == 0 {
			bound = "replicas"
		}
		fmt.Fprintf(&b, "%s %s-%s %s=%d\n", daysText(w.days), clock(w.from), clock(w.to), bound, w.replicas)
	}
	return b.String()
}

func clock(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// daysText joins neighbors from Monday on.
func daysText(days [7]bool) string {
	names := [...]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}
	var parts []string
	for first := 0; first < 7; first++ {
		if !days[(first+1)%7] {
			continue
		}
		last := first
		for last < 6 && days[(last+2)%7] {
			last++
		}
		switch {
		case last-first == 6:
			return "daily"
		case last == first:
			parts = append(parts, names[first])
		case last == first+1:
			parts = append(parts, names[first], names[last])
		default:
			parts = append(parts, names[first]+"-"+names[last])
		}
		first = last
	}
	return strings.Join(parts, ",")
}
