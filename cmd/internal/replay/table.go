package replay

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// table shows a replay to people: the observations at which something changes, and a summary.
type table struct {
	*cli.Page
	all bool // also the observations at which nothing changes
	c   *comparison
	// before is the observation before; its outcomes are nil at the first one.
	before pair
	hidden int
}

func newTable(out io.Writer, all bool, c *comparison) *table {
	t := &table{Page: cli.NewPage(out), all: all, c: c}
	t.Line("%s", c.title)
	if c.settings != "" {
		t.Line("--set %s", c.settings)
	}
	t.Title("Observations")
	if c.set == nil {
		t.Row("TIME", "REPLICAS", "RATIO", "ACTIVE", "ABLE", "LIMITED", "BECAUSE")
	} else {
		t.Row("TIME", "RECORDED", "RATIO", "DECIDED", "WITH --SET", "RATIO", "BECAUSE, WITH --SET")
	}
	return t
}

func (t *table) show(p pair) error {
	if !t.all && !t.changes(p) {
		t.hidden++
	} else if t.c.set == nil {
		o := p.recorded
		t.Row(stamp(o.Time), cli.Change(o.Current, o.Desired), ratio(o), cmp.Or(o.Active, "-"), cmp.Or(o.Able, "-"), cmp.Or(o.Limited, "-"), o.Because())
	} else {
		o := p.set
		t.Row(stamp(o.Time), fmt.Sprint(o.Current), ratio(p.recorded), cli.Change(o.Current, p.recorded.Desired), cli.Change(o.Current, o.Desired), ratio(o), o.Because())
	}
	t.before = p
	return t.Err()
}

// changes says whether an observation is worth a row. It is if it is the first one, if it decides to scale and the one before did not
// decide the same, if somebody else has set the replicas, if metrics begin or cease to fail, or if another limit holds. It is not if only
// a window holds back something now and then.
func (t *table) changes(p pair) bool {
	now, before := p.asked(), t.before.asked()
	if before == nil || scales(now, before) || scales(p.recorded, t.before.recorded) {
		return true
	}
	if now.Active != before.Active || now.Limited != before.Limited {
		return true
	}
	return now.Current != before.Current && now.Current != t.before.recorded.Desired
}

// scales says whether an outcome is a decision to scale that is not the same as the one before.
func scales(now, before *trace.Outcome) bool {
	return now.Desired != now.Current && (now.Desired != before.Desired || now.Current != before.Current)
}

func (t *table) end() error {
	if t.hidden > 0 {
		t.Row(fmt.Sprintf("(observations at which nothing changed: %d; --all shows them)", t.hidden))
	}
	t.Title("Summary")
	if t.c.set == nil {
		for _, row := range sumRows(false) {
			t.Row(row.name, row.of(&t.c.recordedSum))
		}
	} else {
		t.compared()
	}
	return t.Flush()
}

func (t *table) compared() {
	t.Row("", "as recorded", "with --set")
	for _, row := range sumRows(true) {
		t.Row(row.name, row.of(&t.c.recordedSum), row.of(&t.c.setSum))
	}
	t.Row("decided differently", "", fmt.Sprintf("%d of %d", t.c.differ, t.c.setSum.Evaluations))
	if first := t.c.first; first.set != nil {
		t.Row("first difference", cli.Change(first.recorded.Current, first.recorded.Desired),
			fmt.Sprintf("%s at %s", cli.Change(first.set.Current, first.set.Desired), stamp(first.set.Time)))
	}
}

// stamp is a time as a user would look for it in the trace.
func stamp(t time.Time) string { return t.Format(time.RFC3339Nano) }

// ratio is the largest ratio of usage to target.
func ratio(o *trace.Outcome) string {
	if !trace.Measured(o.Decision) {
		return "-"
	}
	return fmt.Sprintf("%.2f", trace.Ratio(o.Decision))
}
