package recommend

import (
	"fmt"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// view is all that a decision is made of. Nothing writes to it.
type view struct {
	Rules
	Snapshot
	// policy is that of the moment: its bounds are those of the schedule. It has no WarmUp where the repair is off.
	policy annotations.Policy
	// history is what is remembered, with what this look shows of changes that somebody else has made.
	history History
	// below says that the replicas are below the minimum because somebody else has made them fewer, a moment ago.
	below bool
	// asleep says that the replicas are 0 because there was nothing to do, and not because somebody has set them to 0.
	asleep bool
	// fewest and most are what the replicas may be at any time.
	fewest, most int32
	band         tolerances
	// initial is when the CPUInitializationPeriod began that ends now.
	initial time.Time
}

func (v *view) numbers() numbers { return numbers{wrap: !v.repairs(RepairSaturation)} }

// tolerances are the half-widths of the band around 1 in which a ratio changes nothing (KEP-4951).
type tolerances struct{ up, down float64 }

func tolerancesOf(p *annotations.Policy) tolerances {
	return tolerances{up: p.Up.Tolerance.AsApproximateFloat64(), down: p.Down.Tolerance.AsApproximateFloat64()}
}

// within includes both ends (HPA: Tolerances.isWithin).
func (t tolerances) within(ratio float64) bool { return 1-t.down <= ratio && ratio <= 1+t.up }

// String is the band around 1. Four significant digits show on which side of it a ratio is.
func (t tolerances) String() string { return fmt.Sprintf("%.4g..%.4g", 1-t.down, 1+t.up) }

// side says on which side of the tolerance a ratio is.
func (t tolerances) side(ratio float64) string {
	if t.within(ratio) {
		return "within " + t.String()
	}
	return "outside " + t.String()
}

// draft is a decision in the making: what a stage is given, and what it hands on.
type draft struct {
	Decision
	// asked is what the metrics ask for.
	asked proposals
	// look is what they have recommended.
	look look
	// resumed is what holds since the last gap between two looks.
	resumed Recommendation
	// failing is since when each metric has failed that does.
	failing map[string]time.Time
	// final says that the stages that follow have no say, and that nothing new is remembered.
	final bool
}

// proposals is what all metrics together ask for.
type proposals struct {
	// metric is whose proposal is the largest, and state that metric's.
	metric string
	state  fmt.Stringer
	// failed is the reason of ScalingActive for the first metric that failed.
	failed string
	// outside is what is left of somebody else's scale-in.
	outside outside
	// valid is how many could be evaluated, replicas the largest proposal of theirs.
	valid, replicas int32
	// totals is how many metrics that have a value without pods could be evaluated, unknown how many could not, active how many say that there
	// is something to do, and left how many are above 0.
	totals, unknown, active, left int
	// lines says that one of them is a line of mini-hpa/sources.
	lines bool
	// waker is the active one that asks for the most, while the workload sleeps.
	waker *waker
	// floor says that the proposal is the fallback or a rescue, which count although metrics fail.
	floor bool
	// alone is what the observations recommend by themselves, where assumptions have a say in it; nothing if nothing.
	alone int32
	// needed is the most that the measured pods ask for, held says that a metric does not know: see with.
	needed int32
	held   bool
	// early says that a metric has samples from before the last change of the replicas.
	early bool
	// incomplete says that a metric could not be measured on all the pods from before somebody else's scale-in.
	incomplete bool
}

// step moves the decision to a new number of replicas, and says why.
func (d *draft) step(stage, metric string, to int32, reason string, facts fmt.Stringer) {
	d.Steps = append(d.Steps, Step{Stage: stage, Metric: metric, From: d.Desired, To: to, Reason: reason, Detail: Text{facts}})
	d.Desired = to
}

// earlier is the earlier of two moments, of which either may be zero for none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
