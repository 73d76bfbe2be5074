package informer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
)

var webKey = annotations.DeploymentKey("shop", "web")

// looksAt runs one term over one workload for the given time, and returns when it was looked at, counted from the
// beginning of the term. During the term it is enqueued at the given moments.
func looksAt(t *testing.T, lasts time.Duration, enqueued []time.Duration, verdict func(nth int) (time.Duration, error)) []time.Duration {
	t.Helper()
	c := newCluster(t, deployment("web"))
	c.start()
	began := time.Now()
	var looks []time.Duration
	end := c.lead(1, func(context.Context, annotations.Key) (time.Duration, error) {
		looks = append(looks, time.Since(began))
		return verdict(len(looks))
	})
	for _, moment := range enqueued {
		time.Sleep(moment - time.Since(began))
		c.set.Enqueue(webKey)
		synctest.Wait()
	}
	time.Sleep(lasts - time.Since(began))
	end()
	return looks
}

// every is a series of moments: n of them, the first after one period.
func every(period time.Duration, n int) []time.Duration {
	var moments []time.Duration
	for i := range n {
		moments = append(moments, time.Duration(i+1)*period)
	}
	return moments
}

func seconds(s ...float64) []time.Duration {
	var d []time.Duration
	for _, x := range s {
		d = append(d, time.Duration(x*float64(time.Second)))
	}
	return d
}

func TestWhenAWorkloadIsLookedAtAgain(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Group: "apps", Resource: "deployments"}, "web", errors.New("modified"))
	always := func(next time.Duration, err error) func(int) (time.Duration, error) {
		return func(int) (time.Duration, error) { return next, err }
	}
	cases := map[string]struct {
		enqueued []time.Duration
		verdict  func(nth int) (time.Duration, error)
		want     []time.Duration
	}{
		"never, if it does not ask":      {nil, always(0, nil), seconds(0)},
		"never, if it asks for the past": {nil, always(-time.Minute, nil), seconds(0)},
		"when it asked":                  {nil, always(20*time.Second, nil), seconds(0, 20, 40, 60, 80, 100, 120)},
		"when something happens":         {seconds(3, 4, 50), always(0, nil), seconds(0, 3, 4, 50)},
		"a later moment replaces an earlier": {seconds(10), func(nth int) (time.Duration, error) {
			return []time.Duration{15 * time.Second, time.Minute, 0}[nth-1], nil
		}, seconds(0, 10, 70)},
		"an earlier moment replaces a later": {seconds(10), func(nth int) (time.Duration, error) {
			return []time.Duration{time.Minute, 15 * time.Second, 0}[nth-1], nil
		}, seconds(0, 10, 25)},
		"asking for nothing drops the moment": {seconds(10), func(nth int) (time.Duration, error) { return []time.Duration{time.Minute, 0}[nth-1], nil }, seconds(0, 10)},
		// Each look because of a sample asks for the end of a window a minute later. None of those moments may pile up.
		"samples every 15 s, each asking for a moment": {every(15*time.Second, 4), always(time.Minute, nil), seconds(0, 15, 30, 45, 60, 120)},
		"a failure, with growing pauses": {nil, always(0, errDown),
			seconds(0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 12.7, 25.5, 40.5, 55.5, 70.5, 85.5, 100.5, 115.5)},
		"a conflict, too": {nil, func(nth int) (time.Duration, error) {
			if nth < 3 {
				return 0, conflict
			}
			return 0, nil
		}, seconds(0, 0.1, 0.3)},
		"when the API server asks to, after a failure": {nil, func(nth int) (time.Duration, error) {
			if nth == 1 {
				return 0, apierrors.NewTooManyRequests("come again", 7)
			}
			return 0, nil
		}, seconds(0, 7)},
		"sooner than the API server asks to": {nil, always(0, fmt.Errorf("scaling: %w", apierrors.NewTooManyRequests("come again", 3600))),
			seconds(0, 15, 30, 45, 60, 75, 90, 105, 120)},
		"the moment of a failed look does not count": {nil, func(nth int) (time.Duration, error) {
			if nth == 1 {
				return time.Minute, errDown
			}
			return 0, nil
		}, seconds(0, 0.1)},
		"a success ends the growth": {seconds(10), func(nth int) (time.Duration, error) {
			if nth == 3 {
				return 0, nil
			}
			return 0, errDown
		}, seconds(0, 0.1, 0.3, 10, 10.1, 10.3, 10.7, 11.5, 13.1, 16.3, 22.7, 35.5, 50.5, 65.5, 80.5, 95.5, 110.5)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				check(t, "looks", looksAt(t, 2*time.Minute+time.Millisecond, c.enqueued, c.verdict), c.want)
			})
		})
	}
}

// TestConflictsThatGoOn: if others write often, waiting longer does not avoid conflicts.
func TestConflictsThatGoOn(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Group: "apps", Resource: "deployments"}, "web", errors.New("modified"))
	synctest.Test(t, func(t *testing.T) {
		looks := looksAt(t, 2*time.Minute, nil, func(int) (time.Duration, error) { return 0, conflict })
		check(t, "first looks", looks[:4], seconds(0, 0.1, 0.3, 0.7))
		pauses := map[time.Duration]bool{}
		for i := 4; i < len(looks); i++ {
			pause := looks[i] - looks[i-1]
			if pauses[pause] = true; pause < 700*time.Millisecond || pause > 1300*time.Millisecond {
				t.Errorf("%s between two conflicts, want about a second", pause)
			}
		}
		if len(looks) < 100 || len(pauses) < 20 {
			t.Errorf("%d looks in two minutes after %d different pauses, want about one a second, with jitter", len(looks), len(pauses))
		}
	})
}

func TestFailuresAreReportedOnceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conflict := apierrors.NewConflict(schema.GroupResource{Resource: "deployments"}, "web", errors.New("modified"))
		c := newCluster(t, deployment("api"), deployment("web"), deployment("zoo"))
		c.verdict = func(key annotations.Key, nth int) (time.Duration, error) {
			switch {
			case key.Name == "web" && nth <= 2:
				return 0, errDown
			case key.Name == "api" && nth == 1:
				return 0, conflict
			}
			return 0, nil
		}
		c.start()
		end := c.lead(1, c.reconcile)
		time.Sleep(time.Minute)
		check(t, "looks", c.looked(), []string{"shop/api", "shop/api", "shop/web", "shop/web", "shop/web", "shop/zoo"})
		check(t, "errors", c.told(), []string{
			"reconciling deployment shop/web (failure 1 in a row): connection refused",
			"reconciling deployment shop/web (failure 2 in a row): connection refused",
		})
		end()
	})
}

// TestAFailureThatGoesOnIsReportedEverMoreRarely, with the number of failures.
func TestAFailureThatGoesOnIsReportedEverMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, deployment("web"))
		c.verdict = func(annotations.Key, int) (time.Duration, error) { return 0, errDown }
		c.start()
		end := c.lead(1, c.reconcile)
		time.Sleep(10 * time.Minute)
		end()
		var want []string
		for _, n := range []int{1, 2, 4, 8, 16, 32} {
			want = append(want, fmt.Sprintf("reconciling deployment shop/web (failure %d in a row): connection refused", n))
		}
		check(t, "errors", c.told(), want)
	})
}

func TestAPanicIsAFailureOfOneWorkload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, deployment("api"), deployment("web"))
		c.verdict = func(key annotations.Key, nth int) (time.Duration, error) {
			if key.Name == "web" && nth == 1 {
				var nobody *cluster
				return nobody.verdict(key, nth)
			}
			return 0, nil
		}
		c.start()
		end := c.lead(1, func(ctx context.Context, key annotations.Key) (time.Duration, error) {
			next, err := c.reconcile(ctx, key)
			return next, err
		})
		time.Sleep(time.Minute)
		check(t, "looks", c.looked(), []string{"shop/api", "shop/web", "shop/web"})
		errs := c.told()
		if len(errs) != 1 || !strings.HasPrefix(errs[0], "reconciling deployment shop/web (failure 1 in a row): panic: runtime error: invalid memory address") ||
			!strings.Contains(errs[0], "queue_test.go") {
			t.Errorf("want one error with the panic and where it happened, got %q", errs)
		}
		end()
	})
}

func BenchmarkWakeups(b *testing.B) {
	w := wakeups{timers: map[annotations.Key]*time.Timer{}}
	defer w.stop()
	b.ReportAllocs()
	for b.Loop() {
		w.cancel(webKey)
		w.set(webKey, time.Hour, func() {})
	}
}
