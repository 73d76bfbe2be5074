//go:build linux

package story

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// admissionInterval makes ten attempts per second.
const admissionInterval = 100 * time.Millisecond

// tolerated are the attempts that may go without an answer while the leader dies: a call that is under way when its pod is killed, on a
// connection that is killed with it, or a first one to the pod's address before its EndpointSlice is changed.
const tolerated = 2

// tally counts what became of attempts to create a Deployment. The failurePolicy is Fail: without an answer, good and bad ones fail.
type tally struct {
	refused, admitted int // bad ones refused by the webhook's words and good ones admitted: as it should be
	through           int // bad ones admitted: never allowed
	hindered          int // good ones not admitted
	unanswered        int // bad ones that failed otherwise
	row               int // right ones since the last wrong one
	last              error
}

func (t tally) total() int { return t.refused + t.admitted + t.through + t.hindered + t.unanswered }

func (t tally) String() string {
	return fmt.Sprintf("%d admissions meanwhile: %d bad ones refused, %d bad ones let through, %d good ones admitted; without an answer %d good ones and %d bad ones",
		t.total(), t.refused, t.through, t.admitted, t.hindered, t.unanswered)
}

// err says what is not as it should be.
func (t tally) err() error {
	switch {
	case t.through > 0:
		return fmt.Errorf("%d bad Deployments were admitted", t.through)
	case t.hindered+t.unanswered > tolerated:
		return fmt.Errorf("%d admissions had no answer, which %d at most may have, at last: %w", t.hindered+t.unanswered, tolerated, t.last)
	}
	return nil
}

// admissions is a stream of dry-run creations, good and bad ones in turn.
type admissions struct {
	d         *director
	good, bad *appsv1.Deployment
	cancel    context.CancelFunc
	ended     sync.WaitGroup

	mu    sync.Mutex
	tally tally
}

func (d *director) startAdmissions(ctx context.Context) (*admissions, error) {
	path, err := d.file("unrequested.yaml")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the manifest back: %w", err)
	}
	a := &admissions{d: d, bad: &appsv1.Deployment{}}
	if err := yaml.UnmarshalStrict(text, a.bad); err != nil {
		return nil, fmt.Errorf("read the manifest back: %w", err)
	}
	a.good = a.bad.DeepCopy()
	a.good.Spec.Template.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}
	ctx, a.cancel = context.WithCancel(ctx)
	a.ended.Go(func() { a.run(ctx) })
	return a, nil
}

// stop may be called more than once.
func (a *admissions) stop() {
	a.cancel()
	a.ended.Wait()
}

func (a *admissions) run(ctx context.Context) {
	tick := time.NewTicker(admissionInterval)
	defer tick.Stop()
	for bad := true; ; bad = !bad {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.attempt(ctx, bad)
		}
	}
}

func (a *admissions) attempt(ctx context.Context, bad bool) {
	object := a.good
	if bad {
		object = a.bad
	}
	_, err := a.d.Client.AppsV1().Deployments(shop).Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if ctx.Err() != nil {
		return // it was cut off
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tally.count(bad, err)
}

func (t *tally) count(bad bool, err error) {
	t.row++
	switch {
	case bad && apierrors.IsInvalid(err):
		t.refused++
	case !bad && err == nil:
		t.admitted++
	case bad && err == nil:
		t.through, t.row = t.through+1, 0
	case bad:
		t.unanswered, t.row, t.last = t.unanswered+1, 0, err
	default:
		t.hindered, t.row, t.last = t.hindered+1, 0, err
	}
}

func (a *admissions) now() tally {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tally
}

// sawAtLeast asks whether so many attempts in a row have ended as they should.
func (a *admissions) sawAtLeast(count int) func(context.Context) error {
	return func(context.Context) error {
		if t := a.now(); t.row < count {
			return fmt.Errorf("%d admissions in a row ended as they should, of %d in all; the last error was: %w", t.row, t.total(), errors.Join(t.last))
		}
		return nil
	}
}

// judge waits until all is well again, and holds what happened meanwhile to what may happen.
func (d *director) judge(ctx context.Context, a *admissions) error {
	if err := d.eventually(ctx, "admissions as they should be again", a.sawAtLeast(20)); err != nil {
		return err
	}
	a.stop()
	t := a.now()
	d.say("%s (%d may have none)", t, tolerated)
	if t.last != nil {
		d.say("the last one without an answer was told: %v", t.last)
	}
	return errors.Join(t.err(), d.tellCounters(ctx))
}
