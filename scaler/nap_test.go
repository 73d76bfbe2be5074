package scaler

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// anew is a controller that remembers nothing.
func (c *cluster) anew() *cluster {
	c.scaler.Forget()
	return c
}

func TestASleepIsSigned(t *testing.T) {
	newWorker(t).waits(empty).wantWrites(0).anew().waits(empty).wantWrites(0).waits(some).wantWrites(0, 3)
}

// TestAScaleOutAndBackIsAPause: both happened between two looks. The sleep was signed, and 0 no longer is.
func TestAScaleOutAndBackIsAPause(t *testing.T) {
	c := newWorker(t)
	c.waits(empty).waits(empty).wantWrites(0)
	c.overwrite("kubectl", "scale", 3)
	c.overwrite("kubectl", "scale", 0)
	c.goesOn(some, time.Minute).wantWrites(0)
}

// TestAnUnsignedSleepIsSigned: it came about by a patch, because others write so often that updates conflict.
func TestAnUnsignedSleepIsSigned(t *testing.T) {
	c := newWorker(t)
	c.waits(empty).wantWrites(0)
	c.deployment.ManagedFields = nil
	c.waits(empty).wantWrites(0, 0)
	c.anew().waits(empty).wantWrites(0, 0).waits(some).wantWrites(0, 0, 3)
}

// TestAnAutoscalerBeforeHasPutItToSleep: nobody has signed that 0, but it was there while the other one scaled the workload.
func TestAnAutoscalerBeforeHasPutItToSleep(t *testing.T) {
	c := newWorker(t)
	c.surroundings = annotations.Surroundings{Autoscalers: []annotations.Autoscaler{{Kind: annotations.KindHPA, Name: "web"}}}
	c.waits(some)
	c.overwrite("kube-controller-manager", "scale", 0)
	c.waits(some).wantWrites()
	c.surroundings = annotations.Surroundings{}
	c.waits(empty).wantWrites(0) // which signs it
	c.anew().waits(some).wantWrites(0, 3)
}

func TestWhoHasPaused(t *testing.T) {
	sleeper, awake := annotations.Policy{Max: 10}, annotations.Policy{Min: 1, Max: 10}
	train := annotations.Key{Kind: schema.GroupKind{Group: "example.com", Kind: "Train"}, Namespace: "default", Name: "ice"}
	for name, test := range map[string]struct {
		w                    annotations.Workload
		sleeps, never, asHPA string
	}{
		"replicas":             {w: annotations.Workload{Key: web, Replicas: 1, SetBy: "kubectl"}},
		"mini-hpa":             {w: annotations.Workload{Key: web, ScaledByUs: true, ScaledBy: "mini-hpa", SetBy: "mini-hpa"}},
		"a manifest":           {annotations.Workload{Key: web, SetBy: "helm"}, "", "helm", "helm"},
		"an applied scale":     {annotations.Workload{Key: web, ScaledBy: "x", SetBy: "x"}, "x", "x", "x"},
		"a scale":              {annotations.Workload{Key: web}, recommend.Somebody, recommend.Somebody, recommend.Somebody},
		"a custom one's scale": {annotations.Workload{Key: train}, "", recommend.Somebody, recommend.Somebody},
	} {
		compat := Observer{Rules: recommend.Rules{Compat: true}}
		got := [...]string{(&Observer{}).pausedBy(&test.w, &sleeper), (&Observer{}).pausedBy(&test.w, &awake), compat.pausedBy(&test.w, &sleeper)}
		if want := [...]string{test.sleeps, test.never, test.asHPA}; got != want {
			t.Errorf("%s: paused by %q, want %q (min 0, min 1, as the HPA)", name, got, want)
		}
	}
}
