package recommend

import (
	"slices"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// History is all that is remembered of a workload between two evaluations. It is a value: functions return a new one
// and never write to the one they were given.
type History struct {
	// Samples are the unstabilized recommendations, oldest first. Of equal recommendations only the latest is kept:
	// it is in a window whenever an earlier one is, so its age says all that stabilization asks.
	Samples []Sample
	// Changes are the replica changes that were written, oldest first.
	Changes []Change
	// Since is the moment before which an earlier process may have removed pods that nobody remembers: policies of
	// scale-down grant nothing until their period after it has passed. Zero if there was none.
	Since time.Time
	// resumed is the present number at the first evaluation after a gap: see resume.
	resumed Sample
	// left is the number of replicas that the last evaluation, or the write of its decision, has left; 0 before there was one.
	left int32
	// asked is what the metrics asked for last.
	asked Sample
	// outside is a scale-in by somebody else that the workload has not got over yet.
	outside outside
	// unplaced says that the last change has not been put in its place yet: see placed.
	unplaced bool
}

// Sample is one unstabilized recommendation.
type Sample struct {
	Time     time.Time
	Replicas int32
}

// Change is one replica change that was written: Delta pods were added, or removed where it is negative. It is 0 where somebody
// else's scale-in was taken back.
type Change struct {
	Time  time.Time
	Delta int32
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
	return History{Samples: []Sample{{Time: left, Replicas: s.Replicas}}}
}

// Applied is the history after the decision was written. Call it only after the write succeeded: what was not written
// must not use up a policy's budget (HPA: storeScaleEvent).
func (h History) Applied(d Decision) History {
	if d.Desired != d.Current {
		// A way back is no change for the policies, but one for the samples: hence a Change of 0.
		base := min(h.base(d.Current, d.Desired), max(d.Current, d.Desired))
		h.Changes = append(slices.Clone(h.Changes), Change{Time: d.Time, Delta: d.Desired - base})
		h.unplaced = true
		h.left, h.outside = d.Desired, outside{}
	}
	return h
}

// prepared makes the present number of replicas the first recommendation, so that a controller that has just started
// does not scale in before it has watched for one stabilization window (HPA: recordInitialRecommendation).
func (r Rules) prepared(h History, s Snapshot, p annotations.Policy) History {
	if r.Compat && h.unplaced {
		h = h.placed(p)
	}
	h.unplaced = false
	if len(h.Samples) == 0 {
		h.Samples = []Sample{{Time: s.Time, Replicas: s.Replicas}}
	}
	return h
}

// placed puts the change that was written last where the HPA controller would: it overwrites one change of the same
// direction that this direction's policies do not look at any more, though those of the other direction may
// (HPA: markScaleEventsOutdated, storeScaleEvent).
func (h History) placed(p annotations.Policy) History {
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

// lastChange is when the last known change was written; zero if there is none.
func (h History) lastChange() time.Time {
	if len(h.Changes) == 0 {
		return time.Time{}
	}
	return h.Changes[len(h.Changes)-1].Time
}

// recorded adds an unstabilized recommendation and drops what no window and no policy looks at any more.
func (r Rules) recorded(h History, s Sample, p annotations.Policy) History {
	oldest := s.Time.Add(-max(window(p.Up), window(p.Down)))
	kept := make([]Sample, 0, len(h.Samples)+1)
	for _, old := range h.Samples {
		if old.Replicas != s.Replicas && old.Time.After(oldest) {
			kept = append(kept, old)
		}
	}
	h.Samples = append(kept, s)
	if !r.Compat {
		h.Changes = h.since(s.Time.Add(-max(longestPeriod(p.Up), longestPeriod(p.Down))))
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
