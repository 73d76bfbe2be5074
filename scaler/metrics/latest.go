package metrics

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/scaler/clock"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// latest is what is known of every pod of the newest LIST. Neither it nor its entries are written to once they can be read by others.
type latest map[types.NamespacedName]*entry

// entry is the newest sample of one pod.
type entry struct {
	// stamp is the publisher's timestamp, which is compared with others of the same pod, and what it is on the local clock.
	stamp clock.Stamp
	// seen is the local time at which this timestamp was first read.
	seen time.Time
	// sample is nil for a pod whose sample is not needed.
	sample *sample.Pod
}

// vanished has the stamps of pods that had a sample not long before, and have none in the newest LIST.
type vanished map[types.NamespacedName]clock.Stamp

// reading turns one LIST into the next ones and says what it changed.
type reading struct {
	old, next latest
	// gone and goneNext are what vanished before this LIST, and what is missing from it: what comes back is as old as if it had
	// never been missing.
	gone, goneNext vanished
	// sent and now are the local times at which the LIST was sent and answered. What it first brings was received, as far as a
	// sample's age goes, when it was sent.
	sent, now time.Time
	// patience is how long a pod's newest sample outlives older ones being served instead, see clock.Stamp.Next: deciding on
	// those would be going back in time.
	patience time.Duration
	keep     func(namespace, name string) bool
	// began is when the set being published was first seen.
	began time.Time

	// changed are the kept pods with a new sample, then those that vanished; each once.
	changed []types.NamespacedName
	// comparable, advanced and repeated are those of an observation.
	comparable, advanced, repeated int
	// newest is when the newest sample of the LIST was taken, by the local clock.
	newest time.Time
}

// read takes over the samples of a LIST; the caller gives them up.
func (r *reading) read(items []sample.Pod) {
	r.next, r.goneNext = make(latest, len(items)), vanished{}
	for i := range items {
		r.take(&items[i])
	}
	r.dropVanished()
}

func (r *reading) take(item *sample.Pod) {
	pod := types.NamespacedName{Namespace: item.Namespace, Name: item.Name}
	if _, twice := r.next[pod]; twice {
		return
	}
	old, known := entry{stamp: r.gone[pod]}, false
	if before := r.old[pod]; before != nil {
		old, known = *before, true
	}
	stamp := old.stamp.Next(item.Time, r.sent, clock.Believable(item.Window), r.patience)
	e, isNew := old, !known || !stamp.Behind() && !stamp.Timestamp.Equal(old.stamp.Timestamp)
	switch {
	case isNew:
		e = entry{stamp: stamp, seen: r.now}
	case !stamp.Behind():
		e.stamp = stamp
	}
	if known {
		r.compare(old, e)
	}
	// A pod that became wanted later has an entry without a sample. If an older one is served now, it is better than none, but it has
	// the age that it has.
	if (isNew || e.sample == nil) && r.keep(pod.Namespace, pod.Name) {
		own := *item // a copy: the LIST's array would stay in memory as long as one of its pods has no newer sample
		e.stamp, e.sample = stamp, &own
		r.changed = append(r.changed, pod)
	}
	r.next[pod] = &e
	if e.stamp.Taken.After(r.newest) {
		r.newest = e.stamp.Taken
	}
}

// compare counts what the schedule learns from a pod that was also in the last LIST.
func (r *reading) compare(old, e entry) {
	r.comparable++
	if !e.stamp.Timestamp.After(old.stamp.Timestamp) {
		return
	}
	r.advanced++
	if !old.seen.Before(r.began) {
		r.repeated++
	}
}

func (r *reading) dropVanished() {
	start := len(r.changed)
	for pod, stamp := range r.gone {
		r.remember(pod, stamp)
	}
	for pod, e := range r.old {
		if r.remember(pod, e.stamp) && e.sample != nil {
			r.changed = append(r.changed, pod)
		}
	}
	slices.SortFunc(r.changed[start:], byName)
}

// remember keeps the stamp of a pod that is not listed, for a while, and says whether it is not.
func (r *reading) remember(pod types.NamespacedName, stamp clock.Stamp) bool {
	_, listed := r.next[pod]
	if !listed && stamp.Remembered(r.sent) {
		r.goneNext[pod] = stamp
	}
	return !listed
}

func byName(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
