package get

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/util/jsonpath"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// Fleet is the workloads that were asked for, and who said so.
type Fleet struct {
	// Source says where it comes from, in words.
	Source string `json:"source"`
	// Leader is the pod that leads; empty if nobody does, or if that is not known.
	Leader string `json:"leader,omitempty"`
	// MetricsTaken is when the newest sample was taken; zero if there is none.
	MetricsTaken time.Time       `json:"metricsTaken,omitzero"`
	Time         time.Time       `json:"time"`
	Items        []scaler.Status `json:"items"`
	leads        string          // the end of the footer
	// period is the sync period of workloads without one of their own, took how long the look took.
	period, took time.Duration
}

// column is one of the table.
type column struct {
	name string
	// all says that it is there for all namespaces only, wide that -o wide adds it.
	all, wide bool
	cell      func(s *scaler.Status, now time.Time) string
	// order compares two workloads by it; nil where it is not sorted by.
	order func(a, b *scaler.Status) int
}

func columns() []column {
	number := func(n int32) string { return fmt.Sprint(n) }
	known := func(n *int32) string {
		if n == nil {
			return "-"
		}
		return number(*n)
	}
	least := func(n *int32) int32 {
		if n == nil {
			return -1
		}
		return *n
	}
	return []column{
		{name: "NAMESPACE", all: true, cell: func(s *scaler.Status, _ time.Time) string { return s.Namespace },
			order: func(a, b *scaler.Status) int { return strings.Compare(a.Namespace, b.Namespace) }},
		{name: "NAME", cell: func(s *scaler.Status, _ time.Time) string { return nameOf(s) }, order: func(a, b *scaler.Status) int { return strings.Compare(a.Name, b.Name) }},
		{name: "TARGETS", cell: func(s *scaler.Status, _ time.Time) string { return targets(s) }},
		{name: "MIN", cell: func(s *scaler.Status, _ time.Time) string { return known(s.Min) }, order: func(a, b *scaler.Status) int { return cmp.Compare(least(a.Min), least(b.Min)) }},
		{name: "MAX", cell: func(s *scaler.Status, _ time.Time) string { return known(s.Max) }, order: func(a, b *scaler.Status) int { return cmp.Compare(least(a.Max), least(b.Max)) }},
		{name: "REPLICAS", cell: func(s *scaler.Status, _ time.Time) string { return number(s.Replicas) }, order: func(a, b *scaler.Status) int { return cmp.Compare(a.Replicas, b.Replicas) }},
		{name: "READY", cell: func(s *scaler.Status, _ time.Time) string { return number(s.Ready) }, order: func(a, b *scaler.Status) int { return cmp.Compare(a.Ready, b.Ready) }},
		{name: "WANTS", cell: func(s *scaler.Status, _ time.Time) string { return known(s.Wants) }, order: func(a, b *scaler.Status) int { return cmp.Compare(least(a.Wants), least(b.Wants)) }},
		{name: "STATE", cell: func(s *scaler.Status, _ time.Time) string { return string(s.State) },
			order: func(a, b *scaler.Status) int { return cmp.Compare(a.State.Rank(), b.State.Rank()) }},
		{name: "LAST SCALE", cell: lastScale, order: func(a, b *scaler.Status) int { return scaledAt(b).Compare(scaledAt(a)) }},
		{name: "DECIDED", wide: true, cell: func(s *scaler.Status, now time.Time) string {
			if s.Decided.IsZero() {
				return "-"
			}
			return duration.HumanDuration(now.Sub(s.Decided))
		}},
		{name: "MODE", wide: true, cell: func(s *scaler.Status, _ time.Time) string { return cmp.Or(string(s.Mode), "-") }},
		{name: "REASON", wide: true, cell: func(s *scaler.Status, _ time.Time) string { return cmp.Or(s.Reason, "-") }},
		{name: "WHY", cell: func(s *scaler.Status, _ time.Time) string { return cmp.Or(s.Why, "-") }},
	}
}

// nameOf is the name of a workload, with its kind where that is not the usual one.
func nameOf(s *scaler.Status) string {
	if s.Kind == "Deployment" && s.Group == "apps" {
		return s.Name
	}
	return strings.ToLower(s.Kind) + "/" + s.Name
}

func targets(s *scaler.Status) string {
	if len(s.Targets) == 0 {
		return "-"
	}
	texts := make([]string, len(s.Targets))
	for i, target := range s.Targets {
		texts[i] = target.String()
	}
	return strings.Join(texts, ", ")
}

func lastScale(s *scaler.Status, now time.Time) string {
	if s.LastScale == nil {
		return "-"
	}
	return fmt.Sprintf("%s (%d->%d)", duration.HumanDuration(now.Sub(s.LastScale.Time)), s.LastScale.From, s.LastScale.To)
}

func scaledAt(s *scaler.Status) time.Time {
	if s.LastScale == nil {
		return time.Time{}
	}
	return s.LastScale.Time
}

// sortable are the names of the columns by which the table can be ordered, as --sort-by takes them.
func sortable() []string {
	var all []string
	for _, c := range columns() {
		if c.order != nil {
			all = append(all, flagName(c.name))
		}
	}
	return all
}

func flagName(column string) string { return strings.ReplaceAll(strings.ToLower(column), " ", "-") }

// sortItems orders the workloads by a column, and those that are equal in it by namespace and name.
func sortItems(items []scaler.Status, by string) {
	all := columns()
	at := slices.IndexFunc(all, func(c column) bool { return flagName(c.name) == by })
	slices.SortStableFunc(items, func(a, b scaler.Status) int {
		return cmp.Or(all[at].order(&a, &b), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.Kind, b.Kind))
	})
}

// Outputs that take an argument.
const (
	byJSONPath = "jsonpath="
	byColumns  = "custom-columns="
)

func outputFlag(value *string) pflag.Value {
	words := []string{"", "wide", "json", "yaml", "name"}
	v := cli.Text(value, "format", "wide, json, yaml, name, jsonpath=TEMPLATE or custom-columns=HEADER:PATH,...", func(s string) bool {
		switch {
		case strings.HasPrefix(s, byJSONPath):
			_, err := parsed(strings.TrimPrefix(s, byJSONPath))
			return err == nil
		case strings.HasPrefix(s, byColumns):
			_, err := customColumns(strings.TrimPrefix(s, byColumns))
			return err == nil
		}
		return slices.Contains(words, s)
	})
	v.Words = append(words[1:], byJSONPath, byColumns)
	return v
}

// parsed reads a template of JSONPath as kubectl does: the braces may be left out.
func parsed(template string) (*jsonpath.JSONPath, error) {
	if !strings.Contains(template, "{") {
		template = "{." + strings.TrimPrefix(template, ".") + "}"
	}
	path := jsonpath.New("output").AllowMissingKeys(true)
	return path, path.Parse(template)
}

// customColumn is a header and what stands below it.
type customColumn struct {
	header string
	path   *jsonpath.JSONPath
}

func customColumns(text string) ([]customColumn, error) {
	var all []customColumn
	for part := range strings.SplitSeq(text, ",") {
		header, path, _ := strings.Cut(part, ":")
		if header == "" || path == "" {
			return nil, fmt.Errorf("%s is not HEADER:PATH", cli.Quote(part))
		}
		compiled, err := parsed(path)
		if err != nil {
			return nil, err
		}
		all = append(all, customColumn{header, compiled})
	}
	return all, nil
}

// write writes the fleet in a form; namespaces says that the table names them.
func (f *Fleet) write(w io.Writer, output string, namespaces bool) error {
	switch {
	case output == "json":
		return cli.WriteJSON(w, f)
	case output == "yaml":
		return cli.WriteYAML(w, f)
	case output == "name":
		return f.writeNames(w)
	case strings.HasPrefix(output, byJSONPath):
		return f.writePath(w, strings.TrimPrefix(output, byJSONPath))
	case strings.HasPrefix(output, byColumns):
		return f.writeColumns(w, strings.TrimPrefix(output, byColumns))
	}
	return f.writeTable(w, output == "wide", namespaces)
}

func (f *Fleet) writeNames(w io.Writer) error {
	for i := range f.Items {
		s := &f.Items[i]
		if _, err := fmt.Fprintln(w, cli.Clean(strings.ToLower(schema.GroupKind{Group: s.Group, Kind: s.Kind}.String())+"/"+s.Name)); err != nil {
			return err
		}
	}
	return nil
}

// generic is a value as JSON has it, which paths lead through.
func generic(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var plain any
	return plain, json.Unmarshal(text, &plain)
}

func (f *Fleet) writePath(w io.Writer, template string) error {
	path, err := parsed(template)
	if err != nil {
		return err
	}
	data, err := generic(f)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := path.Execute(&text, data); err != nil {
		return fmt.Errorf("cannot follow %s: %w", cli.Quote(template), err)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text.String(), "\n"), "\n") {
		fmt.Fprintln(w, cli.Clean(line))
	}
	return nil
}

func (f *Fleet) writeColumns(w io.Writer, text string) error {
	all, err := customColumns(text)
	if err != nil {
		return err
	}
	out := newTable(w)
	headers := make([]string, len(all))
	for i, c := range all {
		headers[i] = c.header
	}
	row(out, headers)
	for i := range f.Items {
		data, err := generic(f.Items[i])
		if err != nil {
			return err
		}
		cells := make([]string, len(all))
		for j, c := range all {
			var text strings.Builder
			if err := c.path.Execute(&text, data); err != nil {
				return fmt.Errorf("cannot follow the path of column %s: %w", cli.Quote(c.header), err)
			}
			cells[j] = cmp.Or(text.String(), "<none>")
		}
		row(out, cells)
	}
	return out.Flush()
}

// newTable has the padding of kubectl's.
func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 6, 4, 3, ' ', 0) }

// row writes cells, which may hold text from a cluster.
func row(w io.Writer, cells []string) {
	clean := make([]string, len(cells))
	for i, cell := range cells {
		clean[i] = cli.Clean(cell)
	}
	fmt.Fprintln(w, strings.Join(clean, "\t"))
}

func (f *Fleet) writeTable(w io.Writer, wide, namespaces bool) error {
	if _, err := fmt.Fprintln(w, cli.Clean(f.Source)); err != nil {
		return err
	}
	if len(f.Items) > 0 {
		if err := f.writeRows(w, f.Items, wide, namespaces, true); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, cli.Clean(f.footer()))
	return err
}

func (f *Fleet) writeRows(w io.Writer, items []scaler.Status, wide, namespaces, header bool) error {
	shown := slices.DeleteFunc(columns(), func(c column) bool { return c.wide && !wide || c.all && !namespaces })
	out := newTable(w)
	if header {
		var names []string
		for _, c := range shown {
			names = append(names, c.name)
		}
		row(out, names)
	}
	for i := range items {
		var cells []string
		for _, c := range shown {
			cells = append(cells, c.cell(&items[i], f.Time))
		}
		row(out, cells)
	}
	return out.Flush()
}

// footer counts the states, and says how old the metrics are and who leads.
func (f *Fleet) footer() string {
	counts := map[scaler.State]int{}
	for i := range f.Items {
		counts[f.Items[i].State]++
	}
	var parts []string
	for _, state := range append([]scaler.State{scaler.StateOK, scaler.StateUnknown}, scaler.States()...) {
		if n := counts[state]; n > 0 {
			word := strings.ToLower(string(state))
			if state == scaler.StateUnknown {
				word = "not known to you"
			}
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
			delete(counts, state)
		}
	}
	text := "-- " + cli.Plural(len(f.Items), "workload")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	age := "no metrics"
	if !f.MetricsTaken.IsZero() {
		age = fmt.Sprintf("metrics %s old", max(f.Time.Sub(f.MetricsTaken), 0).Truncate(time.Second))
	}
	return text + "; " + age + "; " + f.leads
}
