package simulate

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/picture"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
)

// table shows a simulation to people: the evaluations at which something changes, one a minute besides, and a
// summary.
type table struct {
	*cli.Page
	variants []*variant
	all      bool
	minute   time.Duration
	hidden   int
}

func newTable(w io.Writer, variants []*variant, all bool) *table {
	return &table{Page: cli.NewPage(w), variants: variants, all: all, minute: -time.Minute}
}

func (t *table) write() error {
	for _, line := range facts(t.variants[0]) {
		t.Line("%s", line)
	}
	for _, v := range t.variants {
		t.Line("%s: %s", v.name, v.words())
		for _, mode := range v.mode() {
			t.Line("%s: %s", v.name, mode)
		}
	}
	t.Title("Evaluations")
	head := []string{"TIME", "LOAD"}
	for _, v := range t.variants {
		replicas := "REPLICAS"
		if len(t.variants) > 1 {
			replicas = strings.ToUpper(v.name)
		}
		head = append(head, "UTIL", "READY", replicas)
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

// moment adds a row if something changes, or if the minute has none yet.
func (t *table) moment(at time.Duration, now []*simulate.Evaluation, changes bool) {
	cells := []string{picture.Clock(at), fmt.Sprintf("%.0fm", t.variants[0].run.Moments[at/simulate.Tick].Load)}
	for i, e := range now {
		if e == nil {
			m := t.variants[i].run.Moments[at/simulate.Tick]
			cells = append(cells, "-", fmt.Sprint(m.Ready), fmt.Sprint(m.Replicas))
			continue
		}
		cells = append(cells, t.variants[i].utilization(e.Usage), fmt.Sprint(e.Moment.Ready), t.variants[i].move(e))
	}
	if !changes && !t.all && at-t.minute < time.Minute {
		t.hidden++
		return
	}
	if at-t.minute >= time.Minute {
		t.minute = at.Truncate(time.Minute)
	}
	t.Row(append(cells, cmp.Or(t.because(now), "-"))...)
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
	if e.Desired != e.Current || e.Decision.Failure != nil {
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
