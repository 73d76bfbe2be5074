package doors

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// part takes away the slices of a Service that is none of the workload's any more, or cannot be. As long as somebody has to be there for whoever comes, they lead
// to the activators that there are.
func (k *Keeper) part(ctx context.Context, p *plan, at int) error {
	about, pl := &p.view.Services[at], &p.services[at]
	face, after := p.waits.Face(&p.view, about)
	p.next = sooner(p.next, after)
	for _, s := range pl.leaving {
		var rest time.Duration
		var err error
		if face == wake.Active && s.says.Face == wake.Active {
			err = k.hold(ctx, s, pl)
		} else {
			rest, err = k.release(ctx, s)
		}
		if err != nil {
			return err
		}
		p.next = sooner(p.next, rest)
	}
	about.Face = face
	return nil
}

// hold has a slice that is to go lead to the activators that there are, and tells them of the pods if nothing else does.
func (k *Keeper) hold(ctx context.Context, s *written, pl *planned) error {
	want := s.says
	want.Activators = pl.activators[s.says.Family]
	if told := pl.backends[s.says.Family]; told != nil && want.Backends != nil {
		want.Backends = withPorts(told, &s.says)
	}
	object := want.Object()
	if sameSlice(object, s.object) {
		return nil
	}
	_, err := k.put(ctx, &stored{object: s.object}, object)
	return err
}

// withPorts are these pods with the ports that a slice has. The numbers of those that the Service, or the template of the pods, does not have any more are as the slice
// says of the pod, or else of another one; what nobody knows is left out.
func withPorts(told []serves.Backends, says *serves.Slice) []serves.Backends {
	was, known := toldPorts(says), map[string]int32{}
	for _, b := range says.Backends {
		for name, number := range b.Ports {
			known[name] = cmp.Or(known[name], number)
		}
	}
	made := []serves.Backends{}
	for _, b := range told {
		for _, address := range b.Addresses {
			ports := map[string]int32{}
			for _, port := range says.Ports {
				if number := cmp.Or(b.Ports[port.Name], was[address][port.Name], known[port.Name]); number != 0 {
					ports[port.Name] = number
				}
			}
			if len(ports) > 0 {
				made = with(made, address, ports)
			}
		}
	}
	return made
}

// release takes a slice away: first it leads nobody anywhere, and when every node knows that, it is deleted. It returns when to go on; 0 if it is gone.
func (k *Keeper) release(ctx context.Context, s *written) (time.Duration, error) {
	name, now := s.name(), k.Now()
	k.mu.Lock()
	since, isLeaving := k.leaving[name]
	wait := k.waitsLocked(now).BeforeOut
	k.mu.Unlock()
	if len(s.object.Endpoints) > 0 || s.says.Face == wake.Active {
		if isLeaving && now.Sub(since) < time.Second {
			return time.Second, nil // the watch is on its way
		}
		out := s.says
		out.Face, out.Since, out.Activators = wake.Out, time.Time{}, nil
		if _, err := k.put(ctx, &stored{object: s.object}, out.Object()); err != nil && !apierrors.IsNotFound(err) {
			return 0, err
		}
		k.leave(name, k.Now())
		return wait, nil
	}
	if !isLeaving {
		k.leave(name, now)
		return wait, nil
	}
	if rest := since.Add(wait).Sub(now); rest > 0 {
		return rest, nil
	}
	err := k.Slices.EndpointSlices(name.Namespace).Delete(ctx, name.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &s.object.UID, ResourceVersion: &s.object.ResourceVersion}})
	if err != nil && !apierrors.IsNotFound(err) {
		return 0, fmt.Errorf("deleting EndpointSlice %s: %w", name.Name, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.leaving, name)
	delete(k.missing, name)
	return 0, nil
}

func (k *Keeper) leave(name types.NamespacedName, since time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.leaving[name] = since
}

// sweep looks at all slices: what is known of those that are gone is forgotten, and the workloads of those that nobody leads are looked at.
func (k *Keeper) sweep() {
	all := k.Cluster.OwnSlices()
	for _, object := range all {
		k.wonder(types.NamespacedName{Namespace: object.Namespace, Name: object.Name}, k.read(object).err)
	}
	k.mu.Lock()
	k.indexLocked(all)
	k.tidyLocked()
	var unled []annotations.Key
	for key, names := range k.of {
		s := k.sleepers[key]
		isLed := func(name types.NamespacedName) bool { return s != nil && s.slices[name] }
		if slices.ContainsFunc(names, func(name types.NamespacedName) bool { return !isLed(name) }) {
			unled = append(unled, key)
		}
	}
	k.mu.Unlock()
	if len(unled) > 0 {
		k.Enqueue(unled...)
	}
}

// indexLocked notes for each workload which slices say that they are its own, and forgets slices that are gone.
func (k *Keeper) indexLocked(all []*discoveryv1.EndpointSlice) {
	of, there := map[annotations.Key][]types.NamespacedName{}, map[types.NamespacedName]bool{}
	for _, object := range all {
		name := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
		there[name] = true
		if read := k.readLocked(object); read.err == nil {
			of[workloadOf(&read.says)] = append(of[workloadOf(&read.says)], name)
		}
	}
	k.of = of
	isGone := func(name types.NamespacedName) bool { return !there[name] }
	maps.DeleteFunc(k.readings, func(name types.NamespacedName, _ *reading) bool { return isGone(name) })
	maps.DeleteFunc(k.leaving, func(name types.NamespacedName, _ time.Time) bool { return isGone(name) })
	maps.DeleteFunc(k.missing, func(name types.NamespacedName, _ time.Time) bool { return isGone(name) })
	maps.DeleteFunc(k.strange, func(name types.NamespacedName, _ string) bool { return isGone(name) })
}

// tidyLocked forgets the Services that have no slice, and are gone or wake nobody any more. Their pairs are given back.
func (k *Keeper) tidyLocked() {
	led := map[types.NamespacedName]bool{}
	for _, s := range k.sleepers {
		for _, name := range s.services {
			led[name] = true
		}
	}
	for name := range k.services {
		hasSlice := func(family discoveryv1.AddressType) bool {
			return k.readings[types.NamespacedName{Namespace: name.Namespace, Name: serves.SliceName(name.Name, family)}] != nil
		}
		if !hasSlice(discoveryv1.AddressTypeIPv4) && !hasSlice(discoveryv1.AddressTypeIPv6) && (!led[name] || k.Cluster.Service(name) == nil) {
			k.pairs.dropAll(name, k.Now())
			delete(k.services, name)
		}
	}
}

// missingFor is for how much longer the workload of a slice must be gone before the slice is taken away: it may be made anew.
func (k *Keeper) missingFor(name types.NamespacedName) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.missing[name].IsZero() {
		k.missing[name] = k.Now()
	}
	return max(k.missing[name].Add(k.Propagation).Sub(k.Now()), 0)
}

// wonder tells once of a slice that has mini-hpa's label and cannot be its own. It is left alone, unless it has the name of one that is to be written.
func (k *Keeper) wonder(name types.NamespacedName, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if k.strange[name] == text {
		return
	}
	if k.strange[name] = text; err == nil {
		delete(k.strange, name)
		return
	}
	k.Log.Warn("somebody has made or changed an EndpointSlice whose label says that mini-hpa manages it", zap.Stringer("slice", name), zap.Error(err))
}
