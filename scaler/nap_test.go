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

// unsignedSleep is a workload that mini-hpa has put to sleep, and nobody is on record for that, as where a role refuses patches.
func unsignedSleep(t *testing.T) *cluster {
	c := newWorker(t)
	c.waits(empty).wantWrites(0)
	c.deployment.ManagedFields, c.conditions = nil, nil
	return c.wantEvents("Normal SuccessfulRescale New size: 0; reason: no external or object metric is above 0: there is nothing to do")
}

func TestAnUnsignedSleepIsSigned(t *testing.T) {
	c := unsignedSleep(t)
	c.waits(empty).wantWrites(0, 0)
	c.anew().waits(empty).wantWrites(0, 0).waits(some).wantWrites(0, 0, 3)
}

const unsignedFor = "; a controller that starts anew would take the 0 replicas for a pause, and not wake it"

// TestASleepThatCannotBeSigned is told once, and tried again less and less often, as while a webhook is down. When it can be, it is.
func TestASleepThatCannotBeSigned(t *testing.T) {
	c := unsignedSleep(t)
	c.scaleErr = apierrors.NewInternalError(errors.New("failed calling webhook"))
	c.goesOn(empty, 2*time.Hour)
	c.wantEvents(`Warning FailedRescale it sleeps, and that could not be put on record: error: "Internal error occurred: failed calling webhook"` + unsignedFor)
	if n := len(c.conditions); n != 17 || c.lastFailure != nil {
		t.Errorf("tried %d times in two hours, last with %v", n, c.lastFailure)
	}
	c.scaleErr = nil
	c.goesOn(empty, 11*time.Minute).wantWrites(0, 0).wantEvents()
	c.goesOn(empty, time.Hour).wantWrites(0, 0)
	if n := len(c.conditions); n != 18 {
		t.Errorf("tried %d times", n)
	}
	c.deployment.ManagedFields = nil
	c.waits(empty) // somebody has scaled it out and back
	c.waits(some).wantWrites(0, 0)
}

// TestASleepThatMayNotBeSigned is told once, and not tried again.
func TestASleepThatMayNotBeSigned(t *testing.T) {
	c := unsignedSleep(t)
	c.scaleErr = apierrors.NewForbidden(deployments, "web", errors.New("no"))
	c.goesOn(empty, time.Hour)
	c.wantEvents(`Warning FailedRescale it sleeps, and that could not be put on record: error: "deployments.apps \"web\" is forbidden: no"` + unsignedFor)
	if n := len(c.conditions); n != 1 {
		t.Errorf("tried %d times", n)
	}
	c.scaleErr = nil
	c.waits(some).wantWrites(0, 3)
}

// TestASleepIsSignedWhileOthersWrite: a conflict is tried again soon, on the live object, and told only when it goes on.
func TestASleepIsSignedWhileOthersWrite(t *testing.T) {
	c := unsignedSleep(t)
	c.scaleErr = apierrors.NewConflict(deployments, "web", errors.New("changed"))
	if c.waits(empty); !apierrors.IsConflict(c.lastFailure) || c.lives > 0 {
		t.Errorf("%v, read live %d times", c.lastFailure, c.lives)
	}
	if c.waits(empty).wantEvents(); !apierrors.IsConflict(c.lastFailure) || c.lives != 1 {
		t.Errorf("%v, read live %d times", c.lastFailure, c.lives)
	}
	c.waits(empty).wantEvents(`Warning FailedRescale it sleeps, and that could not be put on record: error: "turned away 3 times in 30s: Operation cannot be fulfilled on deployments.apps \"web\": changed"` + unsignedFor)
	c.scaleErr = nil
	c.waits(empty).wantWrites(0, 0).waits(empty)
	if c.lives != 3 || c.lastFailure != nil {
		t.Errorf("%v, read live %d times", c.lastFailure, c.lives)
	}
	c.waits(some).wantWrites(0, 0, 3)
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
