package metrics

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// answer is what a LIST made so long after the start returns.
type answer func(ctx context.Context, at time.Duration) ([]metricsv1beta1.PodMetrics, error)

// told is one call of a callback.
type told struct {
	at   time.Duration
	what string
}

// scene is a feed in fake time: a scripted API and what the feed said about it.
type scene struct {
	feed   *Feed
	start  time.Time
	answer answer
	// unwanted says that no pod's samples are kept.
	unwanted atomic.Bool

	mu    sync.Mutex
	lists []time.Duration
	told  []told
}

// play runs f in a bubble of fake time beside a running feed.
func play(t *testing.T, a answer, f func(*testing.T, *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sc := &scene{start: time.Now(), answer: a}
		sc.feed = NewFeed(Config{Lister: sc, Keep: func(string, string) bool { return !sc.unwanted.Load() }, OnSamples: sc.onSamples, OnState: sc.onState})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); sc.feed.Run(ctx) }()
		f(t, sc)
		cancel()
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("Run goes on after its context ended")
		}
	})
}

func (sc *scene) List(ctx context.Context) (Listing, error) {
	at := time.Since(sc.start)
	sc.mu.Lock()
	sc.lists = append(sc.lists, at)
	sc.mu.Unlock()
	items, err := sc.answer(ctx, at)
	return Listing{Samples: samplesOf(items)}, err
}

func (sc *scene) tell(what string) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.told = append(sc.told, told{time.Since(sc.start), what})
}

// onSamples also reads, as the callee of a real feed does.
func (sc *scene) onSamples(pods []types.NamespacedName) {
	if len(pods) == 0 {
		sc.tell("nothing")
	}
	for _, p := range pods {
		what := "gone"
		if s := newest(sc.feed, p.Namespace, p.Name); s != nil {
			what = fmt.Sprint(s.Time.Sub(epoch))
		}
		sc.tell(p.Name + " " + what)
	}
}

func (sc *scene) onState(err error) {
	if (err == nil) != (sc.feed.Err() == nil) {
		err = fmt.Errorf("told %w, but Err is %w", err, sc.feed.Err())
	}
	sc.tell(fmt.Sprint("state ", err))
}

// until waits until the local time at and returns what was told since the last call of until.
func (sc *scene) until(at time.Duration) []told {
	time.Sleep(at - time.Since(sc.start))
	synctest.Wait()
	sc.mu.Lock()
	defer sc.mu.Unlock()
	ts := sc.told
	sc.told = nil
	return ts
}

// listed counts the LISTs made in [from, to).
func (sc *scene) listed(from, to time.Duration) (n int) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for _, at := range sc.lists {
		if at >= from && at < to {
			n++
		}
	}
	return n
}

// publishing serves a sample set of the named pods that is replaced once per period, the first time at phase. The publisher's
// clock is skewed.
func publishing(period, phase, skew time.Duration, pods ...string) answer {
	return func(_ context.Context, at time.Duration) (ps []metricsv1beta1.PodMetrics, _ error) {
		published := (at - phase + period) / period * period
		for i, name := range pods {
			// The nodes of a set are scraped one after the other.
			ps = append(ps, pod("shop", name, epoch.Add(skew+published+time.Duration(i)*1500*time.Millisecond), "app"))
		}
		return ps, nil
	}
}
