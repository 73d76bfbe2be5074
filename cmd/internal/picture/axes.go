package picture

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// axes are one panel's place on the canvas: time from left to right, a value from the bottom up.
type axes struct {
	left, right, top, bottom float64
	from, to                 time.Duration
	// peak is the value at the top, step the distance of two grid lines.
	peak, step float64
	// labelled says that a second scale stands to the right.
	labelled bool
}

func (a axes) x(at time.Duration) float64 {
	share := float64(at-a.from) / float64(max(a.to-a.from, 1))
	return a.left + (a.right-a.left)*min(max(share, 0), 1)
}

func (a axes) y(value float64) float64 {
	return a.bottom - (a.bottom-a.top)*min(max(value/a.peak, 0), 1)
}

// frame draws the horizontal grid with its numbers, and the names of the axes.
func (a axes) frame(c *canvas, p Panel) {
	for i := 0; float64(i)*a.step <= a.peak*1.001; i++ {
		value := float64(i) * a.step
		y := a.y(value)
		c.line(point{a.left, y}, point{a.right, y}, "grid")
		c.text(point{a.left - 8, y + 4}, "tick end", number(value))
		if s := p.Second; s != nil {
			c.text(point{a.right + 8, y + 4}, "tick", number(value*s.Factor)+s.Suffix)
		}
	}
	c.text(point{a.left - 8, a.top - 10}, "axis end", p.Unit)
	if s := p.Second; s != nil {
		c.text(point{a.right + 8, a.top - 10}, "axis", s.Unit)
	}
}

// clock writes the time axis below the panel.
func (a axes) clock(c *canvas) {
	step := pace(a.to-a.from, int((a.right-a.left)/62))
	for at := (a.from + step - 1) / step * step; at <= a.to; at += step {
		c.line(point{a.x(at), a.bottom}, point{a.x(at), a.bottom + 4}, "grid")
		c.text(point{a.x(at), a.bottom + 17}, "tick middle", Clock(at))
	}
}

// pace is a round distance between times, so that there are at most so many of them.
func pace(length time.Duration, most int) time.Duration {
	steps := []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute,
		5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}
	for _, step := range steps {
		if length/step <= time.Duration(most) {
			return step
		}
	}
	day := 24 * time.Hour
	return (length/time.Duration(most)/day + 1) * day
}

// Clock is a time as the axis shows it: minutes and seconds, "1:05", from an hour on with hours, "1:00:05".
func Clock(at time.Duration) string {
	at = at.Round(time.Second)
	h, m, s := int(at.Hours()), int(at.Minutes())%60, int(at.Seconds())%60
	if h > 0 {
		return fmt.Sprintf("%d:%02d:%02d", h, m, s)
	}
	return fmt.Sprintf("%d:%02d", m, s)
}

// number is a value without digits that say nothing.
func number(v float64) string { return strconv.FormatFloat(math.Round(v*1e4)/1e4, 'f', -1, 64) }

// stride is a round distance between grid lines that gives three to six of them; at least smallest.
func stride(peak, smallest float64) float64 {
	if !(peak > 0) || math.IsInf(peak, 0) {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(peak/5)))
	for _, factor := range []float64{1, 2, 5} {
		if peak/(unit*factor) <= 6 {
			return max(unit*factor, smallest)
		}
	}
	return max(unit*10, smallest)
}

// scaled sets the value axis so that it reaches the highest value.
func (a *axes) scaled(highest, smallest float64) {
	a.step = stride(highest, smallest)
	a.peak = max(a.step, math.Ceil(highest/a.step)*a.step)
	if math.IsNaN(a.peak) || math.IsInf(a.peak, 0) {
		a.peak = a.step
	}
}
