// Package story is the workshop as data: the phases, the load of each, what each is expected to show, and whether what
// was seen shows it. It knows no cluster and no clock.
package story

import (
	"fmt"
	"time"
)

// Load is what is asked of a whole workload over time, in percent of one pod's CPU request, so that the same story fits pods
// of any size. Without a Period it is Low all the time; with one it is High for the first On of every Period and Low for the rest.
type Load struct {
	Low, High  int64
	Period, On time.Duration
}

// Steady is the same load all the time, in percent of one pod's CPU request.
func Steady(percent int64) Load { return Load{Low: percent} }

// At is the load in percent of one pod's CPU request, since counted from the moment the load was set.
func (l Load) At(since time.Duration) int64 {
	if l.Period > 0 && since >= 0 && since%l.Period < l.On {
		return l.High
	}
	return l.Low
}

// Milli is At in millicores for pods that each request this many millicores.
func (l Load) Milli(since time.Duration, request int64) int64 { return l.At(since) * request / 100 }

// String says the load as a person would.
func (l Load) String() string {
	if l.Period == 0 {
		return fmt.Sprintf("%d%% of one pod's CPU request", l.Low)
	}
	return fmt.Sprintf("%d%% of one pod's CPU request for %s, then %d%% for %s, again and again", l.High, l.On, l.Low, l.Period-l.On)
}
