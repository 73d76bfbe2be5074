package metrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

var (
	backlog = Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Namespace: "shop", Metric: "backlog"}
	hits    = Question{Source: "custom", Type: autoscalingv2.PodsMetricSourceType, Namespace: "shop", Metric: "hits", Pods: "app=web"}
)

// desk is the Readers of a test, between two scripted APIs and a log of who was told when.
type desk struct {
	t       *testing.T
	readers *Readers
	start   time.Time
	// custom and external answer, told the how manieth question of the API it is, from 1.
	custom, external func(ctx context.Context, n int) (Answer, error)

	mu           sync.Mutex
	askedC       int
	askedE       int
	told         []string
	busy, busier int
}

// sit runs a story on fake time.
func sit(t *testing.T, story func(*desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, start: time.Now()}
		d.custom = func(context.Context, int) (Answer, error) { return customValues("7"), nil }
		d.external = func(_ context.Context, n int) (Answer, error) { return externalValues(fmt.Sprint(n)), nil }
		d.readers = NewReaders(ReadersConfig{OnAnswer: d.tell, Sources: map[string]Source{
			"custom": fakeSource{"custom", d.source(&d.custom, &d.askedC)}, "external": fakeSource{"external", d.source(&d.external, &d.askedE)}}})
		story(d)
		d.readers.Close()
		time.Sleep(2 * time.Hour) // until sources that ignore their deadline have returned
	})
}

func (d *desk) source(answer *func(context.Context, int) (Answer, error), count *int) func(context.Context, Question) (Answer, error) {
	return func(ctx context.Context, _ Question) (Answer, error) {
		d.mu.Lock()
		*count++
		n, answer := *count, *answer
		d.busy++
		d.busier = max(d.busier, d.busy)
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.busy--
		}()
		return answer(ctx, n)
	}
}

// turn: from now on the external API answers otherwise.
func (d *desk) turn(external func(context.Context, int) (Answer, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.external = external
}

// seen is how many questions each API was asked, and how many were under way at a time at most.
func (d *desk) seen() (custom, external, busier int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.askedC, d.askedE, d.busier
}

func (d *desk) tell(keys []annotations.Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for _, key := range keys {
		names = append(names, key.Name)
	}
	slices.Sort(names)
	d.told = append(d.told, fmt.Sprintf("%s %s", time.Since(d.start).Round(time.Millisecond), strings.Join(names, ",")))
}

// ask asks every 15 s at most and says what came of it.
func (d *desk) ask(key string, q Question) string {
	d.t.Helper()
	answer, err := d.readers.Ask(annotations.DeploymentKey("shop", key), q, 15*time.Second)
	switch {
	case errors.Is(err, ErrPending):
		return "pending"
	case err != nil:
		return err.Error()
	case len(answer.External) > 0:
		return answer.External[0].Value.String()
	}
	return answer.Custom[0].Value.String()
}

func (d *desk) want(key string, q Question, want string) {
	d.t.Helper()
	if got := d.ask(key, q); got != want {
		d.t.Errorf("after %s, asking for %v said %q, want %q", time.Since(d.start), q, got, want)
	}
}

// pass lets time pass, and what is under way happen.
func (d *desk) pass(while time.Duration) {
	time.Sleep(while)
	synctest.Wait()
}

func (d *desk) wantTold(want ...string) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if diff := gocmp.Diff(want, d.told); diff != "" {
		d.t.Errorf("told (-want +got):\n%s", diff)
	}
}

func customValues(values ...string) (a Answer) {
	for _, v := range values {
		a.Custom = append(a.Custom, custommetricsv1beta2.MetricValue{Value: resource.MustParse(v)})
	}
	return a
}

func externalValues(values ...string) (a Answer) {
	for _, v := range values {
		a.External = append(a.External, externalmetricsv1beta1.ExternalMetricValue{Value: resource.MustParse(v)})
	}
	return a
}

// takes is an API that answers after a while, whatever ctx says.
func takes(while time.Duration) func(context.Context, int) (Answer, error) {
	return func(_ context.Context, n int) (Answer, error) {
		time.Sleep(while)
		return externalValues(fmt.Sprint(n)), nil
	}
}

func TestAnAnswerIsSharedAndRenewed(t *testing.T) {
	sit(t, func(d *desk) {
		d.turn(takes(100 * ms))
		d.want("web", backlog, "pending")
		d.want("api", backlog, "pending")
		d.pass(time.Second)
		d.wantTold("100ms api,web")
		d.want("web", backlog, "1")
		d.pass(10 * s)
		d.want("late", backlog, "1")
		d.pass(4050 * ms) // the next is under way
		d.want("late", backlog, "1")
		d.pass(100 * ms)
		d.wantTold("100ms api,web", "15.1s late,web")
		d.want("web", backlog, "2")
		if _, n, _ := d.seen(); n != 2 {
			t.Errorf("asked %d times, want once in each period", n)
		}
	})
}

func TestAFailureIsAnAnswer(t *testing.T) {
	sit(t, func(d *desk) {
		d.turn(func(_ context.Context, n int) (Answer, error) {
			if n == 2 {
				return Answer{}, errors.New("no route")
			}
			return externalValues(fmt.Sprint(n)), nil
		})
		d.ask("web", backlog)
		d.pass(time.Second)
		d.want("web", backlog, "1")
		d.pass(15 * s)
		d.want("web", backlog, `no route`)
		d.pass(15 * s)
		d.want("web", backlog, "3")
		d.wantTold("0s web", "15s web", "30s web")
		if diff := gocmp.Diff(ReadersStatus{Answers: 3, Failures: 1, Questions: 1, Values: 1, Of: map[string]int{"custom": 0, "external": 1}}, d.readers.Status()); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
	})
}

func TestTheShortestPeriodCounts(t *testing.T) {
	sit(t, func(d *desk) {
		ask := func(every time.Duration) {
			_, _ = d.readers.Ask(annotations.DeploymentKey("", fmt.Sprint(every)), backlog, every)
		}
		ask(time.Minute)
		d.pass(0)
		for range 10 {
			ask(time.Minute)
			ask(5 * s)
			d.pass(5 * s)
		}
		if _, n, _ := d.seen(); n != 11 {
			t.Errorf("asked %d times in 50 s, want at once and every 5 s", n)
		}
	})
}

func TestAnOldAnswerHoldsUntilItsSuccessorIsOverdue(t *testing.T) {
	sit(t, func(d *desk) {
		d.ask("web", backlog)
		d.pass(0)
		d.want("web", backlog, "1")
		d.turn(takes(time.Hour)) // ignores its deadline
		d.pass(24 * s)
		d.want("web", backlog, "1")
		d.pass(s)
		d.want("web", backlog, `the external metrics API did not answer within 10s`)
		d.turn(takes(0))
		d.pass(time.Hour)
		d.want("web", backlog, "pending")
		d.pass(0)
		if got := d.ask("web", backlog); got == "pending" {
			t.Error("no answer though the API answers again")
		}
	})
}

// TestAHangingAPI: its ten turns are all that it takes; the other API goes on, and so does this one afterwards.
func TestAHangingAPI(t *testing.T) {
	sit(t, func(d *desk) {
		d.turn(takes(30 * s))
		question := func(n int) Question {
			q := backlog
			q.Metric, q.Namespace = fmt.Sprint("m", n), fmt.Sprint("shop", n/3)
			return q
		}
		for n := range 50 {
			d.want("web", question(n), "pending")
		}
		d.want("web", hits, "pending")
		d.pass(time.Second)
		d.want("web", hits, "7")
		if custom, external, _ := d.seen(); custom != 1 || external != 10 {
			t.Errorf("%d and %d questions were put to the APIs, want 1 and 10", custom, external)
		}
		d.pass(10 * s)
		late, busy := 0, 0
		for n := range 50 {
			got := d.ask("web", question(n))
			if strings.Contains(got, "the external metrics API did not answer within 10s") {
				late++
			}
			if strings.Contains(got, "the external metrics API is still busy with 10 other questions after 10s") {
				busy++
			}
		}
		if late != 10 || busy != 40 {
			t.Errorf("%d questions were late and %d not asked, want 10 and 40", late, busy)
		}
		d.turn(takes(time.Second))
		d.pass(30 * s)
		d.ask("web", backlog)
		d.pass(2 * s)
		if got := d.ask("web", backlog); got == "pending" || strings.Contains(got, "API") {
			t.Errorf("the API answers again, and asking says %q", got)
		}
	})
}

// TestAQuestionThatHangsRests for a period after its deadline, and is a failure all the while.
func TestAQuestionThatHangsRests(t *testing.T) {
	sit(t, func(d *desk) {
		d.turn(func(ctx context.Context, _ int) (Answer, error) { <-ctx.Done(); return Answer{}, ctx.Err() })
		d.want("web", backlog, "pending")
		d.pass(10 * s)
		for range 89 {
			d.want("web", backlog, "the external metrics API did not answer within 10s")
			d.pass(s)
		}
		if _, n, _ := d.seen(); n != 4 {
			t.Errorf("asked %d times in 99 s, want after 0, 25, 50 and 75 s", n)
		}
	})
}

func TestAnswersThatNothingCanBeMadeOf(t *testing.T) {
	for name, story := range map[string]struct {
		answer func(context.Context, int) (Answer, error)
		want   string
	}{
		"none":    {func(context.Context, int) (Answer, error) { return Answer{}, nil }, "the external metrics API returned no value"},
		"a panic": {func(context.Context, int) (Answer, error) { panic("oh\nno") }, `the answer of the external metrics API caused a panic: "oh\nno"`},
		"too many": {func(context.Context, int) (Answer, error) {
			return Answer{External: make([]externalmetricsv1beta1.ExternalMetricValue, 1001)}, nil
		}, "the external metrics API returned 1001 values, more than the 1000 that are allowed: choose among them by the metric's selector"},
	} {
		t.Run(name, func(t *testing.T) {
			sit(t, func(d *desk) {
				d.turn(story.answer)
				d.ask("web", backlog)
				d.pass(0)
				d.want("web", backlog, ``+story.want)
				d.wantTold("0s web")
			})
		})
	}
}

func TestNoMoreQuestionsThanAllowedAreKept(t *testing.T) {
	sit(t, func(d *desk) {
		d.readers.questions = newShares(2)
		d.ask("web", backlog)
		d.ask("web", hits)
		d.pass(0)
		third := Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Namespace: "shop", Metric: "third"}
		d.want("web", third, `not asked: too many different custom and external metrics: there is room for 2 in all, and namespace "shop" has 2 of the 2 that are kept`)
		d.want("web", backlog, "1")
		d.want("web", hits, "7")
		d.pass(time.Hour) // and they are forgotten
		d.want("web", third, "pending")
	})
}

func TestWhatNobodyAsksForIsForgotten(t *testing.T) {
	sit(t, func(d *desk) {
		for n := range 100 {
			q := backlog
			q.Selector = fmt.Sprint("queue=", n)
			d.ask("web", q)
		}
		d.pass(0)
		for range 8 { // a period each
			d.ask("web", backlog)
			d.pass(15 * s)
		}
		if n := d.readers.Status().Questions; n != 1 {
			t.Errorf("%d questions are remembered, want the one that is asked", n)
		}
		_, before, _ := d.seen()
		d.pass(time.Hour)
		if _, after, _ := d.seen(); after > before+1 || d.readers.Status().Questions != 0 {
			t.Errorf("%d questions put for nobody, %d remembered", after-before, d.readers.Status().Questions)
		}
	})
}

func TestClosedReadersStayPending(t *testing.T) {
	sit(t, func(d *desk) {
		d.turn(func(ctx context.Context, _ int) (Answer, error) { <-ctx.Done(); return Answer{}, ctx.Err() })
		d.ask("web", backlog)
		d.pass(time.Second)
		d.readers.Close()
		d.want("web", backlog, "pending")
		d.pass(time.Minute)
		d.wantTold()
	})
}

// TestManyAskAtOnce is for the race detector.
func TestManyAskAtOnce(t *testing.T) {
	sit(t, func(d *desk) {
		d.turn(takes(20 * ms))
		var all sync.WaitGroup
		for n := range 50 {
			all.Go(func() {
				for range 100 {
					q := backlog
					q.Metric = fmt.Sprint("m", n%7)
					_, _ = d.readers.Ask(annotations.DeploymentKey("", fmt.Sprint(n)), q, time.Duration(n%5+1)*time.Second)
					time.Sleep(300 * ms)
				}
			})
		}
		all.Wait()
		if _, n, busier := d.seen(); busier > 10 || n < 20 {
			t.Errorf("%d questions, %d of them at a time; want 10 at a time at most", n, busier)
		}
	})
}

// BenchmarkAsk is what a look at a workload costs for each metric that is asked for by name.
func BenchmarkAsk(b *testing.B) {
	source := func(context.Context, Question) (Answer, error) { return externalValues("1"), nil }
	r := NewReaders(ReadersConfig{Sources: both(source)})
	defer r.Close()
	key := annotations.DeploymentKey("shop", "web")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = r.Ask(key, backlog, time.Minute)
	}
}

// TestAnAdaptersClockDoesNotMatter: a value is as old as the time since it was first received.
func TestAnAdaptersClockDoesNotMatter(t *testing.T) {
	sit(t, func(d *desk) {
		d.turn(func(_ context.Context, n int) (Answer, error) {
			answer := externalValues("1")
			answer.External[0].Timestamp = metav1.NewTime(d.start.Add(time.Hour + time.Duration(min(n, 2))*15*time.Second)) // the third is the second again
			return answer, nil
		})
		var ages []time.Duration
		for range 4 {
			answer, _ := d.readers.Ask(annotations.DeploymentKey("shop", "web"), backlog, 15*time.Second)
			for _, at := range answer.Taken {
				ages = append(ages, time.Since(at))
			}
			time.Sleep(15 * time.Second)
		}
		if diff := gocmp.Diff([]time.Duration{16 * time.Second, 16 * time.Second, 31 * time.Second}, ages); diff != "" {
			t.Errorf("ages (-want +got):\n%s", diff)
		}
	})
}

// TestAnUnknownSourceIsNamed, and costs no room.
func TestAnUnknownSourceIsNamed(t *testing.T) {
	r := NewReaders(ReadersConfig{Sources: both(nil)})
	defer r.Close()
	q := backlog
	q.Source = "queue"
	const want = `there is no source of metrics called "queue"`
	if _, err := r.Ask(annotations.DeploymentKey("shop", "web"), q, time.Minute); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, err := r.Fetch(t.Context(), q); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if n := r.Status().Questions; n != 0 {
		t.Errorf("%d questions are kept", n)
	}
}

// TestAnAnswerThatSaysNothingNew may be looked at later than one that does, within an eighth of the time between the two.
func TestAnAnswerThatSaysNothingNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []struct {
			values string
			err    error
		}{{"7", nil}, {"7", nil}, {"8", nil}, {"", errors.New("down")}, {"", errors.New("down")}, {"", errors.New("away")}, {"8", nil}}
		n := 0
		var told []string
		look := func(what string) { told = append(told, what) }
		source := fakeSource{"external", func(context.Context, Question) (Answer, error) {
			a := answers[n]
			n++
			if a.err != nil {
				return Answer{}, a.err
			}
			return externalValues(a.values), nil
		}}
		r := NewReaders(ReadersConfig{Sources: map[string]Source{"external": source}, OnAnswer: func([]annotations.Key) { look("new") },
			OnSame: func(_ []annotations.Key, within time.Duration) { look(within.String()) }})
		defer r.Close()
		for range answers {
			_, _ = r.Ask(annotations.DeploymentKey("shop", "web"), backlog, 8*time.Second)
			time.Sleep(8 * time.Second)
			synctest.Wait()
		}
		if want := []string{"new", "1s", "new", "new", "1s", "new", "new"}; !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}
