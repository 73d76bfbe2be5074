package recommend

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Missing are replicas that are asked for and do not come.
type Missing struct {
	// Refused is how many replicas have no pod, because the API server refuses to create it: a quota, most often.
	Refused int32 `json:"refused,omitempty"`
	// Unscheduled is how many have a pod that no node takes.
	Unscheduled int32 `json:"unscheduled,omitempty"`
	// Words are why: those of the API server where any pod is refused, else the scheduler's. They come from outside, and may hold
	// anything.
	Words string `json:"words,omitempty"`
	// Since is when the replicas were changed or, if that was later and there are more of them than before, the last pod was created.
	// Where none is refused it is when the pod that has waited longest began to.
	Since time.Time `json:"since"`
}

// Text says it for people, of how many replicas that are asked for.
func (m *Missing) Text(asked int32) string {
	const quoted = 300 // bytes of what comes from outside
	words := strings.ToValidUTF8(m.Words[:min(len(m.Words), quoted)], "")
	if m.Refused > 0 {
		return fmt.Sprintf("%d of %d replicas do not come, because their pods cannot be created: %q", m.Refused, asked, words)
	}
	return fmt.Sprintf("%d of %d replicas do not come, because no node takes their pods: %q", m.Unscheduled, asked, words)
}

// missing is nil if all replicas have come or are on their way.
func (s *Snapshot) missing(h History) *Missing {
	var changed time.Time
	if n := len(h.Changes); n > 0 {
		changed = h.Changes[n-1].Time
	}
	var created time.Time // the last pod
	var waiting int32
	var longest *corev1.PodCondition
	for _, pod := range s.Pods {
		if over(pod) {
			continue
		}
		created = latest(created, pod.CreationTimestamp.Time)
		if c := unscheduled(pod); c != nil {
			if waiting++; longest == nil || c.LastTransitionTime.Before(&longest.LastTransitionTime) {
				longest = c
			}
		}
	}
	existing := s.existing()
	refused := max(s.Replicas-s.come(), 0)
	waiting = min(waiting, s.Replicas-(existing-waiting)) // what else waits is the surge of a rollout
	switch {
	case s.Refused != "" && refused > 0:
		since := latest(changed, created)
		if from, known := h.lastRaise(); known && s.come() <= from {
			since = changed
		}
		return &Missing{Refused: refused, Unscheduled: max(waiting, 0), Words: s.Refused, Since: since}
	case waiting > 0:
		return &Missing{Unscheduled: waiting, Words: longest.Message, Since: longest.LastTransitionTime.Time}
	}
	return nil
}

// come is how many replicas have a pod.
func (s *Snapshot) come() int32 { return max(s.existing(), s.StatusReplicas) }

// lastRaise is the number of replicas before the last change that has added some; false if none is remembered. It has brought none
// while no more than these have come: pods that were made anew, in the place of others, are not more.
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

// unscheduled is why no node takes a pod; nil if one has.
func unscheduled(pod *corev1.Pod) *corev1.PodCondition {
	if pod.Status.Phase != corev1.PodPending {
		return nil
	}
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return c
		}
	}
	return nil
}

// refuse repairs "what is refused is asked for again and again": while the API server refuses the pods of replicas that are asked for
// already, and the last raise has brought none, no more are asked for, however soon after it the policies would grant them. Those that
// are stay asked for: a quota may be raised. Pods that exist and that no node takes hold nothing: it is they that bring a cluster
// autoscaler to add nodes.
func (v *view) refuse(d draft) draft {
	m := d.Missing
	from, known := d.history.lastRaise()
	if m == nil || m.Refused == 0 || known && v.come() > from || d.Desired <= d.Current || !v.repairs(RepairRefused) {
		return d
	}
	d.Limited, d.Repairs = LimitedUp, d.Repairs|RepairRefused
	return d.step(StagePolicy, "", d.Current, LimitedUp, &refusals{m.Refused, d.Current})
}

// refusals is how many of the present replicas are refused.
type refusals struct{ refused, current int32 }
