package get

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
	"github.com/mini-hpa/mini-hpa/scaler"
)

const aboutWait = `Waits until each of the workloads stands as --for says, for pipelines: the exit code is 0 if they do, and 1 if they do not in time, with how they stand instead.

    active      mini-hpa scales it: it decides on it now, on metrics that it knows. In mode observe it decides, too
    settled     it is active, has the replicas that its metrics ask for, within the bounds, and all of them are ready
    replicas=N  it has N replicas, and all of them are ready

The controller that leads is asked, as get does; where it cannot be asked the same is computed here. If nobody leads, nothing is active. A workload that is not
there yet, or not known to the controller yet, is waited for. What was decided longer than a sync period (15s, if the controller is not told otherwise) before
the wait began does not count, but with --timeout=0s, which looks once: then the last decision does.`

// WaitCommand is the row of the table of commands.
func WaitCommand() cli.Command {
	return cli.Command{
		Name:     "wait",
		Args:     "KIND/NAME...",
		Summary:  "wait until workloads are scaled, or have settled",
		About:    aboutWait,
		Complete: cluster.Complete,
		Task: func() cli.Task {
			return &waiting{task: task{decision: cli.DefaultDecisionFlags(), api: cluster.DefaultAPIFlags(), leader: leader.DefaultFlags(), sortBy: "namespace"},
				goal: goal{word: goalSettled}, timeout: 2 * time.Minute}
		},
	}
}

// waiting is a wait until workloads stand as they should.
type waiting struct {
	task
	goal    goal
	timeout time.Duration
}

// Declare is cli.Task's.
func (t *waiting) Declare(f *pflag.FlagSet) {
	f.VarP(cli.Namespace(&t.namespace), "namespace", "n", "the workloads' namespace; without it the context's")
	f.Var(cli.Value[goal]{Var: &t.goal, Kind: "goal", Want: "active, settled or replicas=N", Format: goal.String, Parse: goalOf, Words: []string{goalActive, goalSettled, goalReplicas + "="}}, "for", "how each of them is to stand")
	f.Var(cli.Duration(&t.timeout, 0, 24*time.Hour), "timeout", "how long that may take; 0s looks once")
	t.declareWhere(f)
}

// Run is cli.Task's.
func (t *waiting) Run(ctx context.Context, args []string, s cli.Streams) error {
	workloads, err := cli.WorkloadsOf(args, "wait for")
	if err != nil {
		return err
	}
	target, err := t.cluster.ForAnswer(s, t.namespace)
	if err != nil {
		return err
	}
	a := Asker{task: &t.task, target: target, scope: target.Namespace}
	for _, w := range workloads {
		a.wanted = append(a.wanted, struct{ kind, name string }{w.Resource.Resource, w.Name})
	}
	defer a.Close()
	reached, err := t.until(ctx, &a, workloads)
	for _, line := range reached {
		fmt.Fprintln(s.Out, cli.Clean(line))
	}
	return err
}

// until asks until all workloads stand as they should, and says how each does. The error says how they stand instead.
func (t *waiting) until(ctx context.Context, a *Asker, workloads []cli.Workload) ([]string, error) {
	deadline := time.Now().Add(t.timeout)
	within, cancel := context.WithDeadline(ctx, deadline)
	if t.timeout == 0 { // even one look takes its time
		within, cancel = context.WithTimeout(ctx, oneLook)
	}
	defer cancel()
	var began time.Time
	var instead error
	for {
		f, err := a.Ask(within)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("was told to end before that: %w", context.Cause(ctx))
		case err != nil && forbidden(err):
			return nil, err
		case err == nil:
			if began.IsZero() && t.timeout > 0 {
				began = f.Time.Add(-f.period * 5 / 4) // what of the last period counts, or no workload would have settled for most of the time; periods are up to a tenth longer
			}
			var reached []string
			if reached, instead = t.goal.all(f, workloads, began); instead == nil {
				return reached, nil
			}
		case instead == nil || within.Err() == nil: // how they stood tells more than that the time was up within a look
			instead = err
		}
		pause := again
		if f != nil {
			pause = max(pause, 3*f.took)
		}
		if time.Now().Add(pause).After(deadline) {
			return nil, fmt.Errorf("not within %s: %w", cli.Short(t.timeout), instead)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

const (
	// again is how long it takes until it is looked again, at least.
	again = 2 * time.Second
	// oneLook is how long the only look may take that --timeout=0s has.
	oneLook = time.Minute
)

// Words of goals.
const (
	goalActive   = "active"
	goalSettled  = "settled"
	goalReplicas = "replicas"
)

// goal is how a workload is to stand.
type goal struct {
	word string
	// replicas is how many there are to be; only of goalReplicas.
	replicas int32
}

// String is the goal as the flag takes it.
func (g goal) String() string {
	if g.word == goalReplicas {
		return fmt.Sprintf("%s=%d", g.word, g.replicas)
	}
	return g.word
}

func goalOf(text string) (goal, bool) {
	word, number, counted := strings.Cut(text, "=")
	if word != goalReplicas {
		return goal{word: text}, text == goalActive || text == goalSettled
	}
	n, err := strconv.ParseInt(number, 10, 32)
	return goal{word, int32(n)}, counted && err == nil && n >= 0
}

// all says how each workload has reached the goal; the error is about one that has not.
func (g goal) all(f *Fleet, workloads []cli.Workload, began time.Time) ([]string, error) {
	var reached []string
	for _, w := range workloads {
		s := f.find(w)
		if s == nil {
			return nil, fmt.Errorf("%s is not scaled by mini-hpa, or is not there", w)
		}
		stands := fmt.Sprintf("%s is %s with %s, %d ready", w, s.State, cli.Plural(int(s.Replicas), "replica"), s.Ready)
		if !g.reached(s, began) {
			if s.Why != "" {
				stands += ": " + s.Why
			}
			if g.reached(s, time.Time{}) {
				stands += fmt.Sprintf("; nothing has been decided since the wait began, the last decision is %s old", f.Time.Sub(s.Decided).Truncate(time.Second))
			}
			return nil, fmt.Errorf("%s", stands)
		}
		reached = append(reached, stands)
	}
	return reached, nil
}

// find is one workload; nil if it is not there.
func (f *Fleet) find(w cli.Workload) *scaler.Status {
	for i := range f.Items {
		if s := &f.Items[i]; s.Name == w.Name && s.Group == w.Resource.Group && isOf(w.Resource.Resource, s.Kind) {
			return s
		}
	}
	return nil
}

// reached says whether a workload stands so, by what was not decided before a moment.
func (g goal) reached(s *scaler.Status, began time.Time) bool {
	allReady := s.Ready == s.Replicas
	switch g.word {
	case goalReplicas:
		return s.Replicas == g.replicas && allReady
	case goalSettled:
		return isActive(s, began) && allReady && s.Replicas == min(max(*s.Wants, *s.Min), *s.Max)
	}
	return isActive(s, began)
}

// isActive says whether the replicas follow the metrics.
func isActive(s *scaler.Status, began time.Time) bool {
	switch s.State {
	case scaler.StateDown, scaler.StateBlind, scaler.StateInvalid, scaler.StateConflict, scaler.StatePaused, scaler.StateUnknown:
		return false
	default:
		return s.Wants != nil && s.Min != nil && s.Max != nil && !s.Decided.Before(began)
	}
}
