package play

import (
	"io"
	"slices"
	"time"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
	"github.com/mini-hpa/mini-hpa/test/demo/table"
)

// delay is how long a change waits for the Event that explains it and for the utilization that goes with it.
const delay = 2 * time.Second

// reporter turns what is seen in one phase into rows: one for every change, one every beat.
type reporter struct {
	table   *table.Table
	act     story.Act
	request int64
	beat    time.Duration
	// written is when the last row was, next is when one without news is due, printed is how many changes of each workload have a row.
	written time.Duration
	next    time.Duration
	printed map[string]int
}

func newReporter(out io.Writer, act story.Act, request int64, beat time.Duration) *reporter {
	r := &reporter{table: table.New(out, act.Phase.Names()), act: act, request: request, beat: beat, printed: map[string]int{}}
	r.next = act.Began + r.gap()
	return r
}

// gap is the time from a row with news to the next one without. A change comes with a sample, and so may the next one: the rows
// between fall between samples.
func (r *reporter) gap() time.Duration { return r.beat * 3 / 2 }

// begin writes the headings and what was the case when the phase began.
func (r *reporter) begin(seen story.Seen) error {
	if err := r.table.Head(); err != nil {
		return err
	}
	return r.write(seen, r.act.Began, nil)
}

// news is a change that has no row yet.
type news struct {
	workload string
	story.Change
}

// report prints what is new. With last, changes that still wait are printed as they are.
func (r *reporter) report(seen story.Seen, last bool) error {
	waiting := r.news(seen)
	for _, n := range waiting {
		if !last && !r.explained(seen, n) {
			return nil
		}
		r.printed[n.workload]++
		if err := r.write(seen, n.At, &n); err != nil {
			return err
		}
		r.next = max(r.next, n.At+r.gap())
	}
	closing := last && seen.Now-r.written >= time.Second
	if seen.Now < r.next && !closing {
		return nil
	}
	r.next = max(r.next, seen.Now-r.beat/2) + r.beat
	return r.write(seen, seen.Now, nil)
}

func (r *reporter) write(seen story.Seen, at time.Duration, n *news) error {
	r.written = at
	return r.table.Write(r.row(seen, at, n))
}

// news lists the changes of the phase's workloads without a row, oldest first.
func (r *reporter) news(seen story.Seen) []news {
	var all []news
	for _, name := range r.act.Phase.Names() {
		changes := r.changes(seen, name)
		for _, c := range changes[min(r.printed[name], len(changes)):] {
			all = append(all, news{name, c})
		}
	}
	slices.SortStableFunc(all, func(a, b news) int { return int(a.At - b.At) })
	return all
}

func (r *reporter) track(seen story.Seen, workload string) story.Track {
	return story.Recording{Tracks: seen.Tracks}.Track(workload).Between(0, seen.Now)
}

// changes are those of the phase.
func (r *reporter) changes(seen story.Seen, workload string) []story.Change {
	return r.track(seen, workload).Between(r.act.Began, seen.Now).Changes
}

// explained says whether a change can be printed with its reason and the utilization of its moment.
func (r *reporter) explained(seen story.Seen, n news) bool {
	points := r.track(seen, n.workload).Points
	measured := len(points) > 0 && points[len(points)-1].At >= n.At
	return (n.Reason != "" && measured) || seen.Now-n.At >= delay
}

// row is what was the case at a moment; n is the change it tells of, if any.
func (r *reporter) row(seen story.Seen, at time.Duration, n *news) table.Row {
	row := table.Row{At: at, Load: r.act.Phase.Load.Milli(at-r.act.Began, r.request)}
	names := r.act.Phase.Names()
	for _, name := range names {
		cell := cellAt(r.track(seen, name), at)
		cell.Changes = countUntil(r.changes(seen, name), at)
		if n != nil && n.workload == name {
			cell.From, cell.Replicas = n.From, n.To
		}
		row.Cells = append(row.Cells, cell)
	}
	if n != nil {
		row.Reason = n.Reason
		if len(names) > 1 {
			row.Reason = n.workload + ": " + n.Reason
		}
	}
	return row
}

// cellAt is a workload at a moment. The utilization is that of the first look after it: a change follows its sample so fast that the
// look before it may not have seen the sample yet.
func cellAt(t story.Track, at time.Duration) table.Cell {
	cell := table.Cell{Utilization: story.Unknown}
	for _, p := range t.Points {
		cell.Utilization, cell.Replicas = p.Utilization, p.Replicas
		if p.At >= at {
			break
		}
	}
	for _, c := range t.Changes {
		if c.At > at {
			cell.Replicas = c.From
			break
		}
		cell.Replicas = c.To
	}
	cell.From = cell.Replicas
	return cell
}

func countUntil(changes []story.Change, at time.Duration) int {
	n := 0
	for _, c := range changes {
		if c.At <= at {
			n++
		}
	}
	return n
}
