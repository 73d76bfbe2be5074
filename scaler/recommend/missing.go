package recommend

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// missing is nil if all replicas have come or are on their way.
func (s *Snapshot) missing(h History) *Missing {
	var created time.Time // the last pod
	var existing, waiting int32
	var longest *podspec.Pod
	for _, pod := range s.Pods {
		if over(pod) {
			continue
		}
		existing++
		created = latest(created, pod.Created)
		if unscheduled(pod) {
			if waiting++; longest == nil || pod.Scheduled.Since.Before(longest.Scheduled.Since) {
				longest = pod
			}
		}
	}
	come := max(existing, s.StatusReplicas)
	refused := max(s.Replicas-come, 0)
	waiting = min(waiting, s.Replicas-(existing-waiting)) // what else waits is the surge of a rollout
	switch {
	case s.Refused != "" && refused > 0:
		return &Missing{Refused: refused, Unscheduled: max(waiting, 0), Words: s.Refused, Since: h.refusedSince(come, created)}
	case waiting > 0:
		return &Missing{Unscheduled: waiting, Words: longest.Unscheduled, Since: longest.Scheduled.Since}
	}
	return nil
}

// refusedSince is since when replicas are refused of which so many have come, the last pod at a moment: since the last change, and if replicas had not come
// before that one either, since the change before. Who is raised again, and lowered, is still refused the same.
//
//	replicas     3 ------- 7 ---------------------- 14
//	come         3 ---- 4 ----- 5 --------------------
//	since                       ^ the last has come    not this raise
func (h History) refusedSince(come int32, created time.Time) time.Time {
	last := len(h.Changes) - 1
	if last < 0 {
		return created
	}
	since := latest(h.Changes[last].Time, created)
	if from, known := h.lastRaise(); known && come <= from {
		since = h.Changes[last].Time
	}
	for i := last; i > 0 && come < h.Changes[i].From; i-- {
		since = earlier(since, latest(h.Changes[i-1].Time, created))
	}
	return since
}

// come is how many replicas have a pod.
func (s *Snapshot) come() int32 { return max(s.existing(), s.StatusReplicas) }

// lastRaise is the number of replicas before the last change that was to add some; false if none is remembered. While no more pods than that
// have come, it has brought none: pods that were made in the place of others are not more.
func (h History) lastRaise() (from int32, known bool) {
	for _, change := range slices.Backward(h.Changes) {
		if change.Delta > 0 && change.From > 0 {
			return change.From, true
		}
	}
	return 0, false
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// unscheduled says that no node takes a pod.
func unscheduled(pod *podspec.Pod) bool {
	return pod.Phase == corev1.PodPending && pod.Scheduled.Is(corev1.ConditionFalse)
}

// refuse repairs "what is refused is asked for again and again": while the API server refuses the pods of replicas that are asked for
// already, and the last raise has brought none, no more are asked for, however soon after it the policies would grant them. Those that
// are stay asked for: a quota may be raised. Pods that exist and that no node takes hold nothing: it is they that bring a cluster
// autoscaler to add nodes.
func (v *view) refuse(d draft) draft {
	m := d.Missing
	from, known := v.history.lastRaise()
	if m == nil || m.Refused == 0 || known && v.come() > from || d.Desired <= d.Current || !v.repairs(RepairRefused) {
		return d
	}
	d.Limited, d.Repairs = LimitedUp, d.Repairs|RepairRefused
	d.step(StagePolicy, "", d.Current, LimitedUp, &refusals{m.Refused, d.Current})
	return d
}

// refusals is how many of the present replicas are refused.
type refusals struct{ refused, current int32 }

// String says that pods are refused, and no more are asked for.
func (r *refusals) String() string {
	return fmt.Sprintf("%d of %d replicas are refused: no further than %d now", r.refused, r.current, r.current)
}
