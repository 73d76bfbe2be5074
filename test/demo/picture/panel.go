package picture

import (
	"fmt"
	"math"
	"time"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
	"github.com/mini-hpa/mini-hpa/test/demo/table"
)

const (
	width = 1000.0
	left  = 66.0
	right = width - 74.0
)

// span is a stretch of time, counted from the start of the demo.
type span struct{ from, to time.Duration }

// panel is one pair of axes: time from left to right, a value from the bottom up.
type panel struct {
	time        span
	top, bottom float64
	// peak is the value at the top.
	peak float64
}

func (p panel) x(at time.Duration) float64 {
	share := float64(at-p.time.from) / float64(max(p.time.to-p.time.from, 1))
	return left + (right-left)*min(max(share, 0), 1)
}

func (p panel) y(value float64) float64 {
	return p.bottom - (p.bottom-p.top)*min(max(value/p.peak, 0), 1)
}

// frame draws the horizontal grid with its numbers on the left, and the name of the axis.
func (p panel) frame(c *canvas, name string, label func(float64) string) {
	for value, step := 0.0, stride(p.peak); value <= p.peak; value += step {
		y := p.y(value)
		c.line(point{left, y}, point{right, y}, "grid")
		c.text(point{left - 8, y + 4}, "tick end", label(value))
	}
	c.text(point{left - 8, p.top - 10}, "axis end", name)
}

// rightAxis writes a second reading of the same grid.
func (p panel) rightAxis(c *canvas, name string, label func(float64) string) {
	for value, step := 0.0, stride(p.peak); value <= p.peak; value += step {
		c.text(point{right + 8, p.y(value) + 4}, "tick", label(value))
	}
	c.text(point{right + 8, p.top - 10}, "axis", name)
}

// clock writes the time axis below the panel.
func (p panel) clock(c *canvas) {
	steps := []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}
	step := steps[0]
	for i := 1; i < len(steps) && (p.time.to-p.time.from)/step > 14; i++ {
		step = steps[i]
	}
	for at := (p.time.from + step - 1) / step * step; at <= p.time.to; at += step {
		c.line(point{p.x(at), p.bottom}, point{p.x(at), p.bottom + 4}, "grid")
		c.text(point{p.x(at), p.bottom + 17}, "tick middle", table.Clock(at))
	}
}

// stride is a round distance between grid lines that gives three to six of them.
func stride(peak float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(max(peak, 1)/5)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if peak/(unit*factor) <= 6 {
			return max(unit*factor, 1)
		}
	}
	return unit * 10
}

// ceiling is the next multiple of the stride at or above a value.
func ceiling(value float64) float64 {
	step := stride(value)
	return max(step, math.Ceil(value/step)*step)
}

// loadArea is the load as a filled curve. Milli is how many millicores one unit of the panel's axis stands for.
func (p panel) loadArea(c *canvas, t story.Track, milli float64) {
	var line []point
	for _, at := range t.Points {
		y := p.y(float64(at.Load) / milli)
		if n := len(line); n > 0 {
			line = append(line, point{p.x(at.At), line[n-1].y})
		}
		line = append(line, point{p.x(at.At), y})
	}
	if len(line) == 0 {
		return
	}
	line = append(line, point{p.x(p.time.to), line[len(line)-1].y})
	floor := p.y(0)
	area := append([]point{{line[0].x, floor}}, line...)
	c.path(append(area, point{line[len(line)-1].x, floor}), "load-area")
	c.path(line, "load-line")
}

// replicaSteps is spec.replicas as a staircase with a mark on every change.
func (p panel) replicaSteps(c *canvas, t story.Track, class string) {
	if len(t.Points) == 0 {
		return
	}
	first := t.Points[0]
	replicas := first.Replicas
	if len(t.Changes) > 0 {
		replicas = t.Changes[0].From
	}
	line := []point{{p.x(first.At), p.y(float64(replicas))}}
	for _, change := range t.Changes {
		x := p.x(change.At)
		line = append(line, point{x, p.y(float64(change.From))}, point{x, p.y(float64(change.To))})
	}
	end := line[len(line)-1]
	line = append(line, point{max(end.x, p.x(t.Points[len(t.Points)-1].At)), end.y})
	c.path(line, "replicas "+class)
	p.marks(c, t.Changes, class)
}

// marks labels the changes, leaving out a label that would lie on its neighbour.
func (p panel) marks(c *canvas, changes []story.Change, class string) {
	free := 0.0
	for _, change := range changes {
		at := point{p.x(change.At), p.y(float64(change.To))}
		c.dot(at, "mark "+class, fmt.Sprintf("%s  %s  %s", table.Clock(change.At), change, change.Reason))
		if at.x < free {
			continue
		}
		y := at.y - 9
		if change.To < change.From {
			y = p.y(float64(change.From)) - 9
		}
		c.text(point{at.x, y}, "note middle", fmt.Sprintf("%d → %d", change.From, change.To))
		free = at.x + 44
	}
}

// utilization is the line of measured utilization, broken where nothing was measured.
func (p panel) utilization(c *canvas, t story.Track, class string) {
	var line []point
	for _, at := range t.Points {
		if at.Utilization == story.Unknown {
			c.path(line, "util "+class)
			line = nil
			continue
		}
		line = append(line, point{p.x(at.At), p.y(float64(at.Utilization))})
	}
	c.path(line, "util "+class)
}

// target is the wanted utilization and the band of 10% around it in which nothing changes by default.
func (p panel) target(c *canvas, percent float64) {
	c.rect(point{left, p.y(percent * 1.1)}, point{right, p.y(percent * 0.9)}, "band")
	c.line(point{left, p.y(percent)}, point{right, p.y(percent)}, "target")
	c.text(point{right + 8, p.y(percent) + 4}, "note", fmt.Sprintf("target %.0f%%", percent))
}
