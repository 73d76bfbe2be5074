// Package table prints what is seen of a phase's workloads as it happens, one line per look. The lines are plain text and only ever
// appended, so they read the same on a terminal, in a file and in a log.
package table

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

// bar is the widest bar of replicas, in characters; one character is one replica.
const bar = 10

// Cell is one workload in one row.
type Cell struct {
	// Utilization is in percent of the requests, or story.Unknown.
	Utilization int32
	// From is what the replicas were before this row's change; equal to Replicas where the row tells of no change.
	From, Replicas int32
	// Changes is how often the replicas changed since the table began.
	Changes int
}

// Row is one line.
type Row struct {
	// At is counted from the start of the demo.
	At time.Duration
	// Load is in millicores per workload.
	Load int64
	// Cells has one entry per workload of the table, in its order.
	Cells  []Cell
	Reason string
}

// Table writes rows. A table of one workload spells out its columns, a table of several puts them side by side and counts changes.
type Table struct {
	out       io.Writer
	workloads []string
}

// New is a table for these workloads.
func New(out io.Writer, workloads []string) *Table { return &Table{out: out, workloads: workloads} }

// Head writes the headings.
func (t *Table) Head() error {
	var over, head strings.Builder
	fmt.Fprintf(&over, "%6s  %6s", "", "")
	fmt.Fprintf(&head, "%6s  %6s", "TIME", "LOAD")
	for _, name := range t.workloads {
		columns := fmt.Sprintf("  %s  %8s  %-*s", t.utilization(), "REPLICAS", bar, "")
		if t.several() {
			columns += "  CHANGES"
		}
		head.WriteString(columns)
		fmt.Fprintf(&over, "  %-*s", len(columns)-2, strings.ToUpper(name))
	}
	if t.several() {
		return t.line(over.String(), head.String()+"  REASON")
	}
	return t.line(head.String() + "  REASON")
}

// Write writes one row.
func (t *Table) Write(r Row) error {
	var line strings.Builder
	fmt.Fprintf(&line, "%6s  %6s", Clock(r.At), fmt.Sprintf("%dm", r.Load))
	for _, c := range r.Cells {
		fmt.Fprintf(&line, "  %*s  %8s  %-*s", len(t.utilization()), percent(c.Utilization), c.replicas(), bar, c.bar())
		if t.several() {
			fmt.Fprintf(&line, "  %7d", c.Changes)
		}
	}
	return t.line(line.String() + "  " + r.Reason)
}

func (t *Table) several() bool { return len(t.workloads) > 1 }

func (t *Table) utilization() string {
	if t.several() {
		return "UTIL"
	}
	return "UTILIZATION"
}

func (t *Table) line(lines ...string) error {
	for _, l := range lines {
		if _, err := fmt.Fprintln(t.out, strings.TrimRight(l, " ")); err != nil {
			return fmt.Errorf("could not write the table: %w", err)
		}
	}
	return nil
}

func (c Cell) replicas() string {
	if c.From == c.Replicas {
		return fmt.Sprint(c.Replicas)
	}
	return story.Change{From: c.From, To: c.Replicas}.String()
}

func (c Cell) bar() string { return strings.Repeat("#", int(min(max(c.Replicas, 0), bar))) }

func percent(utilization int32) string {
	if utilization == story.Unknown {
		return "-"
	}
	return fmt.Sprintf("%d%%", utilization)
}

// Clock is a moment of the demo in minutes and seconds, "1:05".
func Clock(at time.Duration) string {
	at = at.Round(time.Second)
	return fmt.Sprintf("%d:%02d", int(at.Minutes()), int(at.Seconds())%60)
}
