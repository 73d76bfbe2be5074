package scaler

import (
	"iter"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// limit is one reason why the replicas are not what the metrics ask for.
type limit uint8

const (
	limitMax           limit = iota // the upper bound
	limitMin                        // the lower bound
	limitPolicy                     // the scaling policies
	limitStabilization              // a window
	limitQuota                      // a quota refuses pods
	limitRefused                    // pods are refused for something else
	limitUnschedulable              // no node takes pods
	limitCount
)

// String is the value of the label.
func (l limit) String() string {
	return [limitCount]string{"max", "min", "policy", "stabilization", "quota", "refused", "unschedulable"}[l]
}

// limits are those that hold, a bit for each.
type limits uint8

func (l *limits) add(one limit, holds bool) {
	if holds {
		*l |= 1 << one
	}
}

// all are those that hold, in their order.
func (l limits) all() iter.Seq[limit] {
	return func(yield func(limit) bool) {
		for one := range limitCount {
			if l&(1<<one) != 0 && !yield(one) {
				return
			}
		}
	}
}

// limitsOf are what holds the replicas back by a decision; nil if nothing is decided, and then that is not known.
func limitsOf(d *recommend.Decision, p *annotations.Policy) limits {
	var all limits
	if d == nil {
		return all
	}
	if d.Decided() && !d.Asleep {
		all.add(limitMax, d.Limited == recommend.LimitedTooMany)
		all.add(limitMin, d.Limited == recommend.LimitedTooFew)
		all.add(limitPolicy, (d.Limited == recommend.LimitedUp || d.Limited == recommend.LimitedDown) && d.Repairs&recommend.RepairRefused == 0)
		all.add(limitStabilization, d.Able == recommend.AbleUpStabilized || d.Able == recommend.AbleDownStabilized)
	}
	if isLate(d, p) {
		all.add(limitOf(d.Missing), true)
	}
	return all
}

// limitOf says what keeps replicas from coming. The words are those of ResourceQuota's admission, for which there is no reason of its own.
func limitOf(m *recommend.Missing) limit {
	switch {
	case m.Refused == 0:
		return limitUnschedulable
	case strings.Contains(m.Words, "exceeded quota"):
		return limitQuota
	}
	return limitRefused
}
