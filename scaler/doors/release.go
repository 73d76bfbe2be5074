package doors

import (
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

// releaseOthers takes away the slices that say that they are of a workload, and are of none of its Services any more.
func (k *Keeper) releaseOthers(ctx context.Context, key annotations.Key, p *plan) error {
	k.mu.Lock()
	names := k.of[key]
	k.mu.Unlock()
	for _, name := range names {
		object := k.Cluster.OwnSlice(name)
		if object == nil {
			continue
		}
		read := k.read(object)
		if read.err != nil || workloadOf(&read.says) != key || slices.ContainsFunc(p.services, func(pl planned) bool { return pl.known != nil && pl.name.Name == read.says.Service }) {
			continue
		}
		next, err := k.release(ctx, object, &read.says)
		if err != nil {
			return err
		}
		p.next = sooner(p.next, next)
	}
	return nil
}

// release takes a slice away: first it leads nobody anywhere, and when every node knows that, it is deleted. It returns when to go on; 0 if it is gone.
func (k *Keeper) release(ctx context.Context, object *discoveryv1.EndpointSlice, says *serves.Slice) (time.Duration, error) {
	name, now := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}, k.Now()
	k.mu.Lock()
	since, isLeaving := k.leaving[name]
	wait := k.waitsLocked(now).BeforeOut
	k.mu.Unlock()
	if len(object.Endpoints) > 0 || says.Face == wake.Active {
		if isLeaving && now.Sub(since) < time.Second {
			return time.Second, nil // the watch is on its way
		}
		out := *says
		out.Face, out.Since, out.Activators = wake.Out, time.Time{}, nil
		if _, err := k.put(ctx, &stored{object: object}, out.Object()); err != nil && !apierrors.IsNotFound(err) {
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
	err := k.Slices.EndpointSlices(object.Namespace).Delete(ctx, object.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &object.UID, ResourceVersion: &object.ResourceVersion}})
	if err != nil && !apierrors.IsNotFound(err) {
		return 0, fmt.Errorf("deleting EndpointSlice %s: %w", object.Name, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.leaving, name)
	delete(k.missing, name)
	service := types.NamespacedName{Namespace: says.Namespace, Name: says.Service}
	k.pairs.dropAll(service, now)
	delete(k.services, service)
	return 0, nil
}

func (k *Keeper) leave(name types.NamespacedName, since time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.leaving[name] = since
}

// sweep takes away the slices whose workload is gone, or is woken by requests no more. A kind of workload may be listed later than others, so it has to have
// been gone for a while.
func (k *Keeper) sweep(ctx context.Context) {
	all := k.Cluster.OwnSlices()
	k.index(all)
	for _, object := range all {
		if ctx.Err() != nil {
			return
		}
		name, read := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}, k.read(object)
		k.wonder(name, read.err)
		if read.err != nil {
			continue
		}
		if w := k.Workloads.Workload(workloadOf(&read.says)); w != nil && !w.Deleting && w.Annotations[annotations.WakeKey] != "" {
			k.mu.Lock()
			delete(k.missing, name)
			k.mu.Unlock()
			continue
		}
		if !k.isMissing(name) {
			continue
		}
		if _, err := k.release(ctx, object, &read.says); err != nil && !apierrors.IsConflict(err) {
			k.Log.Warn("cannot take away an EndpointSlice whose workload is gone, or is not woken by requests", zap.Stringer("slice", name), zap.Error(err))
		}
	}
}

// index notes which slices say that they are of which workload, and forgets what is known of those that are gone.
func (k *Keeper) index(all []*discoveryv1.EndpointSlice) {
	of, there := map[annotations.Key][]types.NamespacedName{}, map[types.NamespacedName]bool{}
	for _, object := range all {
		name := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
		there[name] = true
		if read := k.read(object); read.err == nil {
			of[workloadOf(&read.says)] = append(of[workloadOf(&read.says)], name)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.of = of
	isGone := func(name types.NamespacedName) bool { return !there[name] }
	maps.DeleteFunc(k.readings, func(name types.NamespacedName, _ *reading) bool { return isGone(name) })
	maps.DeleteFunc(k.leaving, func(name types.NamespacedName, _ time.Time) bool { return isGone(name) })
	maps.DeleteFunc(k.missing, func(name types.NamespacedName, _ time.Time) bool { return isGone(name) })
	maps.DeleteFunc(k.strange, func(name types.NamespacedName, _ string) bool { return isGone(name) })
}

// isMissing says whether the workload of a slice has been gone for long enough.
func (k *Keeper) isMissing(name types.NamespacedName) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	since, known := k.missing[name]
	if !known {
		k.missing[name] = k.Now()
		return false
	}
	return k.Now().Sub(since) >= k.Propagation
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
