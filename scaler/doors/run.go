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
}

// noteLocked notes the pairs of a slice.
func (k *Keeper) noteLocked(object *discoveryv1.EndpointSlice) {
	s, err := serves.Read(object)
	if err != nil {
		return
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
				k.sweep(ctx)
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

// follow begins to follow the activators that are new, and ceases to follow those that are gone.
func (k *Keeper) follow(ctx context.Context, following map[types.UID]context.CancelFunc, running *sync.WaitGroup) {
	there := map[types.UID]bool{}
	for _, pod := range k.Cluster.Activators() {
		a := k.activatorOf(pod)
		if len(a.addresses) == 0 || !isThere(pod) {
			continue
		}
		there[a.uid] = true
		if following[a.uid] != nil {
			continue
		}
		f := &follower{activator: a, tls: k.TLS, begins: k.begins, says: k.says, ends: k.lose}
		k.mu.Lock()
		k.reports[a.uid] = &report{activator: a, ports: map[portKey]*serves.State{}}
		k.mu.Unlock()
		lasting, cancel := context.WithCancel(ctx)
		following[a.uid] = cancel
		running.Go(func() { f.run(lasting) })
	}
	for uid, cancel := range following {
		if !there[uid] {
			cancel()
			delete(following, uid)
			k.lose(uid, errors.New("its pod is gone, or is to end"))
			k.mu.Lock()
			delete(k.reports, uid)
			k.mu.Unlock()
		}
	}
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
		r.begin()
	}
}

// says takes what an activator says, and has those workloads looked at that it is about.
func (k *Keeper) says(uid types.UID, line serves.Line) {
	k.mu.Lock()
	r := k.reports[uid]
	var keys map[annotations.Key]bool
	if r != nil {
		was := r.synced
		keys = k.digestLocked(r.take(line))
		if !was && r.synced { // what was not known about each of them is now
			for key := range k.sleepers {
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
		name, _, err := serves.ReadSliceName(c.slice.Name)
		if err != nil {
			continue
		}
		known := k.services[types.NamespacedName{Namespace: c.slice.Namespace, Name: name}]
		if known == nil {
			continue
		}
		s := k.sleepers[known.workload]
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
	}
	return keys
}

// lose takes an activator out of all slices.
func (k *Keeper) lose(uid types.UID, why error) {
	k.mu.Lock()
	r := k.reports[uid]
	var keys map[annotations.Key]bool
	if r != nil && r.synced {
		k.Log.Warn("an activator is gone: requests are not led there any more", zap.String("activator", r.name), zap.Error(why))
		keys = map[annotations.Key]bool{}
		for key := range k.sleepers {
			keys[key] = true
		}
		*r = report{activator: r.activator, ports: map[portKey]*serves.State{}}
	}
	k.mu.Unlock()
	for key := range keys {
		k.Enqueue(key)
	}
}

// Requests are those of a workload at all activators. It fails with wake.ErrUnknown or wake.ErrNobody where nothing is known.
func (k *Keeper) Requests(key annotations.Key) (wake.Requests, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all wake.Requests
	synced := false
	for _, r := range k.reports {
		synced = synced || r.synced
	}
	now := k.Now()
	switch {
	case !synced && now.Sub(k.began) < starting:
		return all, wake.ErrUnknown
	case !synced:
		return all, wake.ErrNobody
	}
	s := k.sleepers[key]
	if s == nil {
		return all, wake.ErrUnknown // it is not known which Services are its own
	}
	for _, state := range k.statesLocked(s) {
		all.Held, all.InFlight = all.Held+state.Held, all.InFlight+state.InFlight
		all.Waits.Add(state.Waits)
	}
	all.Active = all.Held+all.InFlight > 0 || !s.came.IsZero() && now.Sub(s.came) < recent
	return all, nil
}

// statesLocked are what all activators say of the ports of a workload's Services.
func (k *Keeper) statesLocked(s *sleeper) []*serves.State {
	var all []*serves.State
	for _, name := range s.services {
		known := k.services[name]
		if known == nil {
			continue
		}
		for family, st := range known.stored {
			slice := types.NamespacedName{Namespace: name.Namespace, Name: serves.SliceName(name.Name, family)}
			for _, port := range st.says.Ports {
				for _, r := range k.reports {
					if state := r.ports[portKey{slice, port.Name}]; state != nil {
						all = append(all, state)
					}
				}
			}
		}
	}
	return all
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

// Forget drops what is known of a workload that is scaled no more. Its slices are taken away in a while.
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
