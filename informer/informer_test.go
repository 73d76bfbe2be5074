package informer

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func TestNewNeedsAClient(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("made without a client")
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, deployment("web"))
		c.outage(errDown)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		err := c.set.Start(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "filling the caches") {
			t.Errorf("want the deadline and what could not be done, got %v", err)
		}
		c.set.Wait()
		if c.set.Synced() {
			t.Error("synced without an API server")
		}
		if err := c.set.Start(t.Context()); err == nil {
			t.Error("started twice")
		}
	})
}

// A term that begins before the caches are filled must not decide on half of the pods.
func TestATermWaitsForTheCaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := deployment("web")
		rs := replicaSet(web, "web-1")
		c := newCluster(t, web, rs, pod(rs, "web-1-a"))
		c.outage(errDown)
		end := c.lead(1, func(ctx context.Context, key annotations.Key) (time.Duration, error) {
			check(t, "pods at the first look", names(c.set.Pods(c.set.Workload(key))), []string{"web-1-a"})
			return c.reconcile(ctx, key)
		})
		go func() {
			time.Sleep(time.Minute)
			c.outage(nil)
		}()
		c.start()
		check(t, "looks", c.looked(), []string{"shop/web"})
		end()
	})
}

func TestATermThatEndsBeforeTheCachesAreFilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, deployment("web"))
		end := c.lead(1, c.reconcile)
		end()
		c.start()
		check(t, "looks", c.looked(), []string(nil))
	})
}

// The API server does not answer for ten minutes: that is reported now and then, not at every attempt, and the informers go on where
// they were when it is back.
func TestAnOutageIsToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, deployment("web"))
		c.start()
		end := c.lead(1, c.reconcile)
		c.looked()
		c.outage(errDown)
		time.Sleep(10 * time.Minute)
		told := map[string]int{}
		for _, e := range c.told() {
			what, _, _ := strings.Cut(e, " (")
			told[what]++
			if !strings.HasSuffix(e, ": connection refused") {
				t.Errorf("%q does not say why", e)
			}
		}
		for _, what := range []string{"watching deployments", "watching replicasets", "watching pods"} {
			if n := told[what]; n < 5 || n > 10 {
				t.Errorf("%s was reported %d times in 10 minutes", what, n)
			}
		}
		c.outage(nil)
		c.put(deployment("web", replicas(5)))
		time.Sleep(2 * time.Minute)
		check(t, "looks after the outage", c.looked(), []string{"shop/web"})
		check(t, "errors after the outage", c.told(), []string(nil))
		end()
		c.stop()
		c.set.Wait()
		check(t, "errors at the end", c.told(), []string(nil))
	})
}
