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
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/test/conformance/generate"
	"github.com/mini-hpa/mini-hpa/test/conformance/replay"
)

// Run records one workload: the controller evaluates it in fake time, as often as it says. Every observation is handed to
// the controller as it reads back from its line of the trace.
func Run(t *testing.T, w *generate.Workload) *replay.Recording {
	t.Helper()
	silence()
	r := &replay.Recording{Seed: w.Seed, Object: w.Object.DeepCopyObject(), Workload: w.Read()}
	if err := Validate(Defaulted(w.HPA)); err != nil {
		t.Fatalf("seed %d: generated an HPA that the API server refuses: %v", w.Seed, err)
	}
	synctest.Test(t, func(t *testing.T) {
		if err := run(t.Context(), w, r); err != nil {
			t.Fatalf("seed %d: %v", w.Seed, err)
		}
	})
	return r
}

// silence turns off the logs; the error handlers sleep if called too often, which fake time cannot stand.
var silence = sync.OnceFunc(func() {
	klog.SetLogger(logr.Discard())
	utilruntime.ErrorHandlers = nil //nolint:reassign // a process has one set of them, and no other way to change it
})

func run(ctx context.Context, w *generate.Workload, r *replay.Recording) error {
	ctx, stop := context.WithCancel(klog.NewContext(ctx, logr.Discard()))
	defer func() {
		stop()
		synctest.Wait()
	}()
	hpa := Defaulted(w.HPA)
	c := &cluster{target: w.Kind.GroupResource(), names: questions(hpa.Spec.Metrics), hpas: newInformer(), pods: newInformer()}
	if err := c.hpas.store.Add(hpa); err != nil {
		return err
	}
	start := time.Now()
	controller := newController(ctx, c, w.Period)
	for _, h := range c.hpas.handlers {
		h.OnAdd(hpa, true)
	}
	w.Start(start.Add(-w.Period))
	for tick := range w.Ticks {
		at := start.Add(time.Duration(tick) * w.Period)
		if err := c.show(w, r, at); err != nil {
			return fmt.Errorf("observation %d: %w", tick+1, err)
		}
		if tick == 0 { // a new HPA is evaluated at once
			go controller.Run(ctx, 1)
		}
		if err := c.evaluate(w, r, at); err != nil {
			return fmt.Errorf("evaluation %d: %w", tick+1, err)
		}
	}
	return nil
}

// show lets the controller's clients and caches have one observation, and records it.
func (c *cluster) show(w *generate.Workload, r *replay.Recording, at time.Time) error {
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
func (c *cluster) evaluate(w *generate.Workload, r *replay.Recording, at time.Time) error {
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
	object, _, err := c.hpas.store.GetByKey(generate.Namespace + "/" + generate.Name)
	if err != nil {
		return err
	}
	hpa, ok := object.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return fmt.Errorf("the HPA is a %T", object)
	}
	conditions(&got, hpa)
	r.Outcomes = append(r.Outcomes, got)
	return nil
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
		default: // ScaledToZero is not in the recommender's vocabulary
		}
	}
}
