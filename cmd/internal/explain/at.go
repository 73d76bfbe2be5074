package explain

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// recorded is the last decision of a trace, or the last one before a moment. What the object does not say may be anything. What the controller remembered then is made again by what the trace has before.
func recorded(path string, d cli.DecisionFlags, o object, at time.Time) (Answer, error) {
	in, err := os.Open(path)
	if err != nil {
		return Answer{}, cli.Unreadable(fmt.Errorf("cannot read the trace %s: %w", cli.Quote(path), cli.Bare(err)))
	}
	defer in.Close()
	r, err := trace.NewReader(in)
	if err != nil {
		return Answer{}, cli.Unreadable(fmt.Errorf("cannot read the trace %s: %w", cli.Quote(path), err))
	}
	w := r.Workload()
	if resource, _, _ := strings.Cut(w.Key.String(), "/"); o.name != "" && (o.name != w.Name || o.resource.String() != resource) || o.namespace != "" && w.Namespace != "" && o.namespace != w.Namespace {
		return Answer{}, fmt.Errorf("the trace %s is of %s", cli.Quote(path), w.Title())
	}
	policy := scaler.PolicyOf(w.Annotations, d.Defaults, d.Rules)
	a := Answer{Explanation: scaler.Explanation{Key: w.Key, Policy: policy}}
	replay := trace.NewReplay(policy, d.Rules)
	for {
		s, err := r.Next()
		if errors.Is(err, io.EOF) || err == nil && !at.IsZero() && s.Time.After(at) {
			break
		}
		if err != nil {
			return Answer{}, cli.Unreadable(fmt.Errorf("cannot read the trace %s: %w", cli.Quote(path), err))
		}
		outcome := replay.Next(s)
		a.Snapshot, a.Decision = s, outcome.Decision
	}
	if a.Snapshot.Time.IsZero() {
		return Answer{}, fmt.Errorf("the trace %s begins after %s", cli.Quote(path), at.Local().Format(time.DateTime))
	}
	w.Replicas = a.Snapshot.Replicas
	status := scaler.StatusOf(a.Explanation, w, a.Snapshot.Pods, nil, a.Snapshot.Time)
	a.Source, a.Status = fmt.Sprintf("source: trace %s, seen at %s", cli.Quote(path), a.Snapshot.Time.Local().Format(time.DateTime)), &status
	return a, nil
}

// past is what the controller remembers of a moment: its last change of the replicas before it, what else happened about then, and what came next.
type past struct {
	Source    string         `json:"source"`
	Namespace string         `json:"namespace"`
	Name      string         `json:"name"`
	At        time.Time      `json:"at"`
	Replicas  *int32         `json:"replicas,omitempty"`
	Entries   []scaler.Entry `json:"entries"`
}

// entriesBefore is how many lines before the moment are shown.
const entriesBefore = 5

// pastOf picks them of all that the controller remembers, the oldest first.
func pastOf(a Answer, at time.Time) (past, error) {
	entries := a.Chronicle
	first := slices.IndexFunc(entries, func(e scaler.Entry) bool { return e.Time.After(at) })
	if first < 0 {
		first = len(entries)
	}
	p := past{Source: a.Source, Namespace: a.Key.Namespace, Name: a.Key.Name, At: at, Entries: entries[max(first-entriesBefore, 0):min(first+1, len(entries))]}
	if first == 0 {
		return past{}, fmt.Errorf("the controller remembers nothing of %s that was before %s; mini-hpa history has what Events say, and --trace FILE explains what was recorded",
			a.Key.Title(), at.Local().Format(time.DateTime))
	}
	for _, e := range slices.Backward(entries[:first]) {
		if e.From != e.To {
			p.Replicas = new(e.To)
			break
		}
	}
	return p, nil
}

// render writes it for people.
func (p *past) render(w io.Writer, title string) error {
	text := page{cli.NewPage(w)}
	text.Line("%s", p.Source)
	replicas := "how many replicas it had is not remembered"
	if p.Replicas != nil {
		replicas = cli.Plural(int(*p.Replicas), "replica")
	}
	text.Line("%s at %s: %s", title, p.At.Local().Format(time.DateTime), replicas)
	text.Row("TIME", "WHAT", "REPLICAS", "MESSAGE")
	for _, e := range p.Entries {
		change := "-"
		if e.From != e.To {
			change = cli.Change(e.From, e.To)
		}
		text.Row(e.Time.Local().Format(time.DateTime), e.Reason, change, e.Message)
	}
	if err := text.Flush(); err != nil {
		return fmt.Errorf("cannot write the explanation: %w", err)
	}
	return nil
}
