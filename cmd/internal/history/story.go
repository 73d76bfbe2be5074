package history

import (
	"fmt"
	"io"
	"time"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// Who tells a line.
const (
	byLeader = "leader"
	byEvent  = "Event"
)

// line is one line, and who tells it.
type line struct {
	scaler.Entry
	By string `json:"by"`
}

// story is what has happened to a workload, the oldest first.
type story struct {
	// Source says in words who tells it, and Missing what could not be read.
	Source  string `json:"source"`
	Missing string `json:"missing,omitempty"`
	// Resource is the kind as the API has it: "deployments.apps".
	Resource  string    `json:"resource"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Time      time.Time `json:"time"`
	Entries   []line    `json:"entries"`
}

// write writes the story for people.
func (s *story) write(w io.Writer) error {
	p := cli.NewPage(w)
	p.Line("%s", s.Source)
	if s.Missing != "" {
		p.Line("Events could not be read: %s", s.Missing)
	}
	if len(s.Entries) == 0 {
		p.Line("nothing is known to have happened to %s/%s in namespace %s", s.Resource, s.Name, cli.Quote(s.Namespace))
	} else {
		p.Row("TIME", "AGO", "WHAT", "REPLICAS", "BY", "MESSAGE")
	}
	for _, l := range s.Entries {
		p.Row(stamp(l.Time), max(s.Time.Sub(l.Time), 0).Truncate(time.Second).String(), l.Reason, l.replicas(), l.By, l.Message)
	}
	if err := p.Flush(); err != nil {
		return fmt.Errorf("cannot write the history: %w", err)
	}
	return nil
}

// replicas is a change. An Event says only to how many.
func (l line) replicas() string {
	switch {
	case l.By == byEvent && l.Reason == scaler.EventSuccessfulRescale:
		return fmt.Sprintf("-> %d", l.To)
	case l.From != l.To:
		return cli.Change(l.From, l.To)
	}
	return "-"
}

// stamp is a moment as a table has it, in the local zone.
func stamp(at time.Time) string { return at.Local().Format(time.DateTime) }
