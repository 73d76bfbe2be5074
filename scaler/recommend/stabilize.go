package recommend

import (
	"fmt"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// hold is one end of the range that the past allows: the replicas, what they rest on, and when that ends by itself.
type hold struct {
	replicas int32
	basis    Basis
	ends     time.Time
}

// What holds for another reason than a Recommendation.
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
func (v *view) stabilize(d draft) draft {
	e, repairs := v.envelope(&d)
	d.Repairs |= repairs
	if back := min(d.Desired, d.asked.outside.base(d.Current, d.Desired)); back > d.Current && back > e.low.replicas {
		e.low.replicas = back // the way back from somebody else's scale-in
		d.Repairs |= RepairOutside
	}
	to := e.nearest(d.Current)
	if d.Able = AbleReady; to == d.Desired {
		d.step(StageStabilize, "", to, AbleReady, plain("no recommendation of the windows stands against it"))
		return d
	}
	held := &standing{hold: e.high, window: window(v.policy.Down), down: true}
	if d.Able = AbleDownStabilized; d.Desired >= d.Current {
		d.Able, held = AbleUpStabilized, &standing{hold: e.low, window: window(v.policy.Up)}
	}
	if !held.ends.IsZero() {
		d.Next, held.left = earlier(d.Next, held.ends), held.ends.Sub(d.Time)
	}
	d.step(StageStabilize, "", to, d.Able, held)
	return d
}

// standing is what stands against a change: a hold of the window of scale-down or of scale-up, and how long it has left.
type standing struct {
	hold
	window, left time.Duration
	down         bool
}

// String says what holds the replicas, why, and for how long.
func (h *standing) String() string {
	ends := ""
	if h.left != 0 {
		ends = "; it ends in " + whole(h.left.Round(time.Second))
	}
	which := "lowest"
	if h.down {
		which = "highest"
	}
	return fmt.Sprintf("%d %s%s", h.replicas, h.is(which), ends)
}

// is says what the number is that holds.
func (h *standing) is(which string) string {
	window := whole(h.window)
	switch h.basis {
	case Recommended:
		return fmt.Sprintf("is the %s recommendation of the last %s", which, window)
	case Found:
		return fmt.Sprintf("is the number at the first look, which holds for %s", window)
	case Raised:
		return fmt.Sprintf("is what somebody else has set, which holds for %s", window)
	case Assumed:
		return fmt.Sprintf("is the %s that pods which could not be measured held it at in the last %s", which, window)
	case carriedOut:
		return "is what the last change was to come to, and there are samples from before it"
	case afterGap:
		return fmt.Sprintf("is the number at the first look after a gap, which holds for %s", window)
	}
	return ""
}

// envelope is what the windows hold, with what the repairs add to it and leave out.
func (v *view) envelope(d *draft) (e envelope, repairs Repairs) {
	h := &v.history
	e = h.envelope(d.Time, d.Desired, &v.policy, basesOf(Recommended, Found, Assumed))
	if v.repairs(RepairAssumed) {
		counted := basesOf(Recommended, Found, Raised)
		if d.look.assumed() {
			counted |= basesOf(Assumed)
		}
		ours := h.envelope(d.Time, d.Desired, &v.policy, counted)
		e, repairs = ours, RepairAssumed.when(ours.nearest(d.Current) != e.nearest(d.Current))
	}
	if d.asked.early && v.repairs(RepairSettled) {
		if to := (hold{replicas: min(h.carried, d.Current), basis: carriedOut}); e.lets(d.Current, to.replicas) {
			e.high, repairs = to, repairs|RepairSettled
		}
	}
	if down := window(v.policy.Down); d.resumed.Time.After(d.Time.Add(-down)) && e.lets(d.Current, d.resumed.Replicas) {
		e.high, repairs = d.resumed.hold(down), repairs|RepairBlind
	}
	return e, repairs
}

// hold is what holds after a gap.
func (r Recommendation) hold(window time.Duration) hold {
	held := hold{replicas: r.Replicas, basis: r.Basis, ends: r.Time.Add(window)}
	if r.Basis == Found {
		held.basis = afterGap
	}
	return held
}

// lets says that the range lets the present number go further down than to another one.
func (e envelope) lets(current, to int32) bool {
	return to > e.high.replicas && e.high.replicas < current
}

// envelope looks at the recommendations of both windows that rest on one of the bases, and at the proposal of now.
func (h *History) envelope(now time.Time, desired int32, p *annotations.Policy, counted bases) envelope {
	e := envelope{low: hold{replicas: desired}, high: hold{replicas: desired}}
	up, down := window(p.Up), window(p.Down)
	for _, r := range h.Recommendations { // the oldest first: of equal ones, the last to leave holds
		if counted&basesOf(r.Basis) == 0 {
			continue
		}
		if r.Time.After(now.Add(-up)) && r.Replicas <= e.low.replicas && r.Replicas < desired {
			e.low = hold{r.Replicas, r.Basis, r.Time.Add(up)}
		}
		if r.Time.After(now.Add(-down)) && r.Replicas >= e.high.replicas && r.Replicas > desired {
			e.high = hold{r.Replicas, r.Basis, r.Time.Add(down)}
		}
	}
	return e
}
