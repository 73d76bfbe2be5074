package informer

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func TestNothingHappensOutsideOfATerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := deployment("web")
		rs := replicaSet(web, "web-1")
		c := newCluster(t, web, rs)
		c.start()
		poke := func() {
			c.put(deployment("web", replicas(int32(c.version))))
			c.put(pod(rs, "web-1-a"))
			c.set.Enqueue(webKey)
			c.set.EnqueueSelected()
			c.set.EnqueueOwners([]types.NamespacedName{{Namespace: "shop", Name: "web-1-a"}})
			time.Sleep(time.Hour)
		}
		poke()
		check(t, "before the first term", c.looked(), []string(nil))

		c.verdict = func(annotations.Key, int) (time.Duration, error) { return 10 * time.Minute, nil }
		end := c.lead(2, c.reconcile)
		check(t, "first term", c.looked(), []string{"shop/web"})
		end()
		poke()
		check(t, "between the terms, not even what was planned", c.looked(), []string(nil))

		c.put(deployment("api"))
		synctest.Wait()
		end = c.lead(2, c.reconcile)
		check(t, "second term", c.looked(), []string{"shop/api", "shop/web"})
		end()
	})
}

func TestATermEndsAfterItsLastLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		adds := queueMetrics.get("mini-hpa/adds")
		c := newCluster(t, deployment("a"), deployment("b"), deployment("c"), deployment("d"))
		c.start()
		ctx, cancel := context.WithCancel(t.Context())
		var begun, ended []string
		go func() {
			time.Sleep(time.Second)
			c.set.Enqueue(annotations.DeploymentKey("shop", "a")) // while it is being looked at
			cancel()
		}()
		c.set.Run(ctx, 1, func(ctx context.Context, key annotations.Key) (time.Duration, error) {
			begun = append(begun, key.Name)
			time.Sleep(time.Minute) // does not hear that the term has ended
			ended = append(ended, key.Name)
			return time.Second, ctx.Err()
		})
		check(t, "begun", begun, []string{"a"})
		check(t, "ended before Run returned", ended, []string{"a"})
		time.Sleep(time.Hour)
		check(t, "begun an hour later", begun, []string{"a"})
		check(t, "errors", c.told(), []string(nil))
		check(t, "depth of the queue", queueMetrics.get("mini-hpa/depth"), 0)
		check(t, "added", queueMetrics.get("mini-hpa/adds")-adds, 5)
	})
}

// A planned look keeps the queue of its term in memory until its time comes, so a term that has ended plans none.
func TestATermLeavesNothingPlanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, deployment("web"), deployment("api"))
		c.start()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		over := newTerm(func(context.Context, annotations.Key) (time.Duration, error) { return time.Hour, nil }, c.onError)
		planned := func() int {
			over.wakeups.mu.Lock()
			defer over.wakeups.mu.Unlock()
			return len(over.wakeups.timers)
		}
		go func() {
			time.Sleep(time.Second)
			check(t, "planned during the term", planned(), 2)
		}()
		c.set.lead(ctx, 1, over)
		check(t, "planned after it", planned(), 0)
		check(t, "the term that is going on", c.set.current.Load(), (*term)(nil))
	})
}

func TestOverlappingTermsFollowEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, deployment("web"))
		c.start()
		var looks []string
		as := func(who string) ReconcileFunc {
			return func(context.Context, annotations.Key) (time.Duration, error) {
				looks = append(looks, who)
				return 0, nil
			}
		}
		endFirst := c.lead(1, as("first"))
		endSecond := c.lead(1, as("second"))
		check(t, "while the first lasts", looks, []string{"first"})
		endFirst()
		synctest.Wait()
		check(t, "after it", looks, []string{"first", "second"})
		c.set.Enqueue(webKey)
		synctest.Wait()
		check(t, "enqueued then", looks, []string{"first", "second", "second"})
		endSecond()
	})
}

func TestWorkersShareTheKeysButNeverOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, deployment("a"), deployment("b"), deployment("c"))
		c.start()
		began := time.Now()
		var mu sync.Mutex
		var looks []time.Duration
		running, twice := map[annotations.Key]bool{}, false
		mark := func(key annotations.Key, on bool) {
			mu.Lock()
			defer mu.Unlock()
			twice = twice || on && running[key]
			running[key] = on
			if on {
				looks = append(looks, time.Since(began))
			}
		}
		end := c.lead(2, func(_ context.Context, key annotations.Key) (time.Duration, error) {
			mark(key, true)
			defer mark(key, false)
			time.Sleep(time.Minute)
			return 0, nil
		})
		time.Sleep(30 * time.Second)
		a, b := annotations.DeploymentKey("shop", "a"), annotations.DeploymentKey("shop", "b")
		c.set.Enqueue(a, b)
		c.set.Enqueue(a)
		time.Sleep(5 * time.Minute)
		end()
		check(t, "looks", looks, seconds(0, 0, 60, 60, 120))
		check(t, "one key by two workers at once", twice, false)
	})
}

func TestOwnersOfPodsAreLookedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web, api, plain := deployment("web"), deployment("api"), deployment("plain", unselected)
		webRS, apiRS, plainRS := replicaSet(web, "web-1"), replicaSet(api, "api-1"), replicaSet(plain, "plain-1")
		c := newCluster(t, web, api, plain, webRS, apiRS, plainRS, pod(plainRS, "plain-1-a"),
			pod(webRS, "web-1-a"), pod(webRS, "web-1-b"), pod(webRS, "web-1-c"), pod(apiRS, "api-1-a"))
		c.start()
		end := c.lead(4, c.reconcile)
		c.looked()
		named := func(names ...string) (pods []types.NamespacedName) {
			for _, n := range names {
				pods = append(pods, types.NamespacedName{Namespace: "shop", Name: n})
			}
			return pods
		}
		cases := map[string][]string{"": nil, "web-1-a web-1-b web-1-c": {"shop/web"}, "api-1-a plain-1-a web-1-b unknown": {"shop/api", "shop/web"}}
		for pods, want := range cases {
			c.set.EnqueueOwners(named(strings.Fields(pods)...))
			check(t, pods, c.looked(), want)
		}
		end()
	})
}
