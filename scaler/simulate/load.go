package simulate

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Unit is what a load is measured in.
type Unit struct {
	// plural is how values are called, example one of them; what is wrong is not a noun, and beyond most it is too much.
	plural, example, noun string
	most                  float64
	// suffix may follow a value.
	suffix string
}

// How many messages a pod serves in a second; no more of them arrive in one.
const (
	LeastPerSecond = 0.001
	MostPerSecond  = 1_000_000
)

// The units of loads: CPU that is asked for, and messages that arrive.
var (
	Millicores = Unit{"millicores", "500", "load", 1e9, "m"}
	PerSecond  = Unit{"messages per second", "0.2", "rate", MostPerSecond, ""}
)

// Columns are those of a CSV, as a message writes them.
func (u Unit) Columns() string { return "time," + u.plural }

func (u Unit) parse(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(text, u.suffix), 64)
	if err != nil || !(0 <= v && v <= u.most) {
		return 0, fmt.Errorf("%q is not a %s; want %s from 0 to %.0f, such as %s", text, u.noun, u.plural, u.most, u.example)
	}
	return v, nil
}

// Load is a curve of what is asked of the whole workload: CPU, or messages that arrive.
type Load struct {
	// Name is the load as the user asked for it.
	Name string
	// At is the load in its unit so long after the start; never negative. It has to answer the same each time.
	At func(time.Duration) float64
	// Mean, if set, is the average load of the Tick that begins at a time, for loads that change within one. Without it the
	// load of a Tick is that at its beginning.
	Mean func(time.Duration) float64
	// Length is how long the curve says something; 0 if it has no end.
	Length time.Duration
}

// Point is the load at a time after the start.
type Point struct {
	At    time.Duration
	Value float64
}

// Through is the load through points in the order of time: straight from each to the next or, with steps, the value of
// the last one. Before the first point and after the last one it stays as it is there. Of several points at one time
// the last one holds from then on. It needs at least one point. Points within one Tick count by their average.
func Through(name string, points []Point, steps bool) Load {
	c := curve{points, steps}
	return Load{Name: name, Length: points[len(points)-1].At, Mean: c.mean,
		At: func(at time.Duration) float64 { return c.between(firstAfter(points, at), at) }}
}

type curve struct {
	points []Point
	steps  bool
}

// between is the load at a time before a point and after the one before it.
func (c curve) between(next int, at time.Duration) float64 {
	if next == 0 {
		return c.points[0].Value
	}
	before := c.points[next-1]
	if next == len(c.points) || c.steps {
		return before.Value
	}
	after := c.points[next]
	share := float64(at-before.At) / float64(after.At-before.At)
	return before.Value + share*(after.Value-before.Value)
}

// mean adds up the stretches between the points within a Tick.
func (c curve) mean(at time.Duration) float64 {
	sum, end := 0.0, at+Tick
	for next := firstAfter(c.points, at); at < end; next++ {
		to := end
		if next < len(c.points) {
			to = min(to, c.points[next].At)
		}
		if to > at {
			sum += (c.between(next, at) + c.between(next, to)) / 2 * (to - at).Seconds()
			at = to
		}
	}
	return sum / Tick.Seconds()
}

// during is the load of the Tick that begins at a time; before the start it is as at the start.
func (l *Load) during(at time.Duration) float64 {
	switch {
	case at < 0:
		return l.At(0)
	case l.Mean != nil:
		return l.Mean(at)
	}
	return l.At(at)
}

// firstAfter is the index of the first point after a time.
func firstAfter(points []Point, at time.Duration) int {
	low, high := 0, len(points)
	for low < high {
		if middle := (low + high) / 2; points[middle].At > at {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}
