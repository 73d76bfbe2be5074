package metrics

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

func TestFeedRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fail error
		fail = generic(404, "")
		sc := &scene{start: time.Now()}
		sc.answer = func(ctx context.Context, at time.Duration) ([]metricsv1beta1.PodMetrics, error) {
			if fail != nil {
				return nil, fail
			}
			return publishing(15*s, 0, 0, "a")(ctx, at)
		}
		sc.feed = NewFeed(Config{Lister: sc, OnSamples: sc.onSamples, OnState: sc.onState})
		if err := sc.feed.Err(); !errors.Is(err, ErrPending) {
			t.Errorf("new feed says %v", err)
		}
		err := sc.feed.Refresh(t.Context())
		if err == nil || !errors.Is(sc.feed.Err(), err) {
			t.Errorf("Refresh says %v, Err %v", err, sc.feed.Err())
		}
		fail = generic(404, "of another request")
		if again := sc.feed.Refresh(t.Context()); !errors.Is(again, err) {
			t.Errorf("the same failure again: %v, before %v", again, err)
		}
		sc.told = nil // that the feed is failing
		fail = nil
		if err := sc.feed.Refresh(t.Context()); err != nil || sc.feed.Err() != nil {
			t.Errorf("Refresh says %v, Err %v", err, sc.feed.Err())
		}
		if diff := gocmp.Diff([]told{{0, "state <nil>"}, {0, "a 15s"}}, sc.told, gocmp.AllowUnexported(told{})); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if err := sc.feed.Refresh(ctx); !errors.Is(err, cause) || sc.feed.Err() != nil {
			t.Errorf("interrupted Refresh says %v, Err %v", err, sc.feed.Err())
		}
	})
}

// TestFeedRefreshBesideRun: LISTs of users take turns with the feed's, and steal no sample and no rhythm from it.
func TestFeedRefreshBesideRun(t *testing.T) {
	publish := publishing(15*s, 3500*ms, 0, "a", "b")
	var mu sync.Mutex
	answer := func(ctx context.Context, at time.Duration) ([]metricsv1beta1.PodMetrics, error) {
		if !mu.TryLock() {
			return nil, errors.New("two LISTs at a time")
		}
		defer mu.Unlock()
		time.Sleep(50 * ms)
		return publish(ctx, at)
	}
	play(t, answer, func(t *testing.T, sc *scene) {
		var users sync.WaitGroup
		for i := range 4 {
			users.Go(func() {
				for range 100 {
					time.Sleep(time.Duration(3700+i*1300) * ms)
					if err := sc.feed.Refresh(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		users.Wait()
		from := time.Since(sc.start).Truncate(15*s) + 60*s
		sc.until(from)
		if got := len(sc.until(from + 150*s)); got != 20 {
			t.Errorf("%d samples told in 10 periods, want 20", got)
		}
		if n := sc.listed(from, from+150*s); n > 25 {
			t.Errorf("%d LISTs in 10 periods", n)
		}
	})
}
