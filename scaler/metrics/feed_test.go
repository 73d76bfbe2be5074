package metrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFeedFollowsThePublisher(t *testing.T) {
	stories := map[string]struct{ period, phase, skew time.Duration }{
		"metrics-server":                   {15 * s, 6400 * ms, 0},
		"its clock is an hour behind":      {15 * s, 6400 * ms, -time.Hour},
		"its clock is an hour ahead":       {15 * s, 6400 * ms, time.Hour},
		"a simulator of 5 s":               {5 * s, 1200 * ms, 0},
		"a set is new right at the start":  {15 * s, 0, 0},
		"published once a minute, unasked": {60 * s, 30 * s, 0},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			play(t, publishing(story.period, story.phase, story.skew, "a", "b", "c"), func(t *testing.T, sc *scene) {
				sc.until(10 * m)
				var worst time.Duration
				const periods = 20
				from, to := 10*m, 10*m+periods*story.period
				all := sc.until(to)
				for _, one := range all {
					worst = max(worst, (one.at-story.phase)%story.period)
				}
				if len(all) != 3*periods || worst > 600*ms {
					t.Errorf("%d samples, %v late at worst; want each of the %d once, 600ms late at most", len(all), worst, 3*periods)
				}
				if n := sc.listed(from, to); n > periods*9/5 {
					t.Errorf("%d LISTs in %d periods", n, periods)
				}
				if got := sc.feed.Status().Period; (got - story.period).Abs() > 100*ms {
					t.Errorf("period learnt as %v, is %v", got, story.period)
				}
			})
		})
	}
}

// TestFeedTellsEachSampleOnce is the beginning of a feed, second by second.
func TestFeedTellsEachSampleOnce(t *testing.T) {
	answer := func(ctx context.Context, at time.Duration) ([]metricsv1beta1.PodMetrics, error) {
		list, _ := publishing(15*s, 3500*ms, 0, "a", "b")(ctx, at)
		switch {
		case at > 40*s:
			return nil, nil
		case at > 30*s:
			return list[1:], nil
		}
		return list, nil
	}
	play(t, answer, func(t *testing.T, sc *scene) {
		want := []told{
			{0, "a 0s"}, {0, "b 1.5s"},
			{4 * s, "a 15s"}, {4 * s, "b 16.5s"},
			{19 * s, "a 30s"}, {19 * s, "b 31.5s"},
			{33 * s, "a gone"}, {34 * s, "b 46.5s"}, {48 * s, "b gone"},
		}
		got := sc.until(m)
		for i := range got {
			got[i].at = got[i].at.Round(s)
		}
		if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(told{})); diff != "" {
			t.Errorf("told (-want +got):\n%s\nLISTs at %v", diff, sc.lists)
		}
	})
}

// TestFeedFetchesWhatIsWanted: a sample that nobody wanted kept is there at once when somebody does.
func TestFeedFetchesWhatIsWanted(t *testing.T) {
	play(t, publishing(15*s, 3500*ms, 0, "a", "b"), func(t *testing.T, sc *scene) {
		sc.unwanted.Store(true)
		if told := sc.until(10*m + 7*s); len(told) > 2 { // of the first LIST
			t.Fatalf("told of pods that nobody wants: %v", told)
		}
		if sample, stamp := sc.feed.Sample("shop", "a"); sample != nil || stamp == nil {
			t.Fatalf("sample %v, stamp %v; want a stamp that says there is one", sample, stamp)
		}
		sc.until(10*m + 8*s)
		if n := sc.listed(10*m+7*s, 10*m+8*s); n != 1 {
			t.Errorf("%d LISTs for a sample that nobody wants even now, want 1", n)
		}
		sc.unwanted.Store(false)
		sc.feed.Sample("shop", "a")
		told := sc.until(10*m + 8*s + 300*ms)
		for i := range told {
			told[i].at -= 10*m + 8*s
		}
		if len(told) != 2 || told[0].at > 250*ms || told[0].what != "a 10m15s" {
			t.Errorf("told %v of what is wanted now, want both pods at once", told)
		}
		if sample, _ := sc.feed.Sample("shop", "a"); sample == nil {
			t.Error("there is no sample yet")
		}
		until := 12 * m
		before := sc.listed(10*m+8*s+300*ms, until)
		sc.until(until)
		if n := sc.listed(10*m+8*s+300*ms, until) - before; n > 16 {
			t.Errorf("%d LISTs in 7 periods after that: the rhythm is lost", n)
		}
	})
}

// TestFeedIsNotDriven: however often samples are asked for that are not kept, LISTs keep their distance.
func TestFeedIsNotDriven(t *testing.T) {
	play(t, publishing(15*s, 3500*ms, 0, "a"), func(t *testing.T, sc *scene) {
		sc.unwanted.Store(true)
		sc.until(5 * m)
		for at := 5 * m; at < 5*m+10*s; at += 10 * ms {
			sc.feed.Sample("shop", "a")
			sc.until(at)
		}
		if n := sc.listed(5*m, 5*m+10*s); n > 14 {
			t.Errorf("%d LISTs in 10 s, want one a second and those of the schedule", n)
		}
	})
}

func TestFeedOutages(t *testing.T) {
	const text = "state cannot list pod metrics: the API server has too many requests at the moment"
	stories := map[string]struct {
		from, to time.Duration
		fail     func(ctx context.Context, at time.Duration) error
		// failing is when it is told; 0 if never.
		failing time.Duration
		text    string
		lists   int
	}{
		"2 minutes without an answer": {
			10 * m, 12 * m, func(_ context.Context, at time.Duration) error { return generic(429, fmt.Sprint("request of ", at)) },
			10*m + 20*s, text, 35,
		},
		"2 minutes of hanging": {
			10 * m, 12 * m, func(ctx context.Context, _ time.Duration) error { <-ctx.Done(); return ctx.Err() },
			10*m + 30*s, "state cannot list pod metrics: the resource metrics API (metrics.k8s.io) did not answer within 5s", 20,
		},
		"one failure": {10*m + 3*s, 10*m + 4400*ms, func(context.Context, time.Duration) error { return refused(1) }, 0, "", 3},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			publish := publishing(15*s, 3500*ms, 0, "a")
			answer := func(ctx context.Context, at time.Duration) ([]metricsv1beta1.PodMetrics, error) {
				if at >= story.from && at < story.to {
					return nil, story.fail(ctx, at)
				}
				return publish(ctx, at)
			}
			play(t, answer, func(t *testing.T, sc *scene) {
				sc.until(story.from)
				during := sc.until(story.to)
				if n := sc.listed(story.from, story.to); n > story.lists {
					t.Errorf("%d LISTs, at most %d wanted", n, story.lists)
				}
				if newest(sc.feed, "shop", "a") == nil {
					t.Error("the kept sample was discarded")
				}
				after := sc.until(story.to + 30*s)
				if story.failing == 0 {
					if len(during) > 0 || len(after) < 2 || sc.feed.Err() != nil {
						t.Errorf("told %v, then %v", during, after)
					}
					return
				}
				if len(during) != 1 || during[0].what != story.text || during[0].at > story.failing {
					t.Errorf("told %v during the outage", during)
				}
				if len(after) < 2 || after[0].what != "state <nil>" || after[0].at > story.to+7*s {
					t.Fatalf("told %v after the outage", after)
				}
				if after[1].at != after[0].at || slices.ContainsFunc(after[1:], func(a told) bool { return a.what == "state <nil>" }) {
					t.Errorf("told %v after the outage", after)
				}
				if got := sc.feed.Status(); got.LastSuccess.Before(sc.start.Add(story.to)) || got.Failures == 0 || got.Lists < got.Failures {
					t.Errorf("status %+v", got)
				}
			})
		})
	}
}

func TestFeedFailsFromTheStart(t *testing.T) {
	answer := func(_ context.Context, at time.Duration) ([]metricsv1beta1.PodMetrics, error) {
		return nil, generic(404, "")
	}
	play(t, answer, func(t *testing.T, sc *scene) {
		want := []told{{s, "state cannot list pod metrics: the resource metrics API (metrics.k8s.io) is not served: install metrics-server"}}
		if diff := gocmp.Diff(want, sc.until(10*m), gocmp.AllowUnexported(told{})); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if n := sc.listed(0, 10*m); n > 10*60/5+5 {
			t.Errorf("%d LISTs in 10 minutes", n)
		}
	})
}

// TestFeedRunEndsDuringAList, and what was interrupted is no failure of the API.
func TestFeedRunEndsDuringAList(t *testing.T) {
	hang := func(ctx context.Context, _ time.Duration) ([]metricsv1beta1.PodMetrics, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var feed *Feed
	play(t, hang, func(_ *testing.T, sc *scene) {
		feed = sc.feed
		sc.until(s)
	})
	if err := feed.Err(); !errors.Is(err, ErrPending) {
		t.Errorf("interrupted feed says %v", err)
	}
}

// TestFeedRunsAgain is a second term of leadership: samples are not told twice, the rhythm is learnt anew.
func TestFeedRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc := &scene{start: time.Now(), answer: publishing(15*s, 0, 0, "a")}
		sc.feed = NewFeed(Config{Lister: sc, OnSamples: sc.onSamples})
		term := func(length time.Duration) []told {
			ctx, cancel := context.WithTimeout(t.Context(), length)
			defer cancel()
			sc.feed.Run(ctx)
			return sc.until(time.Since(sc.start))
		}
		if got := len(term(61 * s)); got != 5 || sc.feed.Status().Period == 0 {
			t.Errorf("first term: %d samples told, status %+v", got, sc.feed.Status())
		}
		if got := term(5 * s); len(got) > 0 || sc.feed.Status().Period != 0 {
			t.Errorf("second term: told %v, status %+v", got, sc.feed.Status())
		}
	})
}

// TestFeedHangsInItsOwnWords is a Lister that does not return the context's error when the deadline was missed.
func TestFeedHangsInItsOwnWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := NewFeed(Config{Timeout: 3 * s, Lister: listerFunc(func(ctx context.Context) ([]metricsv1beta1.PodMetrics, error) {
			<-ctx.Done()
			return nil, errors.New("rate limiter: would exceed context deadline")
		})})
		const want = "cannot list pod metrics: the resource metrics API (metrics.k8s.io) did not answer within 3s"
		if err := feed.Refresh(t.Context()); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	})
}

// TestFeedNewest goes with the newest good answer that was not empty, by the local clock: a node whose clock is ahead does not make
// samples look new for ever.
func TestFeedNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var list []metricsv1beta1.PodMetrics
		feed := NewFeed(Config{Lister: listerFunc(func(context.Context) ([]metricsv1beta1.PodMetrics, error) { return list, nil })})
		at := func(name string, sinceStart time.Duration) metricsv1beta1.PodMetrics {
			return pod("shop", name, start.Add(sinceStart), "app")
		}
		for i, step := range []struct {
			list []metricsv1beta1.PodMetrics
			want time.Time
		}{
			{nil, time.Time{}},
			{[]metricsv1beta1.PodMetrics{at("a", -2*s), at("b", -3*s)}, start.Add(-2 * s)},
			{nil, start.Add(-2 * s)},
			{[]metricsv1beta1.PodMetrics{at("b", -3*s)}, start.Add(-3 * s)},
			{[]metricsv1beta1.PodMetrics{at("b", -3*s), at("ahead", time.Hour)}, start.Add(3*s - s)},
			{[]metricsv1beta1.PodMetrics{at("b", -3*s), at("ahead", time.Hour)}, start.Add(3*s - s)},
		} {
			list = step.list
			if i == 4 {
				time.Sleep(3 * s)
			}
			if err := feed.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := feed.Status().Newest; !got.Equal(step.want) {
				t.Errorf("step %d: newest %v, want %v", i, got, step.want)
			}
		}
	})
}

// TestUnreadableSamplesAreToldOnTransition: once when they begin, once when all can be read again.
func TestUnreadableSamplesAreToldOnTransition(t *testing.T) {
	var told []string
	list := Listing{}
	feed := NewFeed(Config{Lister: scripted(func() Listing { return list }), OnUnreadable: func(err error) { told = append(told, fmt.Sprint(err)) }})
	broken := Listing{Samples: samplesOf(items([]listedPod{{"a", 0}})), Unreadable: 2, Why: errors.New("pod shop/b: no number")}
	for _, list = range []Listing{{}, broken, broken, {}, {}} {
		if err := feed.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := feed.Status().Unreadable; got != list.Unreadable {
			t.Errorf("status: %d unreadable, want %d", got, list.Unreadable)
		}
	}
	want := []string{"the resource metrics API (metrics.k8s.io) has 2 samples that cannot be read; the first is that of pod shop/b: no number", "<nil>"}
	if diff := gocmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// scripted is a Lister without errors.
type scripted func() Listing

func (s scripted) List(context.Context) (Listing, error) { return s(), nil }

// TestFeedKeepsItsRhythmWhileSamplesAreWanted: what one workload has listed at once does not make the samples of others come later.
func TestFeedKeepsItsRhythmWhileSamplesAreWanted(t *testing.T) {
	const rest = 2500 * ms // "late" is published so long after the others
	for name, distance := range map[string]time.Duration{"once a set": 14900 * ms, "now and then": 7300 * ms, "as often as can be": 50 * ms} {
		t.Run(name, func(t *testing.T) {
			answer := func(ctx context.Context, at time.Duration) ([]metricsv1beta1.PodMetrics, error) {
				list, _ := publishing(15*s, 3500*ms, 0, "a", "b", "c")(ctx, at)
				late, _ := publishing(15*s, 3500*ms+rest, 0, "late")(ctx, at)
				return append(list, late...), nil
			}
			play(t, answer, func(t *testing.T, sc *scene) {
				sc.until(10 * m)
				go func() {
					for time.Since(sc.start) < 20*m {
						select {
						case sc.feed.wanted <- struct{}{}:
						default:
						}
						time.Sleep(distance)
					}
				}()
				sc.until(15 * m)
				var all []told
				for at := 15 * m; at < 20*m; at += s {
					all = append(all, sc.until(at+s)...)
				}
				if len(all) != 4*20 {
					t.Errorf("%d samples, want 80", len(all))
				}
				for _, one := range all {
					published := 3500 * ms
					if one.what[0] == 'l' {
						published += rest
					}
					if after := (one.at - published) % (15 * s); after > 1200*ms {
						t.Errorf("%s at %v, %v late", one.what, one.at, after)
					}
				}
				sc.until(21 * m)
			})
		})
	}
}
