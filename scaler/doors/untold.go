package doors

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// starting is how long activators may take to tell their state when a process begins to lead.
const starting = 5 * time.Second

// untoldLocked are the activators that have not had the time to tell their state to a process that has just begun to lead. What the leader before knew
// of them, and has written, holds until then.
func (k *Keeper) untoldLocked() map[types.UID]bool {
	if k.Now().Sub(k.began) >= starting {
		return nil
	}
	untold := map[types.UID]bool{}
	for _, pod := range k.Cluster.Activators() {
		if r := k.reports[pod.UID]; isThere(pod) && (r == nil || !r.synced) {
			untold[pod.UID] = true
		}
	}
	return untold
}

// isThere says whether a pod is neither over nor told to end.
func isThere(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodFailed && pod.Status.Phase != corev1.PodSucceeded
}
