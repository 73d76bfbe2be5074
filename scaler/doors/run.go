package doors

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// Begin reads what the slices say when this process begins to lead, which is before Run and the first Lead of a term. Which pairs are whose is in them,
// those that are older first.
func (k *Keeper) Begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reset()
	k.began = k.Now()
	own := slices.Clone(k.Cluster.OwnSlices())
	slices.SortStableFunc(own, func(a, b *discoveryv1.EndpointSlice) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	for _, object := range own {
		k.noteLocked(object)
	}
	k.indexLocked(own)
}

// noteLocked notes the pairs of a slice, and to whom it leads.
func (k *Keeper) noteLocked(object *discoveryv1.EndpointSlice) {
	s, err := serves.Read(object)
	if err != nil {
		return
	}
	for _, a := range s.Activators {
		k.inherited[a.UID] = true
	}
	for _, port := range s.Ports {
		k.pairs.note(place{types.NamespacedName{Namespace: s.Namespace, Name: s.Service}, port.Name}, port.Pair)
	}
}

const (
	// sweeping is how often slices are looked at whose workload may be gone.
	sweeping = time.Second
	// recent is for how long a request keeps a workload awake by itself: as long as the HPA controller goes by one answer.
	recent = 15 * time.Second
	// soonAgain is how soon a workload is looked at again because of a request, where one has just been told of.
	soonAgain = time.Second
)

// Run follows the activators and takes away slices that nobody needs, for as long as this process leads: until ctx ends. Begin was called before.
func (k *Keeper) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer func() {
		running.Wait()
		k.mu.Lock()
		defer k.mu.Unlock()
		k.reset()
	}()
	following := map[types.UID]context.CancelFunc{}
	tick := time.NewTicker(sweeping)
	defer tick.Stop()
	for {
		k.follow(ctx, following, &running)
		select {
		case <-ctx.Done():
			return
		case <-k.changed:
		case <-tick.C:
			if k.Cluster.Err() == nil {
				k.sweep()
			}
		}
	}
}

// ActivatorsChanged says that a pod of an activator has come, gone or changed. It returns at once.
func (k *Keeper) ActivatorsChanged() {
	select {
	case k.changed <- struct{}{}:
	default: // it was told already
	}
}

// follow begins to follow the activators that are new, and ceases to follow those that are gone. One that is to end is followed for as long as it tells its state:
// what it holds counts.
func (k *Keeper) follow(ctx context.Context, following map[types.UID]context.CancelFunc, running *sync.WaitGroup) {
	there := map[types.UID]bool{}
	for _, pod := range k.Cluster.Activators() {
		a := k.activatorOf(pod)
		if len(a.addresses) == 0 || isOver(pod) {
			continue
		}
		there[a.uid] = true
		if following[a.uid] == nil {
			f := &follower{activator: a, tls: k.TLS, begins: k.begins, says: k.says, breaks: k.breaks, ends: k.lose}
			k.mu.Lock()
			k.reports[a.uid] = k.unheardLocked(a)
			k.mu.Unlock()
			lasting, cancel := context.WithCancel(ctx)
			following[a.uid] = cancel
			running.Go(func() { f.run(lasting) })
		}
		if !isThere(pod) {
			k.isToEnd(a.uid, false)
		}
		if isUnready(pod) && k.isBroken(a.uid) {
			k.lose(a.uid, errors.New("it does not answer, and its pod is not ready"))
		}
	}
	for uid, cancel := range following {
		if there[uid] {
			continue
		}
		if k.isToEnd(uid, true); k.isBroken(uid) {
			cancel()
			delete(following, uid)
			k.lose(uid, errGone)
			k.mu.Lock()
			delete(k.reports, uid)
			k.mu.Unlock()
		}
	}
}

// unheardLocked is the report of an activator that has told nothing yet. If slices led to it when this process began to lead, there may be requests that nobody has
// told of: it is missing from then on.
func (k *Keeper) unheardLocked(a activator) *report {
	r := &report{activator: a, ports: map[portKey]*serves.State{}}
	if k.inherited[a.uid] {
		r.lost = k.began
	}
	return r
}

// isToEnd takes note that an activator is to end, or that its pod is gone, and has the workloads looked at that lead there.
func (k *Keeper) isToEnd(uid types.UID, gone bool) {
	k.mu.Lock()
	var keys []annotations.Key
	if r := k.reports[uid]; r != nil {
		if r.synced && !r.leaving {
			k.Log.Info("an activator is to end: requests are not led there any more, and what it holds counts", zap.String("activator", r.name))
			keys = k.allLocked()
		}
		r.given = r.given && r.leaving && r.gone == gone // where it is the last one, it stays in the slices only while its pod is there
		r.leaving, r.gone = true, gone
	}
	k.mu.Unlock()
	k.Enqueue(keys...)
}

// isBroken says whether an activator tells nothing at present.
func (k *Keeper) isBroken(uid types.UID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.reports[uid]
	return r == nil || !r.synced || r.broken
}

// breaks takes note that an activator tells nothing for a moment, or more. It returns false if its pod is gone, so that it will not again.
func (k *Keeper) breaks(uid types.UID) (again bool) {
	k.mu.Lock()
	r := k.reports[uid]
	if r != nil {
		r.broken, again = true, !r.gone
	}
	k.mu.Unlock()
	k.ActivatorsChanged() // its pod may be known already not to be ready
	return again
}

// allLocked are all workloads that requests wake, or of which there are slices.
func (k *Keeper) allLocked() []annotations.Key {
	all := maps.Clone(k.of)
	for key := range k.sleepers {
		all[key] = nil
	}
	return slices.Collect(maps.Keys(all))
}

// activatorOf is where a pod is, and where it tells its state.
func (k *Keeper) activatorOf(pod *corev1.Pod) activator {
	a := activator{uid: pod.UID, namespace: pod.Namespace, name: pod.Name, node: pod.Spec.NodeName, zone: pod.Labels[corev1.LabelTopologyZone], port: k.Port}
	for _, ip := range pod.Status.PodIPs {
		a.addresses = append(a.addresses, ip.IP)
	}
	if len(a.addresses) == 0 && pod.Status.PodIP != "" {
		a.addresses = []string{pod.Status.PodIP}
	}
	for i := range pod.Spec.Containers {
		for _, port := range pod.Spec.Containers[i].Ports {
			if port.Name == "state" {
				a.port = port.ContainerPort
			}
		}
	}
	return a
}

// begins takes note that an activator tells everything anew.
func (k *Keeper) begins(uid types.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r := k.reports[uid]; r != nil {
		r.broken = false
		r.begin()
	}
}

// says takes what an activator says, and has those workloads looked at that it is about.
func (k *Keeper) says(uid types.UID, line serves.Line) {
	k.mu.Lock()
	if line.Port != nil {
		line.Port.Told = k.Now()
	}
	r := k.reports[uid]
	var keys map[annotations.Key]bool
	if r != nil {
		was := r.synced
		keys = k.digestLocked(r.take(line))
		if !was && r.synced { // what was not known about each of them is now
			for _, key := range k.allLocked() {
				keys[key] = true
			}
			k.Log.Info("an activator tells its state", zap.String("activator", r.name), zap.Int("ports", len(r.ports)))
		}
	}
	k.mu.Unlock()
	for key := range keys {
		k.Enqueue(key)
	}
}

// digestLocked takes note of changes, and returns which workloads are to be looked at because of them.
func (k *Keeper) digestLocked(changes []change) map[annotations.Key]bool {
	keys := map[annotations.Key]bool{}
	now := k.Now()
	for _, c := range changes {
		known, s := k.ofSliceLocked(c.slice)
		if s == nil {
			continue
		}
		if c.lately && known.face != wake.Active {
			if by := now.Add(-c.age).Sub(known.since); by > 0 {
				k.propagation = k.propagation.After(now, by)
			}
		}
		if s.refused += c.refused; c.listens || c.refused > 0 || c.came && now.Sub(s.came) >= soonAgain {
			keys[known.workload] = true
		}
		if c.came {
			s.came = now
		}
		if c.moved && s.wake.Targeted && !s.unsettled {
			s.unsettled, keys[known.workload] = true, true
		}
	}
	return keys
}

// ofSliceLocked is the Service of a slice and what is known of its workload, which is nil if there is none.
func (k *Keeper) ofSliceLocked(slice types.NamespacedName) (*service, *sleeper) {
	name, _, err := serves.ReadSliceName(slice.Name)
	if err != nil {
		return nil, nil
	}
	known := k.services[types.NamespacedName{Namespace: slice.Namespace, Name: name}]
	if known == nil {
		return nil, nil
	}
	return known, k.sleepers[known.workload]
}

// lose takes an activator out of all slices.
func (k *Keeper) lose(uid types.UID, why error) {
	k.mu.Lock()
	r := k.reports[uid]
	var keys []annotations.Key
	if r != nil && !r.given {
		keys = k.allLocked() // a slice may lead to one that this process has never heard
		r.given = k.Now().Sub(k.began) >= starting
	}
	if r != nil && r.synced {
		k.Log.Warn("an activator is gone: requests are not led there any more, unless there is no other", zap.String("activator", r.name), zap.Error(why))
		*r = report{activator: r.activator, leaving: r.leaving, gone: r.gone, broken: true, given: r.given, ports: map[portKey]*serves.State{}, lost: k.Now()}
	}
	k.mu.Unlock()
	k.Enqueue(keys...)
}

// Requests are those of a workload at all activators. It fails with wake.ErrUnknown, wake.ErrNobody or wake.ErrMissing where not enough is known.
func (k *Keeper) Requests(key annotations.Key) (wake.Requests, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all, _, err := k.requestsLocked(key)
	return all, err
}

// Look is Requests for who decides on the workload, which goes on from there: what has come or gone since is looked at soon.
func (k *Keeper) Look(key annotations.Key) (wake.Requests, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all, next, err := k.requestsLocked(key)
	if s := k.sleepers[key]; s != nil {
		s.load = next
	}
	return all, err
}

// requestsLocked are the requests of a workload, and its load as of a look at them. Where not enough is known, there is no more to be known soon.
func (k *Keeper) requestsLocked(key annotations.Key) (wake.Requests, load, error) {
	var all wake.Requests
	var next load
	s := k.sleepers[key]
	if s != nil {
		next = s.load
		next.unsettled = false
	}
	synced := false
	for _, r := range k.reports {
		synced = synced || r.synced
	}
	now := k.Now()
	switch {
	case !synced && now.Sub(k.began) < starting:
		return all, next, wake.ErrUnknown
	case !synced:
		return all, next, wake.ErrNobody
	case s == nil:
		return all, next, wake.ErrUnknown // it is not known which Services are its own
	}
	counters := map[string]float64{}
	k.statesLocked(s, func(r *report, state *serves.State) {
		all.Held, all.InFlight = all.Held+state.Held, all.InFlight+state.InFlight
		all.Waits.Add(state.Waits)
		all.Firsts.Add(state.Firsts)
		if state.Held > 0 {
			all.Waiting = max(all.Waiting, state.WaitingAt(now))
		}
		if s.wake.Always {
			counters[string(r.uid)+" "+r.start+" "+state.Slice+" "+state.Name] = state.SecondsAt(now)
		}
	})
	all.Active = all.Held+all.InFlight > 0 || !s.came.IsZero() && now.Sub(s.came) < recent
	next = s.after(now, counters, &all)
	if why := k.missingLocked(now); why != nil {
		return all, next, k.partialLocked(s, &all, why)
	}
	next.whole = all.AtATime()
	return all, next, nil
}

// Refused is how many requests of a workload activators have refused since this was asked last.
func (k *Keeper) Refused(key annotations.Key) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.sleepers[key]
	if s == nil {
		return 0
	}
	n := s.refused
	s.refused = 0
	return n
}

// Forget drops what is known of a workload.
func (k *Keeper) Forget(key annotations.Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.sleepers, key)
}

// LedBy are the workloads that requests to a Service wake, as far as they were looked at.
func (k *Keeper) LedBy(service types.NamespacedName) (annotations.Key, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.services[service]; s != nil {
		return s.workload, true
	}
	return annotations.Key{}, false
}

// Sleepers are the workloads that requests wake, as far as they were looked at.
func (k *Keeper) Sleepers() []annotations.Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := make([]annotations.Key, 0, len(k.sleepers))
	for key := range maps.Keys(k.sleepers) {
		keys = append(keys, key)
	}
	return keys
}
