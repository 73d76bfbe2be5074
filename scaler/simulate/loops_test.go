package simulate

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/docs"
)

var (
	loops  = flag.Int("loops", someLoops, "how many closed loops to play")
	update = flag.Bool("update", false, "play all closed loops and write the generated blocks of docs/ instead of comparing them")
)

// someLoops are played by an ordinary test, allLoops for the page.
const someLoops, allLoops = 50, 1000

// score is how well closed loops went.
type score struct {
	Changes, Reversals int
	Above              time.Duration
	Hours              float64
}

func (s score) plus(r *Run) score {
	direction := 0
	for _, e := range r.Evaluations {
		if e.Desired == e.Current {
			continue
		}
		if s.Changes++; (e.Desired-e.Current > 0) != (direction > 0) && direction != 0 {
			s.Reversals++
		}
		direction = int(e.Desired - e.Current)
	}
	s.Hours += r.ReplicaHours
	return s
}

// overloaded adds the time in which the pods that were ready carried more than 110 % of their target.
func (s score) overloaded(r *Run, each float64) score {
	for _, m := range r.Moments[:len(r.Moments)-1] {
		if m.Load > 1.1*each*float64(m.Ready) {
			s.Above += Tick
		}
	}
	return s
}

// dice are a seed's choices.
type dice struct{ *rand.Rand }

func (d dice) of(choices ...string) string { return choices[d.IntN(len(choices))] }

func (d dice) seconds(choices ...int) time.Duration {
	return time.Duration(choices[d.IntN(len(choices))]) * time.Second
}

// randomLoop is an hour and a half of a workload of one seed's making: how it is scaled, how its pods start and are measured, and
// its load.
func randomLoop(t *testing.T, seed uint64) Setup {
	d := dice{rand.New(rand.NewPCG(seed, 11))}
	low := 1 + d.IntN(3)
	own := map[string]string{annotations.TargetCPU: fmt.Sprint(40 + 10*d.IntN(5)), annotations.Min: fmt.Sprint(low),
		annotations.Max: fmt.Sprint(low + 9 + d.IntN(32))}
	for key, value := range map[string]string{
		annotations.ScaleDownStabilization: d.of("", "", "", "0s", "60s", "10m"),
		annotations.ScaleUpStabilization:   d.of("", "", "", "", "30s", "60s"),
		annotations.ScaleDownPolicies:      d.of("", "", "", "1 pod/60s", "10%/60s", "50%/2m"),
		annotations.ScaleUpPolicies:        d.of("", "", "", "2 pods/30s", "50%/60s"),
		annotations.Tolerance:              d.of("", "", "", "0.05", "0.2"),
	} {
		if value != "" {
			own[key] = value
		}
	}
	s := DefaultSetup()
	s.Workload, s.Duration = web("2", own), 90*time.Minute
	s.MetricsPeriod, s.MetricsDelay = d.seconds(15, 15, 15, 30, 60), d.seconds(2, 5, 5, 10)
	s.Startup, s.StartupMilli = d.seconds(5, 20, 20, 45, 90), float64(500*d.IntN(3))
	s.Load = randomLoad(d, s.Duration)
	return policed(t, s)
}

// randomLoad stays, steps, climbs or falls for a while, again and again, and is restless meanwhile.
func randomLoad(d dice, length time.Duration) Load {
	most := 1000 + 500*float64(d.IntN(30))
	restless := []float64{0, 0.05, 0.15, 0.4}[d.IntN(4)]
	level, points := most*d.Float64(), []Point(nil)
	for at := time.Duration(0); at < length; {
		next, lasts := most*d.Float64(), time.Duration(60+d.IntN(1200))*time.Second
		climbs := d.IntN(2) == 0
		for from := at; at < from+lasts; at += 10 * time.Second {
			now := next
			if climbs {
				now = level + (next-level)*float64(at-from)/float64(lasts)
			}
			points = append(points, Point{At: at, Value: now * (1 + restless*(2*d.Float64()-1))})
		}
		level = next
	}
	return Through("random", points, false)
}

// played is the score of so many loops, by default and as the HPA controller.
func played(t *testing.T, n int) (ours, hpa score) {
	for seed := range uint64(n) {
		for _, compat := range []bool{false, true} {
			s, total := randomLoop(t, seed), &ours
			if s.Rules.Compat = compat; compat {
				total = &hpa
			}
			run := play(t, s)
			*total = total.plus(run).overloaded(run, s.PerReplica())
		}
	}
	return ours, hpa
}

// TestClosedLoopsPage: mini-hpa changes the replicas less often than the HPA controller, turns round less often and is above the
// target for less time, for at most 1 % more replica-hours.
func TestClosedLoopsPage(t *testing.T) {
	n := *loops
	if *update {
		n = allLoops
	}
	ours, hpa := played(t, n)
	t.Logf("%d loops\n%s", n, table(ours, hpa))
	if ours.Changes >= hpa.Changes || ours.Reversals >= hpa.Reversals || ours.Above >= hpa.Above || ours.Hours > 1.01*hpa.Hours {
		t.Errorf("not better than the HPA controller in %d loops:\n%s", n, table(ours, hpa))
	}
	blocks := map[string]string{}
	switch {
	case *update:
		some, other := played(t, someLoops)
		blocks["all"], blocks["some"] = table(ours, hpa), table(some, other)
	case n == allLoops:
		blocks["all"] = table(ours, hpa)
	case n == someLoops:
		blocks["some"] = table(ours, hpa)
	}
	docs.Keep(t, "../../docs/closed-loops.md", *update, blocks)
}

// table compares two scores.
func table(ours, hpa score) string {
	var b strings.Builder
	b.WriteString("| | the HPA controller | mini-hpa | |\n| --- | --- | --- | --- |\n")
	row := func(what string, hpa, ours any, a, b float64, to *strings.Builder) {
		fmt.Fprintf(to, "| %s | %v | %v | %+.1f %% |\n", what, hpa, ours, 100*(b-a)/a)
	}
	row("changes of replicas", hpa.Changes, ours.Changes, float64(hpa.Changes), float64(ours.Changes), &b)
	row("reversals", hpa.Reversals, ours.Reversals, float64(hpa.Reversals), float64(ours.Reversals), &b)
	row("time above 110 % of the target", hpa.Above, ours.Above, hpa.Above.Hours(), ours.Above.Hours(), &b)
	row("replica-hours", fmt.Sprintf("%.1f", hpa.Hours), fmt.Sprintf("%.1f", ours.Hours), hpa.Hours, ours.Hours, &b)
	return b.String()
}
