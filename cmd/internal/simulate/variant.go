package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/picture"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// longestSimulation bounds --duration and the curves that take its place.
const longestSimulation = 24 * time.Hour

// variant is one set of annotations that is simulated.
type variant struct {
	// name is what it is called in tables and messages: the flag that makes it.
	name string
	set  cli.Settings

	setup simulate.Setup
	run   *simulate.Run
}

func (v *variant) simulate(ctx context.Context) (err error) {
	v.run, err = simulate.Simulate(ctx, v.setup)
	if err != nil && ctx.Err() == nil {
		return cli.Unreadable(fmt.Errorf("cannot simulate: %w", err))
	}
	return err
}

// summary is what a variant came to, for every form of output.
func (v *variant) summary() []picture.Fact {
	r, above, beyond := v.run, "not measured", "not measured" // no target, or no request that it is a percentage of
	if v.setup.PerReplica() > 0 {
		above, beyond = cli.Short(r.Above), cli.Short(r.Beyond)
	}
	return []picture.Fact{
		{Name: "changes of replicas", Value: fmt.Sprint(r.Changes)},
		{Name: "time above target", Value: above},
		{Name: "time above tolerance", Value: beyond},
		{Name: "replica-hours", Value: fmt.Sprintf("%.2f", r.ReplicaHours)},
		{Name: "unserved core-seconds", Value: fmt.Sprintf("%.0f", r.UnservedCores)},
	}
}

// utilization is usage in percent of the request, or in millicores where there is no request.
func (v *variant) utilization(milli float64) string {
	if milli < 0 {
		return "-"
	}
	if request := v.setup.Request(); request > 0 {
		return fmt.Sprintf("%.0f%%", milli/request*100)
	}
	return fmt.Sprintf("%.0fm", milli)
}

// title says what is tried: the settings, without their prefix.
func (v *variant) title() string {
	if len(v.set) == 0 {
		return "as annotated"
	}
	return strings.ReplaceAll(v.set.Words(), annotations.Prefix, "")
}

// words are a variant's own annotations, without their prefix.
func (v *variant) words() string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(v.setup.Workload.Annotations)) {
		if name, ours := strings.CutPrefix(key, annotations.Prefix); ours {
			all = append(all, fmt.Sprintf("%s=%s", name, v.setup.Workload.Annotations[key]))
		}
	}
	return strings.Join(all, ", ")
}

// mode says why replicas do not change, where the annotations keep them as they are.
func (v *variant) mode() []string {
	switch v.setup.Policy.Mode {
	case annotations.ModePaused:
		return []string{fmt.Sprintf("%s is paused: nothing is decided, and replicas stay.", annotations.ModeKey)}
	case annotations.ModeObserve:
		return []string{fmt.Sprintf("%s is observe: it is decided, but replicas stay.", annotations.ModeKey)}
	case annotations.ModeAuto:
	}
	return nil
}

// move is the replicas, and the change of them; in mode observe in words, as nothing comes of it.
func (v *variant) move(e *simulate.Evaluation) string {
	if v.setup.Policy.Mode == annotations.ModeObserve && e.Desired != e.Current {
		return fmt.Sprintf("%d (would be %d)", e.Current, e.Desired)
	}
	return cli.Change(e.Current, e.Desired)
}

// changes says whether an evaluation decided on other replicas than the one before it, or at first on other than there were.
func (v *variant) changes(i int) bool {
	e := v.run.Evaluations
	if i == 0 {
		return e[i].Desired != e[i].Current
	}
	return e[i].Desired != e[i-1].Desired
}

// facts say what was simulated, the same for all variants.
func facts(v *variant) []string {
	s := v.setup
	inTurn := ""
	if s.OrderedReady {
		inTurn = ", and come one after another"
	}
	pods := fmt.Sprintf("Pods are ready %s after their creation%s; a sample every %s, read %s later.", cli.Short(s.Startup), inTurn, cli.Short(s.MetricsPeriod), cli.Short(s.MetricsDelay))
	if s.StartupMilli > 0 {
		pods += fmt.Sprintf(" Starting takes %.0fm.", s.StartupMilli)
	}
	if s.WarmUpMilli > 0 {
		pods += fmt.Sprintf(" Warming up takes %.0fm more for %s.", s.WarmUpMilli, cli.Short(s.WarmUp))
	}
	if r := s.Rollout; r != nil {
		pods += fmt.Sprintf(" At %s a rollout begins: surge %s, unavailable %s.", picture.Clock(r.At), r.Surge.String(), r.Unavailable.String())
	}
	if o := s.Outage; o != nil {
		pods += fmt.Sprintf(" From %s to %s the metrics API fails.", picture.Clock(o.At), picture.Clock(o.At+o.For))
	}
	if per := s.PerReplica(); per > 0 {
		pods += fmt.Sprintf(" At its target a pod carries %.0fm.", per)
	}
	if s.Rules.Compat {
		pods += " Decided as the HPA controller does."
	}
	return []string{fmt.Sprintf("%s %s/%s under the load %s for %s", strings.ToLower(s.Workload.Kind.Kind), s.Workload.Namespace, s.Workload.Name, s.Load.Name, cli.Short(s.Duration)), pods}
}

// writeLines writes one object for each evaluation: a line of a replay, and what the simulation knows besides.
func writeLines(w io.Writer, variants []*variant) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, v := range variants {
		name := ""
		if len(variants) > 1 {
			name = v.name
		}
		for _, at := range v.run.Evaluations {
			err := e.Encode(struct {
				trace.Outcome
				Seconds  float64 `json:"seconds"`
				Load     float64 `json:"loadMilli"`
				Unserved float64 `json:"unservedMilli"`
				Usage    float64 `json:"usageMilli"`
				Ready    int32   `json:"ready"`
				Variant  string  `json:"variant,omitempty"`
			}{at.Outcome, at.Moment.At.Seconds(), at.Moment.Load, at.Moment.Unserved, at.Usage, at.Moment.Ready, name})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
