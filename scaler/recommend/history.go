package recommend

import (
	"slices"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// History is all that is remembered of a workload between two evaluations. It is a value: functions return a new one
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
	// resumed is the present number at the first evaluation after a gap: see resume.
	resumed Recommendation
	// left is the number of replicas that the last evaluation, or the write of its decision, has left; 0 before there was one.
	left int32
	// asked is what the metrics asked for last, carried what they asked for when the last change was decided on; 0 if nothing.
	asked, carried int32
	// needed is what the measured pods asked for last, by themselves.
	needed Recommendation
	// outside is a scale-in by somebody else that the workload has not got over yet.
	outside outside
	// unplaced says that the last change has not been put in its place yet: see placed.
	unplaced bool
}

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
			h.Changes = append(h.Changes, Change{Time: pod.CreationTimestamp.Add(time.Second), Delta: 1})
		}
	}
	if awaited := s.Replicas - int32(len(h.Changes)); awaited > 0 {
		h.Changes = append(h.Changes, Change{Time: s.Time, Delta: awaited})
	}
	slices.SortStableFunc(h.Changes, func(a, b Change) int { return a.Time.Compare(b.Time) })
	return h
}

// Unremembered is a history in which nothing stands against a decision: neither a recommendation in any window nor a
// change in any period. It shows what the present observations alone ask for.
func Unremembered(p annotations.Policy, s Snapshot) History {
	left := s.Time.Add(-max(window(p.Up), window(p.Down))) // the moment that has just left the longest window
	return History{Recommendations: []Recommendation{{Time: left, Replicas: s.Replicas}}}
}

// mostChanges is how many changes are remembered: more than one a second for the longest period that a policy can have.
const mostChanges = 2000

// Applied is the history after the decision was written. Call it only after the write succeeded: what was not written
// must not use up a policy's budget (HPA: storeScaleEvent).
func (h History) Applied(d Decision) History {
	if d.Desired != d.Current {
		// A way back is no change for the policies, but one for the windows: hence a Change of 0.
		base := min(h.base(d.Current, d.Desired), max(d.Current, d.Desired))
		kept := h.Changes[max(len(h.Changes)-mostChanges+1, 0):]
		h.Changes = append(slices.Clone(kept), Change{Time: d.Time, Delta: d.Desired - base, From: d.Current})
		h.carried, h.unplaced = h.asked, true
		h.left, h.outside = d.Desired, outside{}
	}
	return h
}

// prepared makes the present number of replicas the first recommendation, so that a controller that has just started
// does not scale in before it has watched for one stabilization window (HPA: recordInitialRecommendation).
func (v *view) prepared(h History) History {
	if v.Compat && h.unplaced {
		h = h.placed(&v.policy)
	}
	h.unplaced = false
	if len(h.Recommendations) == 0 {
		h.Recommendations, h.certain = []Recommendation{{Time: v.Time, Replicas: v.Replicas, Basis: Found}}, v.Time
	}
	return h
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

// oldestSample is how long a change is remembered for the samples from before it: as old as those of the usual windows are
// at most, and more.
const oldestSample = 5 * time.Minute

// recorded adds what was proposed at one look, and drops what no window, no policy and no sample looks at any more.
//
// It repairs "what was assumed is remembered as recommended": where assumptions had a say, what the observations alone
// recommend is remembered, and beside it what was assumed.
func (v *view) recorded(h History, l look) History {
	p := &v.policy
	kept := make([]Recommendation, 0, len(h.Recommendations)+2)
	keep := func(r Recommendation) {
		kept = slices.DeleteFunc(kept, func(old Recommendation) bool {
			return old.Replicas == r.Replicas && (old.Basis == r.Basis || r.Basis == Recommended)
		})
		kept = append(kept, r)
	}
	oldest := l.time.Add(-max(window(p.Up), window(p.Down)))
	for _, old := range h.Recommendations {
		if old.Time.After(oldest) {
			kept = append(kept, old)
		}
	}
	if !l.assumed() {
		h.certain = l.time
	}
	if l.alone != nothing {
		keep(Recommendation{Time: l.time, Replicas: l.alone})
	}
	if l.assumed() {
		keep(Recommendation{Time: l.time, Replicas: l.proposed, Basis: Assumed})
	}
	h.Recommendations = kept
	if !v.Compat {
		h.Changes = h.since(l.time.Add(-max(longestPeriod(p.Up), longestPeriod(p.Down), oldestSample)))
	}
	return h
}

// look is what was proposed at one look, before windows, bounds and policies: with assumptions, and by the observations
// alone.
type look struct {
	time            time.Time
	proposed, alone int32
}

// nothing is what observations recommend by which nothing can be said.
const nothing = -1

// look is what was proposed.
func (v *view) look(d draft) look {
	l := look{time: d.Time, proposed: d.Desired, alone: d.Desired}
	if v.repairs(RepairAssumed) {
		l.alone = d.asked.alone
	}
	return l
}

// learn brings what is known up to this look, for the stages that follow.
func (v *view) learn(d draft) draft {
	d.Repairs |= RepairOutside.when(v.below)
	d.history.asked, d.history.outside, d.history.needed = d.look.proposed, d.asked.outside, v.needs(&d.asked)
	d.history = v.resume(d.history, d.look)
	return d
}

// record remembers what was proposed.
func (v *view) record(d draft) draft {
	d.history = v.recorded(d.history, d.look)
	return d
}

// assumed says that an assumption had a say.
func (l look) assumed() bool { return l.alone != l.proposed }

// since returns the changes after the cutoff, and at least the last one, however old: samples are held to it. They are
// ordered by time, so nothing is copied.
func (h History) since(cutoff time.Time) []Change {
	i := slices.IndexFunc(h.Changes, func(c Change) bool { return c.Time.After(cutoff) })
	if i < 0 {
		i = max(len(h.Changes)-1, 0)
	}
	return h.Changes[i:]
}
