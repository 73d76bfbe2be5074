package trace

import (
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Outcome is what one look came to. Its JSON is one line of a replay.
type Outcome struct {
	// Time is the moment of the observation.
	Time time.Time `json:"time"`
	// Current is spec.replicas as observed, Desired what should be written.
	Current int32 `json:"current"`
	Desired int32 `json:"desired"`
	// Active, Able and Limited are the reasons of the HPA conditions ScalingActive, AbleToScale and ScalingLimited after
	// the look and its write: one that was not touched keeps its last reason, and is empty before it was ever set.
	Active  string `json:"active"`
	Able    string `json:"able"`
	Limited string `json:"limited"`
	// Steps is the reasoning in order; empty where there was nothing to reason about, never nil.
	Steps []recommend.Step `json:"steps"`
	// Reason is the one line that an Event would carry.
	Reason recommend.Text `json:"reason,omitzero"`
	// Repairs are those that made the decision differ from the HPA controller's.
	Repairs recommend.Repairs `json:"repairs,omitzero"`
	// Decision is what the recommender said, for Summary.Add and for callers that want to know more.
	Decision recommend.Decision `json:"-"`
}

// Because is why the replicas change or stay, in a line: what an Event would say or, where it says nothing, why nothing could be decided.
func (o *Outcome) Because() string {
	if o.Reason.IsZero() && o.Decision.Failure != nil {
		return o.Decision.Failure.Detail
	}
	return o.Reason.String()
}

// Replay feeds observations in order to the recommender, starting from an empty history. It takes every decision to
// change the replicas as successfully written, unless the next observation says otherwise, and the replicas of every observation
// as they are: between two of them somebody else may have scaled. The policy's mode makes no difference. Where an observation does
// not say when its samples were taken, they were received when the first observation was made that shows them.
type Replay struct {
	policy  annotations.Policy
	rules   recommend.Rules
	history recommend.History
	// last is the last decision, if the replicas are to be as it says; nil if not.
	last *recommend.Decision
	// stamps are those of what was seen so far.
	stamps stamps
	// active, able and limited are the conditions as the HPA's status would hold them.
	active, able, limited string
}

// NewReplay starts a replay from an empty history.
func NewReplay(p annotations.Policy, r recommend.Rules) *Replay {
	return &Replay{policy: p, rules: r, stamps: newStamps()}
}

// Edit goes on by another policy, as when somebody has edited the annotations: what is remembered of the workload stays. test/conformance replays recordings in which
// that happens.
func (r *Replay) Edit(p annotations.Policy) { r.policy = p }

// Next decides on the next observation.
func (r *Replay) Next(s recommend.Snapshot) Outcome {
	return r.decide(s, true)
}

// Observe decides on the next observation as Next does, but takes the decision as not written, as in mode observe.
func (r *Replay) Observe(s recommend.Snapshot) Outcome { return r.decide(s, false) }

func (r *Replay) decide(s recommend.Snapshot, written bool) Outcome {
	r.stamps.stamp(&s)
	d, history := r.rules.Recommend(r.policy, s, r.history.Follow(r.last, s))
	able := d.Able
	r.history, r.last = history, nil
	if written && d.Desired != d.Current {
		r.last, able = &d, recommend.AbleSucceededRescale
	}
	keep(&r.active, d.Active)
	keep(&r.able, able)
	keep(&r.limited, d.Limited)
	o := Outcome{Time: d.Time, Current: d.Current, Desired: d.Desired, Active: r.active, Able: r.able, Limited: r.limited,
		Steps: d.Steps, Reason: d.Reason, Repairs: d.Repairs, Decision: d}
	if o.Steps == nil {
		o.Steps = []recommend.Step{} // [] in JSON, not null
	}
	return o
}

// keep leaves a condition as it was where a look did not touch it.
func keep(condition *string, reason string) {
	if reason != "" {
		*condition = reason
	}
}
