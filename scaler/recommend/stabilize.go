package recommend

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func window(rules autoscalingv2.HPAScalingRules) time.Duration {
	return time.Duration(*rules.StabilizationWindowSeconds) * time.Second
}

// hold is one end of the range that the past allows: the replicas, what they rest on, and when that ends by itself.
type hold struct {
	replicas int32
	basis    Basis
	ends     time.Time
}

// What holds for another reason than a Sample.
const (
	// carriedOut is the recommendation that the last change carries out.
	carriedOut = Raised + 1 + iota
	// afterGap is the number at the first look after a gap.
	afterGap
)

// envelope is the range that the past allows.
type envelope struct{ low, high hold }

// nearest is what of the range is nearest to the present number.
func (e envelope) nearest(current int32) int32 {
	return min(max(current, e.low.replicas), e.high.replicas)
}

// stabilize keeps the replicas where recent recommendations disagree (HPA: stabilizeRecommendationWithBehaviors).
//
//	lowest recommendation of the scale-up window  <= current           -> do not go up further than the lowest
//	highest recommendation of the scale-down window >= current         -> do not go down further than the highest
//
//	  replicas                 desired now
//	     |   . high ------.        v
//	     |  /  current ----+---- held here until "high" leaves the scale-down window
//	     | /                \_____ *
//	     +-------------------------------> time
func (d *draft) stabilize(p annotations.Policy, h History, l look, r Rules) {
	e := d.envelope(p, h, l, r)
	if back := min(d.Desired, h.base(d.Current, d.Desired)); back > d.Current && d.repaired(RepairOutside, back > e.low.replicas) {
		e.low.replicas = back // the way back from somebody else's scale-in
	}
	to := e.nearest(d.Current)
	d.Able = AbleReady
	if to == d.Desired {
		d.note(StageStabilize, "", AbleReady, plain("no recommendation of the windows stands against it"))
		return
	}
	held := &standing{hold: e.high, window: window(p.Down), down: true}
	if d.Able = AbleDownStabilized; d.Desired >= d.Current {
		d.Able, held = AbleUpStabilized, &standing{hold: e.low, window: window(p.Up)}
	}
	if !held.ends.IsZero() {
		d.before(held.ends)
		held.left = held.ends.Sub(d.Time)
	}
	d.step(StageStabilize, "", to, d.Able, held)
}

// standing is what stands against a change: a hold of the window of scale-down or of scale-up, and how long it has left.
type standing struct {
	hold
	window, left time.Duration
	down         bool
}

// envelope looks at what the windows hold, and at what the repairs add to it and leave out.
func (d *draft) envelope(p annotations.Policy, h History, l look, r Rules) envelope {
	e := h.envelope(d.Time, d.Desired, p, basesOf(Recommended, Found, Assumed))
	if r.repairs(RepairAssumed) {
		counted := basesOf(Recommended, Found, Raised)
		if l.assumed() {
			counted |= basesOf(Assumed)
		}
		ours := h.envelope(d.Time, d.Desired, p, counted)
		d.repaired(RepairAssumed, ours.nearest(d.Current) != e.nearest(d.Current))
		e = ours
	}
	if d.early && r.repairs(RepairSettled) {
		d.repaired(RepairSettled, d.raise(&e, hold{replicas: min(h.carried, d.Current), basis: carriedOut}))
	}
	if down := window(p.Down); h.resumed.Time.After(d.Time.Add(-down)) {
		d.repaired(RepairBlind, d.raise(&e, h.resumed.hold(down)))
	}
	return e
}

// hold is what holds after a gap.
func (s Sample) hold(window time.Duration) hold {
	held := hold{replicas: s.Replicas, basis: s.Basis, ends: s.Time.Add(window)}
	if s.Basis == Found {
		held.basis = afterGap
	}
	return held
}

// raise lets a scale-in go no further than the hold, and says whether it would have.
func (d *draft) raise(e *envelope, to hold) bool {
	if to.replicas <= e.high.replicas || e.high.replicas >= d.Current {
		return false
	}
	e.high = to
	return true
}

// envelope looks at the samples of both windows that rest on one of the bases, and at the proposal of now.
func (h History) envelope(now time.Time, desired int32, p annotations.Policy, counted bases) envelope {
	e := envelope{low: hold{replicas: desired}, high: hold{replicas: desired}}
	up, down := window(p.Up), window(p.Down)
	for _, s := range h.Samples { // the oldest first: of equal ones, the last to leave holds
		if counted&basesOf(s.Basis) == 0 {
			continue
		}
		if s.Time.After(now.Add(-up)) && s.Replicas <= e.low.replicas && s.Replicas < desired {
			e.low = hold{s.Replicas, s.Basis, s.Time.Add(up)}
		}
		if s.Time.After(now.Add(-down)) && s.Replicas >= e.high.replicas && s.Replicas > desired {
			e.high = hold{s.Replicas, s.Basis, s.Time.Add(down)}
		}
	}
	return e
}
