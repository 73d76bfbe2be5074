package scaler

import (
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

// hpa says that an HPA scales the workload, or that none does.
func (c *cluster) hpa(is bool) *cluster {
	c.surroundings = annotations.Surroundings{}
	if is {
		c.surroundings.Autoscalers = []annotations.Autoscaler{{Kind: annotations.KindHPA, Name: "web"}}
	}
	return c
}

// TestWhatIsPausedStaysSoBesideAnHPA, which never sets 0 where min is above it, and cannot have set a 0 from before it came.
func TestWhatIsPausedStaysSoBesideAnHPA(t *testing.T) {
	for name, pairs := range map[string][]string{"min 1": {"min=1"}, "min 0": nil} {
		c := newWorker(t, pairs...)
		c.waits(some).wantWrites(3)
		c.overwrite("kubectl", "scale", 0)
		c.waits(some).hpa(true).waits(some).hpa(false)
		if c.goesOn(some, time.Minute); len(c.writes) != 1 {
			t.Errorf("%s: written %v, want nothing after the pause", name, c.writes)
		}
	}
}

// TestASleepThatWasObservedGoesOn: with mode observe the HPA is no problem, and its 0 is a sleep all the same.
func TestASleepThatWasObservedGoesOn(t *testing.T) {
	c := newWorker(t, "mode=observe").hpa(true).waits(some)
	c.overwrite("kube-controller-manager", "scale", 0)
	c.waits(empty).hpa(false).waits(empty).wantWrites()
	delete(c.deployment.Annotations, annotations.ModeKey)
	c.waits(some).wantWrites(3)
}

// TestNothingIsPatchedToSleepOrToWake, while others write so often that updates conflict: nobody would be on record for the 0, and a Scale omits a 0
// that a patch tests for.
func TestNothingIsPatchedToSleepOrToWake(t *testing.T) {
	c := newWorker(t)
	c.scaleErr = apierrors.NewConflict(deployments, "web", errors.New("changed"))
	c.waits(empty).waits(empty).waits(empty)
	c.scaleErr = nil
	c.waits(empty).wantWrites(0)
	c.scaleErr = apierrors.NewConflict(deployments, "web", errors.New("changed"))
	c.waits(some).waits(some).waits(some)
	c.scaleErr = nil
	c.waits(some).wantWrites(0, 3)
	for i, version := range c.conditions {
		if version == "" {
			t.Errorf("write %d of %q is a patch", i, c.conditions)
		}
	}
}
