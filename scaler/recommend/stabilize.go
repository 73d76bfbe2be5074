package recommend

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func window(rules autoscalingv2.HPAScalingRules) time.Duration {
	return time.Duration(*rules.StabilizationWindowSeconds) * time.Second
}

// envelope is the range that past recommendations allow, with the moment at which each end moves by itself.
type envelope struct {
	low, high         int32
	lowEnds, highEnds time.Time
	// resumed says that the high end is that of RepairBlind.
	resumed bool
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
func (d *draft) stabilize(p annotations.Policy, h History) {
	e := h.envelope(d.Time, d.Desired, p)
	if back := min(d.Desired, h.base(d.Current, d.Desired)); back > d.Current && d.repaired(RepairOutside, back > e.low) {
		e.low = back // the way back from somebody else's scale-in
	}
	to := min(max(d.Current, e.low), e.high)
	d.Able = AbleReady
	if to == d.Desired {
		d.write().str("no recommendation of the windows stands against it")
		d.note(StageStabilize, "", AbleReady)
		return
	}
	ends, detail := e.highEnds, d.write()
	if d.Desired >= d.Current {
		d.Able, ends = AbleUpStabilized, e.lowEnds
		detail.int(int64(e.low)).str(" is the lowest recommendation of the last ").seconds(window(p.Up))
	} else {
		d.Able = AbleDownStabilized
		d.repaired(RepairBlind, e.resumed)
		detail.int(int64(e.high)).str(" is the highest recommendation of the last ").seconds(window(p.Down))
	}
	if !ends.IsZero() {
		d.before(ends)
		detail.str("; it ends in ").seconds(ends.Sub(d.Time).Round(time.Second))
	}
	d.step(StageStabilize, "", to, d.Able)
}

// envelope looks at the recommendations of both windows and at the one of now.
func (h History) envelope(now time.Time, desired int32, p annotations.Policy) envelope {
	e := envelope{low: desired, high: desired}
	up, down := window(p.Up), window(p.Down)
	for _, s := range h.Samples {
		if s.Time.After(now.Add(-up)) && s.Replicas < e.low {
			e.low, e.lowEnds = s.Replicas, s.Time.Add(up)
		}
		if s.Time.After(now.Add(-down)) && s.Replicas > e.high {
			e.high, e.highEnds = s.Replicas, s.Time.Add(down)
		}
	}
	if s := h.resumed; s.Time.After(now.Add(-down)) && s.Replicas > e.high {
		e.high, e.highEnds, e.resumed = s.Replicas, s.Time.Add(down), true
	}
	return e
}
