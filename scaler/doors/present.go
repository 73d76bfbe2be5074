package doors

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// starting is how long activators may take to tell their state when a process begins to lead.
const starting = 5 * time.Second

// present is what is known of the activators at one moment.
type present struct {
	reports map[types.UID]*report
	// pods are those that are neither over nor told to end.
	pods map[types.UID]bool
	// begins says that this process has just begun to lead, so that they have not all had the time to tell their state. What the leader before knew of them, and
	// has written, holds until then.
	begins bool
}

func (k *Keeper) presentLocked() present {
	p := present{k.reports, map[types.UID]bool{}, k.Now().Sub(k.began) < starting}
	for _, pod := range k.Cluster.Activators() {
		if isThere(pod) {
			p.pods[pod.UID] = true
		}
	}
	return p
}

// isOver says whether nothing of a pod runs any more.
func isOver(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// isThere says whether a pod is neither over nor told to end.
func isThere(pod *corev1.Pod) bool { return pod.DeletionTimestamp == nil && !isOver(pod) }

// isUnready says whether it is known that a pod is not ready.
func isUnready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue })
}

// listening are the activators that a slice is to lead to, where it has these ports and has said before what it says now; nil if it says nothing. All says whether
// one of them listens on all the ports.
//
//	                                it is in the active slice    it is not
//	listens on all ports            stays                        comes
//	has not told of some ports yet  stays                        waits
//	listens on fewer than others    goes                         waits
//	has told nothing, as yet        stays                        waits
//
// If nobody would be left, those stay whose pods are there. It may be this process that cannot reach them, and where they are gone a request finds nobody either way.
// If there are none, those stay that are to end, for as long as they tell that they listen.
func (p *present) listening(slice types.NamespacedName, family discoveryv1.AddressType, ports []serves.Port, says *serves.Slice) (to []serves.Activator, all bool) {
	heard := map[string]bool{}
	for _, r := range p.reports {
		a, ok := r.endpoint(family)
		if !ok {
			continue
		}
		for _, port := range ports {
			heard[port.Name] = heard[port.Name] || r.listens(slice, port) == yes
		}
		if r.listensOn(slice, ports) {
			to, all = append(to, a), true
		}
	}
	if says == nil || says.Face != wake.Active {
		return sorted(to), all
	}
	return sorted(p.staying(slice, ports, says, to, heard)), all
}

// staying adds activators to which a slice leads already, and which it must not leave yet, to those that it is to lead to.
func (p *present) staying(slice types.NamespacedName, ports []serves.Port, says *serves.Slice, to []serves.Activator, heard map[string]bool) []serves.Activator {
	var left, ending []serves.Activator
	for _, a := range says.Activators {
		if slices.ContainsFunc(to, func(b serves.Activator) bool { return b.UID == a.UID }) {
			continue
		}
		r := p.reports[a.UID]
		told := r != nil && r.synced
		switch {
		case told && r.follows(slice, ports, heard), !told && p.begins && p.pods[a.UID]:
			to = append(to, a)
		case p.pods[a.UID] && (r == nil || !r.draining):
			left = append(left, a)
		case told && !r.broken && r.listensOn(slice, ports):
			ending = append(ending, a)
		}
	}
	if len(to) == 0 {
		to = left
	}
	if len(to) == 0 {
		to = ending
	}
	return to
}

// sorted are the same by the names of their pods. Texts are sorted, which the program does elsewhere, too: to sort values of one more type takes 15 kB of it.
func sorted(all []serves.Activator) []serves.Activator {
	by := map[string]serves.Activator{}
	for _, a := range all {
		by[a.Pod+" "+string(a.UID)] = a
	}
	var sorted []serves.Activator
	for _, name := range slices.Sorted(maps.Keys(by)) {
		sorted = append(sorted, by[name])
	}
	return sorted
}

// isToldLocked says whether any activator tells its state.
func (k *Keeper) isToldLocked() bool {
	for _, r := range k.reports {
		if r.synced {
			return true
		}
	}
	return false
}
