package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// system is a client that does what a test says.
type system struct {
	answer func(ctx context.Context, q metrics.Question) (metrics.Answer, error)
	asked  atomic.Int32
	closed atomic.Bool
}

func (s *system) Ask(ctx context.Context, all []metrics.Question, answer func(int, metrics.Answer, error)) {
	s.asked.Add(1)
	for i, q := range all {
		a, err := s.answer(ctx, q)
		answer(i, a, err)
	}
}

func (s *system) Close() { s.closed.Store(true) }

// asking is a source of that client, and what its log has.
func asking(s *system, settle time.Duration, queries ...catalog.Query) (*source, *observer.ObservedLogs) {
	core, logged := observer.New(zapcore.DebugLevel)
	env := environment()
	env.Log = zap.New(core)
	e := &catalog.Entry{Name: "rabbit", Type: &catalog.Type{Name: "test"}, Timeout: 5 * time.Second, Concurrency: 4, MaxAge: 15 * time.Second, Settle: settle, Queries: queries}
	return newSource(e, env, s, nil), logged
}

func asked(query string) metrics.Question {
	return metrics.Question{Source: "rabbit", Type: autoscalingv2.ExternalMetricSourceType, Namespace: "shop", Metric: query}
}

// withoutID is an error's text, whose id differs from time to time.
func withoutID(err error) string {
	text, _, _ := strings.Cut(fmt.Sprint(err), " (see the controller's log, id ")
	return text
}

// TestWhatATenantReads are our own words, with an id by which the log has the rest.
func TestWhatATenantReads(t *testing.T) {
	several := metrics.Answer{External: make([]externalmetricsv1beta1.ExternalMetricValue, 2)}
	number := func(value float64) func(context.Context, metrics.Question) (metrics.Answer, error) {
		return func(context.Context, metrics.Question) (metrics.Answer, error) { return counted(value) }
	}
	for name, c := range map[string]struct {
		answer func(ctx context.Context, q metrics.Question) (metrics.Answer, error)
		query  string
		want   string
	}{
		"a value":        {number(7), "", "7"},
		"a fraction":     {number(0.0001), "", "1m"},
		"nothing":        {number(0), "", "0"},
		"NaN":            {number(math.NaN()), "", "rabbit has no number for it (NaN)"},
		"infinity":       {number(math.Inf(1)), "", "rabbit has no finite number for it"},
		"too much":       {number(1e30), "", "rabbit has no finite number for it"},
		"less than none": {number(-1), "", "rabbit has a negative number for it"},
		"less than none, otherwise": {func(context.Context, metrics.Question) (metrics.Answer, error) {
			return answerOf(resource.MustParse("-1")), nil
		}, "", "rabbit has a negative number for it"},
		"several":  {func(context.Context, metrics.Question) (metrics.Answer, error) { return several, nil }, "", "rabbit has more than one value for it"},
		"no value": {func(context.Context, metrics.Question) (metrics.Answer, error) { return metrics.Answer{}, nil }, "strict", "rabbit has no value for it"},
		"no value, which is 0": {func(context.Context, metrics.Question) (metrics.Answer, error) { return metrics.Answer{}, nil },
			"lenient", "0"},
		"a fault": {func(context.Context, metrics.Question) (metrics.Answer, error) {
			return metrics.Answer{}, fault("refused the credentials", errors.New("user 'me' of tenant b, secret hunter2"))
		}, "", "rabbit refused the credentials"},
		"another error": {func(context.Context, metrics.Question) (metrics.Answer, error) {
			return metrics.Answer{}, errors.New("tenant b's secret is hunter2")
		}, "", "rabbit failed"},
		"a panic": {func(context.Context, metrics.Question) (metrics.Answer, error) { panic("hunter2") }, "", "rabbit gave an answer that cannot be read"},
		"silence": {func(ctx context.Context, _ metrics.Question) (metrics.Answer, error) {
			<-ctx.Done()
			return metrics.Answer{}, fmt.Errorf("read tcp: %w", ctx.Err())
		}, "", "rabbit did not answer in 5s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, logged := asking(&system{answer: c.answer}, 0, catalog.Query{Name: "strict", Empty: catalog.EmptyFailure}, catalog.Query{Name: "lenient", Empty: catalog.EmptyZero})
				a, err := s.Ask(t.Context(), asked(c.query))
				if err == nil {
					if got := a.External[0].Value.String(); got != c.want || len(a.External) != 1 {
						t.Errorf("value %s, want %s", got, c.want)
					}
					return
				}
				text := err.Error()
				if got := withoutID(err); got != c.want {
					t.Errorf("told %q, want %q", got, c.want)
				}
				entries := logged.All()
				if len(entries) != 1 {
					t.Fatalf("%d lines of the log, want 1", len(entries))
				}
				id, _ := entries[0].ContextMap()["id"].(string)
				if !strings.HasSuffix(text, " (see the controller's log, id "+id+")") || len(id) != 8 {
					t.Errorf("told %q, the log has id %q", text, id)
				}
				if strings.Contains(text, "hunter2") {
					t.Errorf("a tenant reads what is not for it: %s", text)
				}
			})
		})
	}
}

// TestALogOfFailuresIsShort: one line for each kind of failure in ten minutes, whose id stays.
func TestALogOfFailuresIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, logged := asking(&system{answer: func(context.Context, metrics.Question) (metrics.Answer, error) {
			return metrics.Answer{}, unanswered("has no queue of that name", errors.New("NOT_FOUND"))
		}}, 0)
		ids := map[string]bool{}
		for range 60 {
			_, err := s.Ask(t.Context(), asked(""))
			ids[err.Error()] = true
			time.Sleep(15 * time.Second)
		}
		if len(ids) != 1 || logged.Len() != 2 {
			t.Errorf("%d texts, %d lines in 15 minutes, want 1 and 2", len(ids), logged.Len())
		}
		other := asked("")
		other.Namespace = "blog"
		if _, err := s.Ask(t.Context(), other); ids[err.Error()] {
			t.Error("what one namespace asked wrongly has the id of another's")
		}
	})
}

// TestNamesThatAreMadeUpDoNotFillTheLog: of a namespace it has so many lines in ten minutes, and what one namespace makes up costs no other its own.
func TestNamesThatAreMadeUpDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, logged := asking(&system{answer: func(_ context.Context, q metrics.Question) (metrics.Answer, error) {
			return metrics.Answer{}, unanswered(fmt.Sprintf("has no topic %q", q.Metric), nil)
		}}, 0)
		ids := map[string]bool{}
		for range 40 { // ten minutes
			for n := range 2 * mostIncidents {
				_, err := s.Ask(t.Context(), asked(fmt.Sprint("topic-", n)))
				_, id, _ := strings.Cut(err.Error(), ", id ")
				ids[id] = true
			}
			time.Sleep(15 * time.Second)
		}
		if lines := logged.Len(); lines != mostOfNamespace+1 || len(ids) != lines {
			t.Errorf("%d lines of the log, %d ids in messages", lines, len(ids))
		}
		other := asked("topic")
		other.Namespace = "blog"
		if _, err := s.Ask(t.Context(), other); withoutID(err) != `rabbit has no topic "topic"` || logged.Len() != mostOfNamespace+2 {
			t.Errorf("%v, %d lines", err, logged.Len())
		}
	})
}

// TestASystemThatFailsIsLeftAlone for 15 s after five failures, then asked once, and left alone for longer each time.
func TestASystemThatFailsIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		var times []string
		start := time.Now()
		client := &system{answer: func(context.Context, metrics.Question) (metrics.Answer, error) {
			times = append(times, time.Since(start).String())
			if broken.Load() {
				return metrics.Answer{}, fault("refused the connection", nil)
			}
			return counted(1)
		}}
		s, _ := asking(client, 0)
		registry := prometheus.NewRegistry()
		s.telemetry = NewTelemetry(registry)
		for range 400 {
			if _, err := s.Ask(t.Context(), asked("")); withoutID(err) != "rabbit refused the connection" {
				t.Fatalf("after %s: %v", time.Since(start), err)
			}
			time.Sleep(time.Second)
		}
		want := []string{"0s", "1s", "2s", "3s", "4s", "19s", "49s", "1m49s", "3m49s", "5m49s"}
		if diff := gocmp.Diff(want, times); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		if got := testutil.ToFloat64(s.telemetry.requests.WithLabelValues("rabbit", resultNotAsked)); got != 390 {
			t.Errorf("%v requests were not sent, want 390", got)
		}
		broken.Store(false)
		time.Sleep(2 * time.Minute)
		for range 10 {
			if _, err := s.Ask(t.Context(), asked("")); err != nil {
				t.Errorf("when it is back: %v", err)
			}
		}
	})
}

// TestAQuestionWithoutAnAnswerKeepsNobodyFromAsking, however often it is asked.
func TestAQuestionWithoutAnAnswerKeepsNobodyFromAsking(t *testing.T) {
	client := &system{answer: func(_ context.Context, q metrics.Question) (metrics.Answer, error) {
		if q.Namespace == "shop" {
			return metrics.Answer{}, unanswered("has no queue of that name", nil)
		}
		return counted(1)
	}}
	s, _ := asking(client, 0)
	for range 50 {
		_, _ = s.Ask(t.Context(), asked(""))
	}
	other := asked("")
	other.Namespace = "blog"
	if _, err := s.Ask(t.Context(), other); err != nil {
		t.Error(err)
	}
}

// TestOneNamespaceKeepsNobodyElseFromAsking: what it asks may be what the system fails at, alone or together with the questions of others. What
// it was told is not told to others either.
func TestOneNamespaceKeepsNobodyElseFromAsking(t *testing.T) {
	for name, whatItAsks := range map[string]func(context.Context) (metrics.Answer, error){
		"it refuses": func(context.Context) (metrics.Answer, error) {
			return metrics.Answer{}, fault(`has no leader for topic "secret"`, nil)
		},
		"it is slow": func(ctx context.Context) (metrics.Answer, error) {
			<-ctx.Done()
			return metrics.Answer{}, ctx.Err()
		},
		"it panics": func(context.Context) (metrics.Answer, error) { panic("secret") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := &system{answer: func(ctx context.Context, q metrics.Question) (metrics.Answer, error) {
					if q.Namespace == "evil" {
						return whatItAsks(ctx)
					}
					return counted(1)
				}}
				s, _ := asking(client, 0)
				evil, shop := asked(""), asked("")
				evil.Namespace = "evil"
				for range 3 * mostFailures {
					_, _ = s.Ask(t.Context(), evil)
				}
				if _, err := s.Ask(t.Context(), shop); err != nil {
					t.Errorf("alone: %v", err)
				}
				before, got := client.asked.Load(), map[int]string{}
				(&together{s}).AskAll(t.Context(), []metrics.Question{evil, shop, evil, shop}, func(i int, a metrics.Answer, err error) {
					if got[i] += withoutID(err); err == nil {
						got[i] = a.External[0].Value.String()
					}
				})
				if got[1] != "1" || got[3] != "1" || got[0] == "" || got[0] != got[2] || client.asked.Load() != before+1 {
					t.Errorf("together: %v, asked %d times", got, client.asked.Load()-before)
				}
			})
		})
	}
}

// TestWhatFailsACallFailsNobodyForLong: a call for all may fail by what one namespace asks, and then nobody knows whose question it was. After the
// rest each of them is tried by itself.
func TestWhatFailsACallFailsNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &system{answer: func(_ context.Context, q metrics.Question) (metrics.Answer, error) {
			if q.Namespace == "evil" {
				panic("secret")
			}
			return counted(1)
		}}
		s, _ := asking(client, 0)
		evil, shop, blog := asked(""), asked(""), asked("")
		evil.Namespace, blog.Namespace = "evil", "blog"
		var got []string
		for range 4 * mostFailures {
			answers := [3]string{}
			var mu sync.Mutex
			(&together{s}).AskAll(t.Context(), []metrics.Question{evil, shop, blog}, func(i int, _ metrics.Answer, err error) {
				mu.Lock()
				defer mu.Unlock()
				answers[i] = map[bool]string{true: "ok", false: "failed"}[err == nil]
			})
			got = append(got, strings.Join(answers[:], " "))
			time.Sleep(firstRest)
		}
		want := slices.Repeat([]string{"failed failed failed"}, mostFailures)
		want = append(want, slices.Repeat([]string{"failed ok ok"}, 3*mostFailures)...)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestANamespaceThatIsGoneIsForgotten: names come and go without an end.
func TestANamespaceThatIsGoneIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b breakers
		for i := range 1000 {
			namespace := fmt.Sprint("n", i)
			b.try(namespace)
			b.told(namespace, errors.New("failed"))
			b.ended(namespace, fails, 0)
		}
		time.Sleep(unusedAge + time.Minute)
		if b.try("shop"); len(b.of) != 1 {
			t.Errorf("%d are known", len(b.of))
		}
	})
}

// TestOneProbeAtATime: while the one request is under way the others do not wait for it.
func TestOneProbeAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &system{answer: func(ctx context.Context, _ metrics.Question) (metrics.Answer, error) {
			<-ctx.Done()
			return metrics.Answer{}, ctx.Err()
		}}
		s, _ := asking(client, 0)
		for range mostFailures {
			_, _ = s.Ask(t.Context(), asked(""))
		}
		time.Sleep(firstRest)
		for range 20 {
			go func() { _, _ = s.Ask(t.Context(), asked("")) }()
		}
		synctest.Wait()
		if got := client.asked.Load(); got != mostFailures+1 {
			t.Errorf("asked %d times, want one probe after %d failures", got, mostFailures)
		}
		time.Sleep(time.Minute)
	})
}

// TestWhoGivesUpSaysNothingOfTheSystem: a process that ends is no failure.
func TestWhoGivesUpSaysNothingOfTheSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &system{answer: func(ctx context.Context, _ metrics.Question) (metrics.Answer, error) {
			<-ctx.Done()
			return metrics.Answer{}, ctx.Err()
		}}
		s, logged := asking(client, 0)
		for range 2 * mostFailures {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_, _ = s.Ask(ctx, asked(""))
		}
		if got := client.asked.Load(); got != 2*mostFailures || logged.Len() != 0 {
			t.Errorf("asked %d times, want %d; the log: %v", got, 2*mostFailures, logged.All())
		}
	})
}

// TestABatchAnswersAsItGoes: each question once, also those that the client forgets.
func TestABatchAnswersAsItGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := asking(nil, 0)
		s.client = forgetful{}
		got := map[int]string{}
		(&together{s}).AskAll(t.Context(), make([]metrics.Question, 3), func(i int, a metrics.Answer, err error) {
			if err == nil {
				got[i] += a.External[0].Value.String()
				return
			}
			got[i] += withoutID(err)
		})
		want := map[int]string{0: "5", 1: "rabbit did not answer in 5s", 2: "rabbit has no queue of that name"}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

type forgetful struct{}

func (forgetful) Ask(ctx context.Context, _ []metrics.Question, answer func(int, metrics.Answer, error)) {
	five, err := counted(5)
	answer(0, five, err)
	answer(0, metrics.Answer{}, errors.New("again"))
	answer(2, metrics.Answer{}, unanswered("has no queue of that name", nil))
	answer(7, five, err)
	answer(-1, five, err)
	<-ctx.Done()
}

func (forgetful) Close() {}

// TestWhatIsLessSettles where a system only counts approximately: with each value goes what it was of late, or that this is not known.
func TestWhatIsLessSettles(t *testing.T) {
	for name, c := range map[string]struct {
		settle, every time.Duration
		values        []float64
		want          []string
	}{
		"zeros":               {time.Minute, 30 * time.Second, []float64{0, 0, 0, 5, 0, 0, 0, 0, 1, 0}, []string{"0 ?", "0 ?", "0", "5", "0 < 5", "0 < 5", "0", "0", "1", "0 < 1"}},
		"not only zeros":      {time.Minute, 30 * time.Second, []float64{500, 500, 500, 4, 500, 4, 3, 4, 4, 4}, []string{"500 ?", "500 ?", "500", "4 < 500", "500", "4 < 500", "3 < 500", "4", "4", "4"}},
		"less and less":       {time.Minute, 30 * time.Second, []float64{9, 9, 8, 7, 6, 6, 6, 8, 0, 6, 0, 6}, []string{"9 ?", "9 ?", "8 < 9", "7 < 9", "6 < 8", "6 < 7", "6", "8", "0 < 8", "6 < 8", "0 < 6", "6"}},
		"hardly ever asked":   {time.Minute, time.Hour, []float64{0, 0, 500, 0, 0}, []string{"0 ?", "0", "500", "0 < 500", "0"}},
		"nobody for a day":    {time.Minute, 24 * time.Hour, []float64{0, 0}, []string{"0 ?", "0"}},
		"hours":               {time.Hour, 15 * time.Minute, []float64{5, 0, 0, 0, 0, 0}, []string{"5 ?", "0 ?", "0 ?", "0 ?", "0 < 5", "0"}},
		"at once, by default": {0, time.Second, []float64{0, 5, 0}, []string{"0", "5", "0"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			value := 0.0
			s, logged := asking(&system{answer: func(context.Context, metrics.Question) (metrics.Answer, error) { return counted(value) }}, c.settle)
			var got []string
			for _, value = range c.values {
				a, err := s.Ask(t.Context(), asked(""))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, settled(a, c.settle))
				time.Sleep(c.every)
			}
			if diff := gocmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if logged.Len() > 0 {
				t.Errorf("the log: %v", logged.All())
			}
		})
	}
}

// settled is a value, and what it was of late, if that is more; "?" if it is not known.
func settled(a metrics.Answer, lasting time.Duration) string {
	text := a.External[0].Value.String()
	switch h := a.Hint; {
	case h.Settling.Duration == 0 && h.Recent == nil:
		return text
	case h.Settling.Duration != lasting:
		return text + " settles in " + h.Settling.Duration.String()
	case h.Recent == nil:
		return text + " ?"
	}
	return text + " < " + a.Hint.Recent.String()
}

// TestSettlingIsBounded: what is asked every second for an hour is kept in a few steps, and a value counts hardly longer than it should.
func TestSettlingIsBounded(t *testing.T) {
	now := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	for _, values := range []func(i int) int64{
		func(i int) int64 { return int64(20000 - i) },
		func(i int) int64 { return int64(i * 7919 % 1000) },
		func(i int) int64 { return int64(i % 2) },
	} {
		var l lately
		for i := range 10000 {
			l.add(*resource.NewQuantity(values(i), resource.DecimalSI), now.Add(time.Duration(i)*time.Second), time.Hour)
			if len(l.steps) > finest+2 {
				t.Fatalf("%d steps", len(l.steps))
			}
			most, mostAtMost := int64(0), int64(0)
			for k := max(0, i-3600+1); k <= i; k++ {
				most = max(most, values(k))
			}
			for k := max(0, i-3600-3600/finest-1); k <= i; k++ {
				mostAtMost = max(mostAtMost, values(k))
			}
			if got := l.steps[0].value.Value(); got < most || got > mostAtMost {
				t.Fatalf("after %d: %d, want %d to %d", i, got, most, mostAtMost)
			}
		}
	}
}

// tenants asks for so many namespaces every 15 seconds, and returns how many have no answer each time.
func tenants(t *testing.T, s *source, namespaces, periods int) (failed []int) {
	t.Helper()
	all := make([]metrics.Question, namespaces)
	for i := range all {
		all[i] = asked("")
		all[i].Namespace = fmt.Sprint("n", i)
	}
	for range periods {
		began, missing, answers := time.Now(), 0, make([]int, namespaces)
		limits := (&together{s}).Limits()
		ctx, cancel := context.WithTimeout(t.Context(), limits.Timeout-time.Second)
		(&together{s}).AskAll(ctx, all, func(i int, _ metrics.Answer, err error) {
			answers[i]++
			if err != nil {
				missing++
			}
		})
		if ctx.Err() != nil {
			t.Error("it takes longer than it says")
		}
		cancel()
		if slices.ContainsFunc(answers, func(n int) bool { return n != 1 }) {
			t.Errorf("a question is not answered once: %d", answers)
		}
		failed = append(failed, missing)
		time.Sleep(15*time.Second - time.Since(began))
	}
	return failed
}

// TestAllAreBackAtOnceAfterAnOutage, with few calls: it was the system, and nobody's question.
func TestAllAreBackAtOnceAfterAnOutage(t *testing.T) {
	for name, outage := range map[string]func(context.Context) error{
		"refused": func(context.Context) error { return fault("refused the connection", nil) },
		"silent":  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var broken atomic.Bool
				client := &system{answer: func(ctx context.Context, _ metrics.Question) (metrics.Answer, error) {
					if broken.Load() {
						return metrics.Answer{}, outage(ctx)
					}
					time.Sleep(time.Millisecond)
					return counted(1)
				}}
				s, _ := asking(client, 0)
				const namespaces = 200
				tenants(t, s, namespaces, 2)
				broken.Store(true)
				before := client.asked.Load()
				if got := tenants(t, s, namespaces, 4*8+mostFailures); slices.Min(got) != namespaces {
					t.Errorf("%d fail in the outage", got)
				}
				if calls := client.asked.Load() - before; calls > 150 {
					t.Errorf("it is called %d times in the outage of %d namespaces", calls, namespaces)
				}
				broken.Store(false)
				before = client.asked.Load()
				got := tenants(t, s, namespaces, 3)
				if calls := client.asked.Load() - before; !slices.Equal(got, []int{0, 0, 0}) || calls > 4 {
					t.Errorf("when it is back %d fail, with %d calls", got, calls)
				}
			})
		})
	}
}

// TestOneThatFailsACallKeepsFewWaitingAfterAnOutage: all the others are back within a few periods.
func TestOneThatFailsACallKeepsFewWaitingAfterAnOutage(t *testing.T) {
	for name, whatItAsks := range map[string]func(context.Context) error{
		"it panics":  func(context.Context) error { panic("secret") },
		"it is slow": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var broken atomic.Bool
				broken.Store(true)
				s, _ := asking(nil, 0)
				s.client = &allOrNothing{fails: func(ctx context.Context, q metrics.Question) error {
					switch {
					case broken.Load():
						return fault("refused the connection", nil)
					case q.Namespace == "n77":
						return whatItAsks(ctx)
					}
					return nil
				}}
				tenants(t, s, 200, 8+mostFailures)
				broken.Store(false)
				got := tenants(t, s, 200, 60)
				if at := slices.Index(got, 1); at < 0 || at > 6 || slices.Max(got[at:]) != 1 || slices.Min(got) != 1 {
					t.Errorf("of 200, so many have no answer: %d", got)
				}
			})
		})
	}
}

// allOrNothing answers all that it is asked at a time, or nothing.
type allOrNothing struct {
	fails func(context.Context, metrics.Question) error
}

func (c *allOrNothing) Ask(ctx context.Context, all []metrics.Question, answer func(int, metrics.Answer, error)) {
	var failure error
	for _, q := range all {
		failure = cmp.Or(failure, c.fails(ctx, q))
	}
	for i := range all {
		one, err := counted(1)
		answer(i, one, cmp.Or(failure, err))
	}
}

func (*allOrNothing) Close() {}

// TestWhoIsNotAskedIsToldOfNoDeadline: what is not sent for want of time is no failure of its own, and no line of the log.
func TestWhoIsNotAskedIsToldOfNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		s, logged := asking(&system{answer: func(ctx context.Context, _ metrics.Question) (metrics.Answer, error) {
			if silent.Load() {
				<-ctx.Done()
				return metrics.Answer{}, ctx.Err()
			}
			return metrics.Answer{}, fault("refused the connection", nil)
		}}, 0)
		tenants(t, s, 20, mostFailures)
		silent.Store(true)
		lines, told := logged.Len(), map[string]int{}
		all := make([]metrics.Question, 20)
		for i := range all {
			all[i] = asked("")
			all[i].Namespace = fmt.Sprint("n", i)
		}
		(&together{s}).AskAll(t.Context(), all, func(_ int, _ metrics.Answer, err error) { told[withoutID(err)]++ })
		want := map[string]int{"rabbit refused the connection": 19, "rabbit did not answer in 5s": 1}
		if diff := gocmp.Diff(want, told); diff != "" || logged.Len() != lines+1 {
			t.Errorf("%d lines more (-want +got):\n%s", logged.Len()-lines, diff)
		}
	})
}

// TestADeadlineOfWhoAsksSaysNothingOfTheSystem.
func TestADeadlineOfWhoAsksSaysNothingOfTheSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &system{answer: func(ctx context.Context, _ metrics.Question) (metrics.Answer, error) {
			<-ctx.Done()
			return metrics.Answer{}, ctx.Err()
		}}
		s, logged := asking(client, 0)
		for range 2 * mostFailures {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, _ = s.Ask(ctx, asked(""))
			cancel()
		}
		if got := client.asked.Load(); got != 2*mostFailures || logged.Len() != 0 {
			t.Errorf("asked %d times, want %d; the log: %v", got, 2*mostFailures, logged.All())
		}
	})
}
