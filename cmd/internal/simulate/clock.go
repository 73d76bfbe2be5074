package simulate

import (
	"time"

	"github.com/mini-hpa/mini-hpa/cmd/internal/picture"
)

// clock shows people the moments of a simulation: as time since its start or, if it is known when that was, as the clocks show it by which a
// schedule goes, so that its hours are found again.
//
//	--start 2026-10-25T01:30:00+02:00      a schedule in Europe/Berlin      what is shown
//	01:59:45 +02:00                        01:59:45                         Oct 25 01:59:45 +02:00
//	03:00:00 +02:00                        02:00:00, for the second time    Oct 25 02:00:00 +01:00
type clock struct {
	// start is the zero time if it does not matter when the simulation starts.
	start time.Time
	// zone is the name of the schedule's; empty without one.
	zone   string
	layout string
}

// clockOf is the clock of the first variant that has a schedule, or that of --start. An offset stands in each row where the time of day is not
// enough: the clocks are set meanwhile, or another variant has a schedule of another zone.
func clockOf(variants []*variant) clock {
	const short, withOffset = "Jan 2 15:04:05", "Jan 2 15:04:05 -07:00"
	setup := &variants[0].setup
	c := clock{start: setup.Start, layout: short}
	if c.start.IsZero() {
		return c
	}
	for _, v := range variants {
		switch s := v.setup.Policy.Schedule; {
		case s.IsZero():
		case c.zone == "":
			c.start, c.zone = s.In(c.start), s.Zone()
		case c.zone != s.Zone():
			c.layout = withOffset
		}
	}
	_, first := c.start.Zone()
	if _, last := c.start.Add(setup.Duration).Zone(); first != last {
		c.layout = withOffset
	}
	return c
}

// at is a moment of the simulation.
func (c clock) at(since time.Duration) string {
	if c.start.IsZero() {
		return picture.Clock(since)
	}
	return c.start.Add(since).Format(c.layout)
}

// from says when the simulation starts; empty if that does not matter.
func (c clock) from() string {
	if c.start.IsZero() {
		return ""
	}
	from := " from " + c.start.Format("Mon "+time.RFC3339)
	if c.zone != "" && c.zone != time.UTC.String() {
		from += " in " + c.zone
	}
	return from
}
