package story

import (
	"fmt"
	"strings"
	"time"
)

// State says whether an expectation has been met.
type State string

const (
	// Pending means that it can still go either way.
	Pending State = "pending"
	// Held means that it was met.
	Held State = "held"
	// Failed means that it was not met and no longer can be.
	Failed State = "failed"
)

// Verdict is a State and the sentence that explains it.
type Verdict struct {
	State State  `json:"state"`
	Says  string `json:"says"`
}

// Seen is what a phase has to show for itself so far. Began and Now are counted from the start of the demo.
type Seen struct {
	Began, Now time.Duration
	Tracks     []Track
}

// since is the part of a workload's track that belongs to the phase, its times still counted from the start of the demo.
func (s Seen) since(workload string) Track {
	return Recording{Tracks: s.Tracks}.Track(workload).Between(s.Began, s.Now)
}

// Expectation is what a phase must show.
type Expectation interface {
	// String says it as a sentence without a full stop.
	String() string
	// Judge is a function of its argument alone. Held and Failed are final.
	Judge(s Seen) Verdict
	// Longest is the time after which Judge says Held or Failed.
	Longest() time.Duration
}

// Reaches expects a workload to go to a number of replicas, straight (no step back, no overshoot), not before NotBefore and within
// Within of the phase's start, and to stay there for Hold.
type Reaches struct {
	Workload                string
	Replicas                int32
	NotBefore, Within, Hold time.Duration
}

// String says what is expected.
func (r Reaches) String() string {
	when := fmt.Sprintf("within %s", r.Within)
	if r.NotBefore > 0 {
		when = fmt.Sprintf("not before %s, but within %s", r.NotBefore, r.Within)
	}
	return fmt.Sprintf("%s is at %d %s and stays there for %s", r.Workload, r.Replicas, when, r.Hold)
}

// Longest is when an arrival in the last moment has lasted.
func (r Reaches) Longest() time.Duration { return r.Within + r.Hold }

// Judge compares what was seen with what is expected.
func (r Reaches) Judge(s Seen) Verdict {
	track := s.since(r.Workload)
	for _, c := range track.Changes {
		if complaint := r.complaint(c, c.At-s.Began); complaint != "" {
			return Verdict{Failed, complaint}
		}
	}
	arrived, there := r.arrival(track, s.Began)
	switch elapsed := s.Now - s.Began; {
	case there && elapsed-arrived >= r.Hold:
		return Verdict{Held, r.praise(track, arrived)}
	case !there && elapsed > r.Within:
		return Verdict{Failed, fmt.Sprintf("%s is at %d after %s, expected %d", r.Workload, track.Replicas(), seconds(elapsed), r.Replicas)}
	}
	return Verdict{State: Pending}
}

// complaint says what is wrong with a change; empty where it is a step towards the expected number of replicas.
func (r Reaches) complaint(c Change, after time.Duration) string {
	up, down := c.To > c.From && c.To <= r.Replicas, c.To < c.From && c.To >= r.Replicas
	switch {
	case !up && !down:
		return fmt.Sprintf("%s went %s after %s, expected %d", r.Workload, c, seconds(after), r.Replicas)
	case after < r.NotBefore:
		return fmt.Sprintf("%s went %s after %s already, expected nothing before %s", r.Workload, c, seconds(after), r.NotBefore)
	case c.To == r.Replicas && after > r.Within:
		return fmt.Sprintf("%s went %s only after %s, expected it within %s", r.Workload, c, seconds(after), r.Within)
	}
	return ""
}

// arrival is when, counted from the phase's start, the workload got to the expected number of replicas, if it has.
func (r Reaches) arrival(t Track, began time.Duration) (after time.Duration, there bool) {
	if n := len(t.Changes); n > 0 {
		last := t.Changes[n-1]
		return last.At - began, last.To == r.Replicas
	}
	return 0, len(t.Points) > 0 && t.Replicas() == r.Replicas
}

// praise says how the expectation was met.
func (r Reaches) praise(t Track, arrived time.Duration) string {
	if len(t.Changes) == 0 {
		return fmt.Sprintf("%s stayed at %d", r.Workload, r.Replicas)
	}
	path := []string{fmt.Sprint(t.Changes[0].From)}
	for _, c := range t.Changes {
		path = append(path, fmt.Sprint(c.To))
	}
	return fmt.Sprintf("%s went %s in %s and stayed there", r.Workload, strings.Join(path, " -> "), seconds(arrived))
}

// Calmer expects that of two workloads under the same load for a time, Calm scaled at least once and Wild changed its replicas
// at least Times as often as Calm.
type Calmer struct {
	Wild, Calm string
	Times      int
	For        time.Duration
}

// String says what is expected.
func (c Calmer) String() string {
	return fmt.Sprintf("in %s %s changes its replicas at least %d times as often as %s", c.For, c.Wild, c.Times, c.Calm)
}

// Longest is the time of the comparison.
func (c Calmer) Longest() time.Duration { return c.For }

// Judge counts when the time is over.
func (c Calmer) Judge(s Seen) Verdict {
	if s.Now-s.Began < c.For {
		return Verdict{State: Pending}
	}
	wild, calm := len(s.since(c.Wild).Changes), len(s.since(c.Calm).Changes)
	says := fmt.Sprintf("%s changed its replicas %d times, %s %d times", c.Wild, wild, c.Calm, calm)
	switch {
	case calm == 0:
		return Verdict{Failed, says + ": the load never reached " + c.Calm}
	case wild < c.Times*calm:
		return Verdict{Failed, fmt.Sprintf("%s, expected at least %d times as many", says, c.Times)}
	}
	return Verdict{Held, says}
}

// seconds rounds for a sentence.
func seconds(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
