package recommend

import (
	"fmt"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/schedule"
)

// confine corrects replicas that are out of bounds. Where somebody else has made them too few, the metrics are asked first.
func (v *view) confine(d draft) draft {
	if outside := v.Replicas < v.policy.Min || v.Replicas > v.policy.Max; !outside || v.below || v.asleep && v.Compat {
		return d
	}
	d, d.final = v.correct(d), true
	if v.Replicas > v.policy.Max && v.Replicas <= v.most {
		return v.limit(d) // more was allowed at another time: what has ended is no mistake to be corrected at once
	}
	return d
}

// correct brings replicas that are out of bounds back at once: no metric, window or policy has a say (HPA: the same).
func (v *view) correct(d draft) draft {
	o := &outOfBounds{current: d.Current, bound: v.policy.Max, line: v.line()}
	if d.Current < v.policy.Min {
		o.bound = v.policy.Min
	}
	d.Reason, d.Active = Text{o}, ""
	d.step(StageBounds, "", o.bound, boundReason(o.current, o.bound), o)
	return d
}

// line is the line of the schedule that counts; nil if none does.
func (v *view) line() *schedule.Line {
	if line, ok := v.policy.Schedule.At(v.Time); ok {
		return &line
	}
	return nil
}

// outOfBounds is a number of replicas that is above the one bound or below the other.
type outOfBounds struct {
	current, bound int32
	line           *schedule.Line
}

// String says that the present number is out of bounds.
func (o *outOfBounds) String() string {
	bound, relation := fmt.Sprintf("%s %d", annotations.Max, o.bound), "above"
	if o.current < o.bound {
		bound, relation = fmt.Sprintf("%s %d", annotations.Min, o.bound), "below"
	}
	switch {
	case o.line == nil:
	case o.current > o.bound && o.line.SetsMax():
		bound = fmt.Sprintf("max %d of %s", o.bound, o.line)
	case o.current < o.bound && o.line.SetsMin():
		bound = fmt.Sprintf("min %d of %s", o.bound, o.line)
	}
	return fmt.Sprintf("current number of replicas %d %s %s", o.current, relation, bound)
}

// bound keeps the replicas within min..max.
func (v *view) bound(d draft) draft {
	b := &bounds{min: v.least(), max: v.policy.Max, from: d.Desired, line: v.line()}
	b.to = min(max(d.Desired, b.min), b.max)
	if d.Limited = LimitedNot; b.to != b.from {
		d.Limited = boundReason(b.from, b.to)
	}
	d.step(StageBounds, "", b.to, d.Limited, b)
	return d
}

// bounds are the least and the most replicas, and what they made of a number.
type bounds struct {
	min, max, from, to int32
	line               *schedule.Line
}

// String says within which bounds the replicas are, or were not.
func (b *bounds) String() string {
	of := ""
	if b.line != nil {
		of = fmt.Sprintf(" of %s", b.line)
	}
	if b.to == b.from {
		return fmt.Sprintf("within %d..%d%s", b.min, b.max, of)
	}
	return fmt.Sprintf("%d is not within %d..%d%s", b.from, b.min, b.max, of)
}

func boundReason(from, to int32) string {
	if to < from {
		return LimitedTooMany
	}
	return LimitedTooFew
}

// least is the lower bound of what is proposed. The HPA controller does not hold a proposal for a sleeping workload to it, but what its policies
// have made of it: see lift.
func (v *view) least() int32 {
	if v.asleep && v.Compat {
		return 0
	}
	return v.policy.Min
}

// lift brings a workload whose minimum was raised while it slept up to it, as the HPA controller does, if the metrics could be asked. Without
// Compat that has happened before: see confine.
func (v *view) lift(d draft) draft {
	if v.asleep && v.Compat && d.Desired < v.policy.Min {
		d.step(StageBounds, "", v.policy.Min, LimitedTooFew, &outOfBounds{current: 0, bound: v.policy.Min})
	}
	return d
}
