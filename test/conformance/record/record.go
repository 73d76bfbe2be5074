package record

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/test/conformance/generate"
	"github.com/mini-hpa/mini-hpa/test/conformance/replay"
)

// world is the cluster that a workload lives in.
type world interface {
	Start(now time.Time)
	Observe(now time.Time) recommend.Snapshot
	// Scale is the scale subresource, and Min the least number of replicas, at the last observation.
	Scale() *autoscalingv1.Scale
	Min() int32
	// Written is what the controller wrote after it.
	Written(replicas int32)
}

// life is all that there is to record of one workload: the world it lives in, its HPA with defaults filled in, what that scales, and how
// often it is evaluated.
type life struct {
	world
	hpa    *autoscalingv2.HorizontalPodAutoscaler
	target schema.GroupResource
	period time.Duration
	ticks  int
}

// Run records one workload: the controller evaluates it in fake time, as often as it says. Every observation is handed to
// the controller as it reads back from its line of the trace.
func Run(t *testing.T, w *generate.Workload) *replay.Recording {
	t.Helper()
	r := &replay.Recording{Seed: w.Seed, Object: w.Object.DeepCopyObject(), Workload: w.Read()}
	l := &life{world: w, hpa: Defaulted(w.HPA), target: w.Kind.GroupResource(), period: w.Period, ticks: w.Ticks}
	l.record(t, r)
	return r
}

func (l *life) record(t *testing.T, r *replay.Recording) {
	t.Helper()
	silence()
	if err := Validate(l.hpa); err != nil {
		t.Fatalf("seed %d: generated an HPA that the API server refuses: %v", r.Seed, err)
	}
	synctest.Test(t, func(t *testing.T) {
		if err := l.run(t.Context(), r); err != nil {
			t.Fatalf("seed %d: %v", r.Seed, err)
		}
	})
	r.LeaveOutStale()
}

// silence turns off the logs; the error handlers sleep if called too often, which fake time cannot stand.
var silence = sync.OnceFunc(func() {
	klog.SetLogger(logr.Discard())
	utilruntime.ErrorHandlers = nil //nolint:reassign // a process has one set of them, and no other way to change it
})

func (l *life) run(ctx context.Context, r *replay.Recording) error {
	ctx, stop := context.WithCancel(klog.NewContext(ctx, logr.Discard()))
	defer func() {
		stop()
		synctest.Wait()
	}()
	c := &cluster{target: l.target, names: questions(l.hpa.Spec.Metrics), hpas: newInformer(), pods: newInformer()}
	if err := c.hpas.store.Add(l.hpa); err != nil {
		return err
	}
	start := time.Now()
	controller := newController(ctx, c, l.period)
	for _, h := range c.hpas.handlers {
		h.OnAdd(l.hpa, true)
	}
	l.Start(start.Add(-l.period))
	for tick := range l.ticks {
		at := start.Add(time.Duration(tick) * l.period)
		if err := c.show(l, r, at); err != nil {
			return fmt.Errorf("observation %d: %w", tick+1, err)
		}
		if tick == 0 { // a new HPA is evaluated at once
			go controller.Run(ctx, 1)
		}
		if err := c.evaluate(l, r, at); err != nil {
			return fmt.Errorf("evaluation %d: %w", tick+1, err)
		}
	}
	return nil
}

// show lets the controller's clients and caches have one observation, and records it.
func (c *cluster) show(w world, r *replay.Recording, at time.Time) error {
	line, err := json.Marshal(w.Observe(at))
	if err != nil {
		return err
	}
	c.seen, c.scale, c.gets, c.written = recommend.Snapshot{}, w.Scale(), 0, nil
	if err := json.Unmarshal(line, &c.seen); err != nil {
		return err
	}
	if err := agree(r.Workload, &c.seen, c.scale); err != nil {
		return err
	}
	if err := c.edit(w.Min()); err != nil {
		return err
	}
	var api struct {
		Pods []*corev1.Pod `json:"pods"`
	}
	if err := json.Unmarshal(line, &api); err != nil {
		return err
	}
	var objects []any
	for _, p := range api.Pods {
		p.Labels = r.Workload.Selector.MatchLabels // no decision of ours depends on them, so they are not in a trace
		objects = append(objects, p)
	}
	r.Lines, r.Snapshots = append(r.Lines, line), append(r.Snapshots, c.seen)
	return c.pods.store.Replace(objects, "")
}

// evaluate waits for the controller's next evaluation, and records what it made of the observation.
func (c *cluster) evaluate(w world, r *replay.Recording, at time.Time) error {
	time.Sleep(time.Until(at.Add(time.Millisecond))) //nolint:forbidigo // fake time
	synctest.Wait()
	if c.gets != 1 || !c.asked.Equal(at) {
		return fmt.Errorf("the controller evaluated %d times, last at %s; want once at %s", c.gets, c.asked, at)
	}
	got := replay.Outcome{Time: at, Current: c.scale.Spec.Replicas, Desired: c.scale.Spec.Replicas}
	if c.written != nil {
		got.Desired = *c.written
		w.Written(got.Desired)
	}
	hpa, err := c.hpa()
	if err != nil {
		return err
	}
	got.Min = *hpa.Spec.MinReplicas
	conditions(&got, hpa)
	r.Outcomes = append(r.Outcomes, got)
	return nil
}

// edit is somebody who sets the least number of replicas in the HPA.
func (c *cluster) edit(least int32) error {
	hpa, err := c.hpa()
	if err != nil || *hpa.Spec.MinReplicas == least {
		return err
	}
	hpa = hpa.DeepCopy()
	hpa.Spec.MinReplicas = &least
	hpa.Generation++
	if err := Validate(hpa); err != nil {
		return fmt.Errorf("the API server refuses the edited HPA: %w", err)
	}
	return c.hpas.store.Update(hpa)
}

// hpa is the HPA as it is in the controller's cache.
func (c *cluster) hpa() (*autoscalingv2.HorizontalPodAutoscaler, error) {
	object, _, err := c.hpas.store.GetByKey(generate.Namespace + "/" + generate.Name)
	if err != nil {
		return nil, err
	}
	hpa, ok := object.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return nil, fmt.Errorf("the HPA is a %T", object)
	}
	return hpa, nil
}

// agree says whether mini-hpa has read in the object what its scale subresource has. Few decisions depend on all of it.
func agree(w *annotations.Workload, seen *recommend.Snapshot, scale *autoscalingv1.Scale) error {
	read := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: seen.Replicas},
		Status: autoscalingv1.ScaleStatus{Replicas: seen.StatusReplicas, Selector: metav1.FormatLabelSelector(w.Selector)}}
	if read.Spec != scale.Spec || read.Status != scale.Status {
		return fmt.Errorf("mini-hpa reads %+v, %+v in the %s, and its scale subresource has %+v, %+v", read.Spec, read.Status, w.Kind.Kind, scale.Spec, scale.Status)
	}
	return nil
}

func conditions(got *replay.Outcome, hpa *autoscalingv2.HorizontalPodAutoscaler) {
	for _, condition := range hpa.Status.Conditions {
		switch condition.Type {
		case autoscalingv2.ScalingActive:
			got.Active = condition.Reason
		case autoscalingv2.AbleToScale:
			got.Able = condition.Reason
		case autoscalingv2.ScalingLimited:
			got.Limited = condition.Reason
		case autoscalingv2.ScaledToZero:
			got.ScaledToZero = string(condition.Status)
		}
	}
}
