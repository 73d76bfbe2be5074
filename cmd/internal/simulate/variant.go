package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/picture"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// longestSimulation bounds --duration and the curves that take its place.
const longestSimulation = 14 * 24 * time.Hour

// variant is one set of annotations that is simulated.
type variant struct {
	// name is what it is called in tables and messages: the flag that makes it.
	name string
	set  cli.Settings

	setup simulate.Setup
	run   *simulate.Run
	// sleeps says that this or another variant may have no replicas.
	sleeps bool
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
	all := []picture.Fact{{Name: "changes of replicas", Value: fmt.Sprint(r.Changes)}}
	if m := r.Messages; m != nil {
		all = append(all, picture.Fact{Name: "most messages waiting", Value: fmt.Sprint(m.MostWaiting)},
			picture.Fact{Name: "longest wait", Value: brief(m.LongestWait)}, picture.Fact{Name: "99% wait at most", Value: brief(m.UsualWait)})
	} else {
		all = append(all, picture.Fact{Name: "time above target", Value: above}, picture.Fact{Name: "time above tolerance", Value: beyond})
	}
	if v.sleeps {
		all = append(all, picture.Fact{Name: "time asleep", Value: fmt.Sprintf("%s (%.0f%%)", cli.Short(r.Asleep), 100*r.Asleep.Seconds()/v.setup.Duration.Seconds())},
			picture.Fact{Name: "wakes", Value: fmt.Sprint(r.Wakes)})
	}
	all = append(all, picture.Fact{Name: "replica-hours", Value: fmt.Sprintf("%.2f", r.ReplicaHours)})
	if r.Messages == nil {
		all = append(all, picture.Fact{Name: "unserved core-seconds", Value: fmt.Sprintf("%.0f", r.UnservedCores)})
	}
	return all
}

// brief is how long a message waits, without digits that say nothing.
func brief(wait time.Duration) string { return cli.Short(wait.Round(time.Second / 10)) }

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

// number is a rate as a user would write it.
func number(v float64) string { return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64) }

// line is an evaluation: a line of a replay, and what the simulation knows besides.
type line struct {
	trace.Outcome
	Seconds  float64 `json:"seconds"`
	Load     float64 `json:"loadMilli"`
	Unserved float64 `json:"unservedMilli"`
	Usage    float64 `json:"usageMilli"`
	Ready    int32   `json:"ready"`
	*ofQueue
	Variant string `json:"variant,omitempty"`
}

// ofQueue is what there is of messages at an evaluation.
type ofQueue struct {
	Arrivals float64 `json:"arrivalsPerSecond"`
	Backlog  int64   `json:"backlog"`
	Oldest   float64 `json:"oldestSeconds"`
}

// last is the line after the evaluations of a variant.
type last struct {
	Summary sum    `json:"summary"`
	Variant string `json:"variant,omitempty"`
}

// sum is what a variant came to, for programs.
type sum struct {
	Changes      int     `json:"changes"`
	ReplicaHours float64 `json:"replicaHours"`
	Asleep       float64 `json:"asleepSeconds"`
	Wakes        int     `json:"wakes"`
	*ofLoad
	*ofMessages
}

type ofLoad struct {
	Above    float64 `json:"aboveTargetSeconds"`
	Beyond   float64 `json:"aboveToleranceSeconds"`
	Unserved float64 `json:"unservedCoreSeconds"`
}

type ofMessages struct {
	Arrived     int64   `json:"arrived"`
	Served      int64   `json:"served"`
	MostWaiting int64   `json:"mostWaiting"`
	LongestWait float64 `json:"longestWaitSeconds"`
	UsualWait   float64 `json:"wait99Seconds"`
}

func sumOf(r *simulate.Run) sum {
	s := sum{Changes: r.Changes, ReplicaHours: math.Round(r.ReplicaHours*1e6) / 1e6, Asleep: r.Asleep.Seconds(), Wakes: r.Wakes}
	if m := r.Messages; m != nil {
		s.ofMessages = &ofMessages{m.Arrived, m.Served, m.MostWaiting, m.LongestWait.Seconds(), m.UsualWait.Seconds()}
	} else {
		s.ofLoad = &ofLoad{r.Above.Seconds(), r.Beyond.Seconds(), r.UnservedCores}
	}
	return s
}

// writeLines writes one object for each evaluation, and one for the sums of each variant.
func writeLines(w io.Writer, variants []*variant) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, v := range variants {
		name := ""
		if len(variants) > 1 {
			name = v.name
		}
		for _, at := range v.run.Evaluations {
			m := at.Moment
			line := line{Outcome: at.Outcome, Seconds: m.At.Seconds(), Load: m.Load, Unserved: m.Unserved, Usage: at.Usage, Ready: m.Ready, Variant: name}
			if v.setup.Arrivals != nil {
				line.ofQueue = &ofQueue{m.Arrivals, m.Backlog, m.Oldest.Seconds()}
			}
			if err := e.Encode(line); err != nil {
				return err
			}
		}
		if err := e.Encode(last{sumOf(v.run), name}); err != nil {
			return err
		}
	}
	return nil
}
