package generate

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// ordinals are how a StatefulSet keeps its pods, each of which has a number of its own.
type ordinals struct {
	// policy says whether a pod waits for those before it.
	policy appsv1.PodManagementPolicyType
	// partition is the lowest number that an update of the template reaches.
	partition int
	// renewed is the number that the update has come to; all from there on are of the new template. 0 if there is none.
	renewed int
}

func newOrdinals(d dice) ordinals {
	return ordinals{policy: pick(d, appsv1.OrderedReadyPodManagement, appsv1.OrderedReadyPodManagement, appsv1.ParallelPodManagement),
		partition: pick(d, 0, 0, 0, 2)}
}

// inOrder is the StatefulSet's own controller: it adds the lowest numbers that are missing and deletes the highest that are too many. With
// OrderedReady it takes one step at a time, and none while a pod with a lower number is not ready.
func (w *Workload) inOrder() {
	replicas, waits := int(w.world.replicas), w.ordinals.policy == appsv1.OrderedReadyPodManagement
	there, highest := w.numbered()
	for number := range replicas {
		p := there[number]
		switch {
		case p == nil:
			w.world.pods = append(w.world.pods, w.newPod(number, w.world.now.Add(-w.back())))
		case p.deleted.IsZero() && !p.alive():
			w.remove(p)
		}
		if waits && (p == nil || !p.serves()) {
			return
		}
	}
	for number := highest; number >= replicas; number-- {
		p := there[number]
		if p != nil && p.deleted.IsZero() {
			w.remove(p)
		}
		if p != nil && waits {
			return
		}
	}
	w.renew(there)
}

// numbered are the pods by their numbers, and the highest of these.
func (w *Workload) numbered() (there map[int]*pod, highest int) {
	there = map[int]*pod{}
	for _, p := range w.world.pods {
		there[p.number], highest = p, max(highest, p.number)
	}
	return there, highest
}

// renew is an update of the template: pods are deleted one after the other, the highest number first, each once all others serve.
func (w *Workload) renew(there map[int]*pod) {
	o := &w.ordinals
	if o.renewed = min(o.renewed, int(w.world.replicas)); o.renewed <= o.partition {
		o.renewed = 0
		if w.dice.chance(w.mood.surge) {
			o.renewed = int(w.world.replicas)
		}
		return
	}
	for _, p := range there {
		if !p.serves() {
			return
		}
	}
	if o.renewed--; there[o.renewed] != nil {
		w.remove(there[o.renewed])
	}
}

// serves says that the pod runs, is ready, and stays.
func (p *pod) serves() bool {
	return p.deleted.IsZero() && p.phase == corev1.PodRunning && p.ready == corev1.ConditionTrue
}
