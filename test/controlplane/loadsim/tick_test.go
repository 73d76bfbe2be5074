package loadsim

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// running runs a simulation with one pod, from now on and until the test ends.
func running(t *testing.T, o Options) *simulation {
	t.Helper()
	s := cluster(t, o)
	s.start = time.Now()
	s.setPod(s.start, webPod("a"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func TestSampleSetsArePublishedAtWholePeriodsAfterTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := running(t, Options{Period: 2 * time.Second, FirstSample: 2*time.Second + 1})
		var got []Sample
		var last Sample
		for range 3 {
			var err error
			if last, err = s.await(t.Context(), last.Timestamp); err != nil {
				t.Fatal(err)
			}
			if now := time.Now(); !last.Published.Equal(now) {
				t.Errorf("waited until %s for the set published at %s", now, last.Published)
			}
			if next := s.nextTick(time.Now()); !next.Equal(last.Published.Add(2 * time.Second)) {
				t.Errorf("the next set is announced for %s, two seconds after %s are expected", next, last.Published)
			}
			got = append(got, last)
		}
		set := func(seconds, pods int) Sample {
			published := s.start.Add(time.Duration(seconds) * time.Second)
			return Sample{Timestamp: published, Published: published, Pods: pods}
		}
		// After two seconds the pod is a moment too young.
		if diff := cmp.Diff([]Sample{set(2, 0), set(4, 1), set(6, 1)}, got); diff != "" {
			t.Errorf("published sets (-want +got):\n%s", diff)
		}
	})
}

func TestNoSampleBeforeTheFirstTick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := running(t, Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second-1)
		defer cancel()
		last, err := s.await(ctx, time.Time{})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no sample set later than") {
			t.Errorf("error = %v, want the deadline", err)
		}
		if diff := cmp.Diff(Sample{}, last); diff != "" {
			t.Errorf("last set (-want +got):\n%s", diff)
		}
	})
}

func TestBetweenTicksTheSameSetIsServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := running(t, Options{})
		s.setLoad(s.start, shopWeb, Constant(600))
		time.Sleep(15 * time.Second)
		synctest.Wait()
		first := s.podMetrics(s.start, selection{})
		s.setLoad(time.Now(), shopWeb, Constant(900))
		time.Sleep(15*time.Second - 1)
		synctest.Wait()
		if diff := cmp.Diff(first, s.podMetrics(s.start, selection{})); diff != "" {
			t.Errorf("samples changed before their time (-first +now):\n%s", diff)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		second := s.podMetrics(s.start, selection{})
		if got := second[0].Containers[0].Usage.Cpu().String(); got != "900m" {
			t.Errorf("usage at the next tick = %s, want 900m", got)
		}
		if got := second[0].Timestamp.Sub(first[0].Timestamp.Time); got != 15*time.Second {
			t.Errorf("timestamps are %s apart, want 15s", got)
		}
	})
}

func TestStaleFreezesWhatIsServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := running(t, Options{})
		s.setLoad(s.start, shopWeb, Constant(600))
		frozen, err := s.await(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		s.setFault(Fault{Stale: true})
		s.setLoad(time.Now(), shopWeb, Constant(900))
		time.Sleep(time.Minute)
		synctest.Wait()
		if last, _ := s.last(); last != frozen {
			t.Errorf("the set of %s was published while sampling was frozen", last.Timestamp)
		}
		s.setFault(Fault{})
		thawed, err := s.await(t.Context(), frozen.Timestamp)
		if err != nil {
			t.Fatal(err)
		}
		if got := thawed.Timestamp.Sub(frozen.Timestamp); got != 75*time.Second {
			t.Errorf("the first set after the frost is %s younger, want 75s: the next tick", got)
		}
	})
}
