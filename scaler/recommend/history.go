package recommend

import (
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// History is all that is remembered of a workload between two looks. It is a value: functions return a new one
// and never write to the one they were given.
type History struct {
	// Recommendations are those of before any stabilization, oldest first, and what stands in for one. Of equal ones only the latest
	// is kept: it is in a window whenever an earlier one is, so its age says all that stabilization asks.
	Recommendations []Recommendation
	// Changes are the replica changes that were written, oldest first.
	Changes []Change
	// Since is the moment before which an earlier process may have removed pods that nobody remembers: policies of
	// scale-down grant nothing until their period after it has passed. Zero if there was none.
	Since time.Time
	// certain is when observations alone were decided on the last time, without an assumption; zero if that is not known.
	certain time.Time
	// resumed is the present number at the first look after a gap: see resume.
	resumed Recommendation
	// left is the number of replicas that the last look, or the write of its decision, has left; 0 before there was one.
	left int32
	// asked is what the metrics asked for last, carried what they asked for when the last change was decided on; 0 if nothing.
	asked, carried int32
	// unplaced says that the last change has not been put in its place yet: see placed.
	unplaced bool
	// needed is what the measured pods asked for last, by themselves.
	needed Recommendation
	// slept says that the last write of the replicas was to 0, and that they are still 0 (HPA: the condition ScaledToZero).
	slept bool
	// active is when it was last not known that nothing is active: a metric was, or could not be evaluated, or the replicas were found or
	// changed by somebody else.
	active time.Time
	// seen is when the workload was looked at last.
	seen time.Time
	// failing is since when each metric has failed that does, by its ID; nil if none does.
	failing map[string]time.Time
	// outside is a scale-in by somebody else that the workload has not got over yet.
	outside outside
}

// FailingSince is since when each metric has failed that does, by its ID. It is shared: read-only.
func (h History) FailingSince() map[string]time.Time { return h.failing }

// Recommendation is one unstabilized recommendation, or what stands in for one.
type Recommendation struct {
	Time     time.Time
	Replicas int32
	Basis    Basis
}

// Basis is what a Recommendation rests on.
type Basis uint8

const (
	// Recommended is what observations recommended.
	Recommended Basis = iota
	// Found is the number of replicas at the first look.
	Found
	// Assumed is what was proposed with assumptions for pods that could not be measured. It stands against what is proposed
	// with assumptions, too, and not against a recommendation.
	Assumed
	// Raised is the number of replicas that somebody else has raised it to.
	Raised
)

// bases is a set of them.
type bases uint8

func basesOf(all ...Basis) bases {
	var set bases
	for _, b := range all {
		set |= 1 << b
	}
	return set
}

// Change is one replica change that was written: Delta pods were added, or removed where it is negative. It is 0 where somebody
// else's scale-in was taken back. From is the number of replicas before it, 0 if that is not known.
type Change struct {
	Time  time.Time
	Delta int32
	From  int32
}

// outside is a scale-in that somebody else has made and that the workload has not got over yet. The zero value is none.
//
//	replicas
//	  12 |-----+                 +----- taken back
//	     |     |  the pods go    |
//	   1 |     +-----------------+
//	     +-----^-----------------------> time
//	           at
//
// For a moment the pods still run, and their samples say what the load needs. Then they are gone. Until those that are left have samples from
// after that, only what was known before says what the load needs.
type outside struct {
	at time.Time
	// from is the number that was left to the workload before.
	from int32
	// needed is what the load asked for when it was last measured; 0 if it was not, or not lately.
	needed int32
}

func (o outside) zero() bool { return o.from == 0 }

// within says that the number before was within bounds that the present one may be below.
func (o outside) within(p *annotations.Policy) bool {
	return !o.zero() && o.from >= p.Min && o.from <= p.Max
}

// look is what was proposed at one look, before windows, bounds and policies: with assumptions, and by the observations
// alone.
type look struct{ proposed, alone int32 }

// nothing stands for a number of replicas where the observations recommend none.
const nothing = -1

// assumed says that an assumption had a say.
func (l look) assumed() bool { return l.alone != l.proposed }

// Restored is what the cluster itself remembers of the changes that an earlier process wrote, for one that has just
// started, or that was killed in the middle of a scale-out. Every pod is one that was added when it was created, and
// so is every replica whose pod does not exist yet: that is exact after a scale-out, and careful after a rollout, whose
// pods count as added for the length of a policy's period. Of pods that were removed there is no trace, so Since marks
// the time from which changes are known.
//
// The HPA controller starts with empty budgets and may grant all of them a second time.
func Restored(s Snapshot) History {
	h := History{Since: s.Time}
	for _, pod := range s.Pods {
		if !over(pod) {
			// The timestamp is cut to a second; the end of that second is the careful reading.
			h.Changes = append(h.Changes, Change{Time: pod.Created.Add(time.Second), Delta: 1})
		}
	}
	if awaited := s.Replicas - int32(len(h.Changes)); awaited > 0 {
		h.Changes = append(h.Changes, Change{Time: s.Time, Delta: awaited})
	}
	slices.SortStableFunc(h.Changes, func(a, b Change) int { return a.Time.Compare(b.Time) })
	return h
}

// Unremembered is a history in which nothing stands against a decision: neither a recommendation in any window nor a
// change in any period, and nothing was active for as long as counts. It shows what the present observations alone ask for.
func Unremembered(p annotations.Policy, s Snapshot) History {
	left := s.Time.Add(-max(window(p.Up), window(p.Down))) // the moment that has just left the longest window
	return History{Recommendations: []Recommendation{{Time: left, Replicas: s.Replicas}}, left: s.Replicas, slept: true, active: left.Add(-p.SleepAfter)}
}

// mostChanges is how many changes are remembered: more than one a second for the longest period that a policy can have.
const mostChanges = 2000

// Applied is the history after the decision was written. Call it only after the write succeeded: what was not written
// must not use up a policy's budget (HPA: storeScaleEvent).
func (h History) Applied(d Decision) History {
	if d.Desired != d.Current {
		// A way back is no change for the policies, but one for the windows: hence a Change of 0.
		base := min(h.outside.base(d.Current, d.Desired), max(d.Current, d.Desired))
		kept := h.Changes[max(len(h.Changes)-mostChanges+1, 0):]
		h.Changes = append(slices.Clone(kept), Change{Time: d.Time, Delta: d.Desired - base, From: d.Current})
		h.carried, h.unplaced = h.asked, true
		h.left, h.outside, h.slept = d.Desired, outside{}, d.Desired == 0
	}
	return h
}

// Adopted is the history after another controller that goes by the same annotations has changed the replicas. Its change uses up
// the policies as an own one would: between two of them nothing is granted twice.
func (h History) Adopted(at time.Time, replicas int32) History {
	if h.left > 0 && replicas > 0 && replicas != h.left {
		h.Changes = append(h.Changes[:len(h.Changes):len(h.Changes)], Change{Time: at, Delta: replicas - h.left, From: h.left})
		h.carried, h.unplaced = h.asked, true
	}
	h.left, h.outside, h.slept = replicas, outside{}, replicas == 0
	return h
}

// Follow is the history at the next observation, after the last decision; nil is none that was to change anything.
func (h History) Follow(last *Decision, s Snapshot) History {
	if last != nil && !s.Unwritten {
		h = h.Applied(*last)
	}
	if s.Adopted {
		h = h.Adopted(s.Time, s.Replicas)
	}
	if s.Restored {
		h = Restored(s)
	}
	return h
}

// base is where a change begins, for policies and windows: those of scale-up do not stand in the way back to the number from before
// somebody else's scale-in.
func (o outside) base(current, desired int32) int32 {
	if desired <= current {
		return current
	}
	return max(current, o.from)
}

// placed puts the change that was written last where the HPA controller would: it overwrites one change of the same
// direction that this direction's policies do not look at any more, though those of the other direction may
// (HPA: markScaleEventsOutdated, storeScaleEvent).
func (h History) placed(p *annotations.Policy) History {
	last := len(h.Changes) - 1
	change, rules := h.Changes[last], p.Up
	if change.Delta < 0 {
		rules = p.Down
	}
	cutoff := change.Time.Add(-longestPeriod(rules))
	for i := last - 1; i >= 0; i-- {
		old := h.Changes[i]
		if old.Delta > 0 == (change.Delta > 0) && old.Time.Before(cutoff) {
			h.Changes = slices.Clone(h.Changes[:last])
			h.Changes[i] = change
			break
		}
	}
	return h
}

// since returns the changes after the cutoff, and at least the last one, however old: samples are held to it. They are
// ordered by time, so nothing is copied.
func (h History) since(cutoff time.Time) []Change {
	i := slices.IndexFunc(h.Changes, func(c Change) bool { return c.Time.After(cutoff) })
	if i < 0 {
		i = max(len(h.Changes)-1, 0)
	}
	return h.Changes[i:]
}

// longestGap is how long a workload may go without a look before what is remembered of it is out of date.
const longestGap = 5 * time.Minute

// current says whether something is known lately enough to count.
func (r Recommendation) current(now time.Time, p *annotations.Policy) bool {
	return now.Sub(r.Time) <= max(longestGap, 2*p.SyncPeriod)
}

func window(rules autoscalingv2.HPAScalingRules) time.Duration {
	return time.Duration(*rules.StabilizationWindowSeconds) * time.Second
}

// longestPeriod is how long a change can matter to the policies.
func longestPeriod(rules autoscalingv2.HPAScalingRules) time.Duration {
	var longest int32
	for _, policy := range rules.Policies {
		longest = max(longest, policy.PeriodSeconds)
	}
	return time.Duration(longest) * time.Second
}
