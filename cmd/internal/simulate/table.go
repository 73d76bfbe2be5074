package simulate

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
)

// table shows a simulation to people: the evaluations at which something changes, one a minute besides, or fewer if it is long, and
// a summary.
type table struct {
	*cli.Page
	variants []*variant
	clock    clock
	all      bool
	// pace is the time between two rows at which nothing changes, told the last of those.
	pace, told time.Duration
	hidden     int
}

func newTable(w io.Writer, variants []*variant, all bool) *table {
	pace := time.Minute
	switch d := variants[0].setup.Duration; {
	case d > 24*time.Hour:
		pace = time.Hour
	case d > 2*time.Hour:
		pace = 10 * time.Minute
	}
	return &table{Page: cli.NewPage(w), variants: variants, clock: clockOf(variants), all: all, pace: pace, told: -pace}
}

func (t *table) write() error {
	for _, line := range facts(t.variants) {
		t.Line("%s", line)
	}
	for _, v := range t.variants {
		t.Line("%s: %s", v.name, v.words())
		for _, mode := range v.mode() {
			t.Line("%s: %s", v.name, mode)
		}
	}
	t.Title("Evaluations")
	queued := t.variants[0].setup.Arrivals != nil
	head := []string{"TIME", "LOAD"}
	if queued {
		head[1] = "ARRIVALS"
	}
	for _, v := range t.variants {
		replicas := "REPLICAS"
		if len(t.variants) > 1 {
			replicas = strings.ToUpper(v.name)
		}
		if queued {
			head = append(head, "BACKLOG", "OLDEST", "READY", replicas)
		} else {
			head = append(head, "UTIL", "READY", replicas)
		}
	}
	t.Row(append(head, "BECAUSE")...)
	t.rows()
	if t.hidden > 0 {
		t.Row(fmt.Sprintf("(%d more evaluations at which nothing changed; --all shows them)", t.hidden))
	}
	t.Title("Summary")
	t.summary()
	return t.Flush()
}

// rows are the moments at which any of the variants was evaluated.
func (t *table) rows() {
	next := make([]int, len(t.variants))
	for at := time.Duration(0); at <= t.variants[0].setup.Duration; at += simulate.Tick {
		now := make([]*simulate.Evaluation, len(t.variants))
		due, changes := false, false
		for i, v := range t.variants {
			if n := next[i]; n < len(v.run.Evaluations) && v.run.Evaluations[n].Moment.At == at {
				now[i], due, next[i] = &v.run.Evaluations[n], true, n+1
				changes = changes || v.changes(n)
			}
		}
		if due {
			t.moment(at, now, changes)
		}
	}
}

// moment adds a row if something changes, or if it is time for one.
func (t *table) moment(at time.Duration, now []*simulate.Evaluation, changes bool) {
	if !changes && !t.all && at-t.told < t.pace {
		t.hidden++
		return
	}
	if at-t.told >= t.pace {
		t.told = at.Truncate(t.pace)
	}
	cells := []string{t.clock.at(at), t.variants[0].work(at)}
	for i, e := range now {
		cells = append(cells, t.variants[i].state(at, e)...)
	}
	t.Row(append(cells, cmp.Or(t.because(now), "-"))...)
}

// work is what is asked of the workload at a time.
func (v *variant) work(at time.Duration) string {
	m := &v.run.Moments[at/simulate.Tick]
	if v.setup.Arrivals != nil {
		return number(m.Arrivals) + "/s"
	}
	return fmt.Sprintf("%.0fm", m.Load)
}

// state is how the variant copes at a time, at which it may have been evaluated.
func (v *variant) state(at time.Duration, e *simulate.Evaluation) []string {
	m, usage := v.run.Moments[at/simulate.Tick], "-"
	replicas := fmt.Sprint(m.Replicas)
	if e != nil {
		m, usage, replicas = e.Moment, v.utilization(e.Usage), v.move(e)
	}
	if v.setup.Arrivals != nil {
		return []string{fmt.Sprint(m.Backlog), cli.Short(m.Oldest.Round(time.Second)), fmt.Sprint(m.Ready), replicas}
	}
	return []string{usage, fmt.Sprint(m.Ready), replicas}
}

// because is the reason of the only variant, be it for a change or for none. Of several variants it is the reasons of those that change.
func (t *table) because(now []*simulate.Evaluation) string {
	if len(now) == 1 {
		return held(now[0])
	}
	var reasons []string
	for i, e := range now {
		if e == nil || e.Desired == e.Current {
			continue
		}
		if reason := e.Because(); len(reasons) == 1 && strings.HasSuffix(reasons[0], ": "+reason) {
			reasons[0] = "both: " + reason
		} else {
			reasons = append(reasons, t.variants[i].name+": "+reason)
		}
	}
	return strings.Join(reasons, "; ")
}

// held is the reason of a decision and, where nothing changes although usage is off its target, the step that saw to that.
func held(e *simulate.Evaluation) string {
	reason := e.Because()
	if e.Desired != e.Current || e.Decision.Failure != nil || e.Decision.Asleep {
		return reason
	}
	for _, s := range slices.Backward(e.Steps) {
		if !s.Detail.IsZero() && (s.Stage == recommend.StageTolerance || s.From != s.To) {
			return reason + "; stays: " + s.Detail.String()
		}
	}
	return reason
}

// summary is what each of the variants came to.
func (t *table) summary() {
	if len(t.variants) > 1 {
		head := []string{""}
		for _, v := range t.variants {
			head = append(head, v.name)
		}
		t.Row(head...)
	}
	for i, f := range t.variants[0].summary() {
		row := []string{f.Name}
		for _, v := range t.variants {
			row = append(row, v.summary()[i].Value)
		}
		t.Row(row...)
	}
}
