package metrics

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// crowd asks for many metrics in many namespaces, each again when an answer has come, as a controller does.
type crowd struct {
	readers *Readers
	// each namespace asks that many questions.
	namespaces, questions int
}

func (c *crowd) ask(key annotations.Key) {
	for n := range c.questions {
		q := Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Namespace: key.Namespace, Metric: fmt.Sprint(n)}
		_, _ = c.readers.Ask(key, q, 14*s)
	}
}

func (c *crowd) askAll() {
	for n := range c.namespaces {
		c.ask(annotations.DeploymentKey(fmt.Sprint("bad", n), "web"))
	}
}

// TestMetricsThatHangCostOthersNothing: the sources ignore their deadline and give up by one of their own.
func TestMetricsThatHangCostOthersNothing(t *testing.T) {
	for name, story := range map[string]struct {
		namespaces, questions int
		// learning is for how long others may wait until it is known which questions are slow.
		learning time.Duration
	}{
		"a few":              {1, 9, 0},
		"many":               {1, 15, 0},
		"more":               {1, 40, 0},
		"a few of two":       {2, 20, 0},
		"of many namespaces": {20, 2, 60 * s},
		"many of many":       {8, 20, 300 * s},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := func(_ context.Context, q Question) (Answer, error) {
					if strings.HasPrefix(q.Namespace, "bad") {
						time.Sleep(10 * s)
						return Answer{}, errors.New("timeout")
					}
					time.Sleep(20 * ms)
					return externalValues("1"), nil
				}
				c := &crowd{namespaces: story.namespaces, questions: story.questions}
				c.readers = NewReaders(ReadersConfig{Sources: both(source), OnAnswer: func(keys []annotations.Key) {
					for _, key := range keys {
						c.ask(key)
					}
				}})
				good := Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Namespace: "good", Metric: "backlog"}
				c.askAll()
				time.Sleep(s)
				_, _ = c.readers.Ask(annotations.DeploymentKey("good", "web"), good, 14*s)
				time.Sleep(s)
				for start := time.Now(); time.Since(start) < 600*s+story.learning; {
					_, err := c.readers.Ask(annotations.DeploymentKey("good", "web"), good, 14*s)
					if err != nil && time.Since(start) >= story.learning {
						t.Errorf("after %s: %v", time.Since(start), err)
					}
					c.askAll()
					time.Sleep(s)
				}
				c.readers.Close()
				time.Sleep(time.Minute)
			})
		})
	}
}

// TestTheNamespaceWithTheFewestTurnsIsNext, however many of another one were there before.
func TestTheNamespaceWithTheFewestTurnsIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns("external metrics API", 10)
		got, late := "", []string{}
		var mu sync.Mutex // each of those whose time is up is sent away by a timer of its own
		for i, namespace := range strings.Split("aaabbbcccdddddef", "") {
			turns.take(&waiter{origin: origin{namespace: namespace}, until: time.Now().Add(time.Duration(i) * s),
				begin: func() { got += namespace }, late: func(err error) {
					mu.Lock()
					defer mu.Unlock()
					late = append(late, fmt.Sprint(namespace, ": ", err))
				}})
		}
		for _, namespace := range []string{"a", "a", "d"} {
			turns.give(origin{namespace: namespace})
		}
		if want := "aaabbbcccd" + "ef" + "d"; got != want {
			t.Errorf("turns of %s, want %s", got, want)
		}
		time.Sleep(20 * s)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		const busy = `d: the external metrics API is still busy with 10 other questions`
		if diff := gocmp.Diff([]string{busy, busy, busy}, late); diff != "" {
			t.Errorf("late (-want +got):\n%s", diff)
		}
	})
}

// TestANamespaceThatAsksForAllKeepsNobodyFromAsking: 20,000 questions of one namespace, on an API that answers slowly, then one of
// another namespace. Those that wait take no goroutine each.
func TestANamespaceThatAsksForAllKeepsNobodyFromAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := func(context.Context, Question) (Answer, error) {
			time.Sleep(s)
			return externalValues("1"), nil
		}
		readers := NewReaders(ReadersConfig{Sources: both(source)})
		ask := func(namespace string, n int) error {
			_, err := readers.Ask(annotations.DeploymentKey(namespace, "web"),
				Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Namespace: namespace, Metric: fmt.Sprint(n)}, 15*s)
			return err
		}
		refused := 0
		for n := range 25_000 {
			if err := ask("greedy", n); err != nil && !errors.Is(err, ErrPending) {
				refused++
			}
		}
		if refused != 5000 {
			t.Errorf("%d of 25,000 questions were refused, want 5000", refused)
		}
		if n := runtime.NumGoroutine(); n > 50 {
			t.Errorf("%d goroutines wait", n)
		}
		if err := ask("modest", 0); !errors.Is(err, ErrPending) {
			t.Errorf("another namespace's question: %v", err)
		}
		time.Sleep(5 * s)
		if err := ask("modest", 0); err != nil {
			t.Errorf("another namespace's question, after 5 s: %v", err)
		}
		const want = `not asked: too many different custom and external metrics: there is room for 20000 in all, and namespace "greedy" has 20000 of the 20001 that are kept`
		if err := ask("greedy", 24_999); err == nil || err.Error() != want {
			t.Errorf("error %v\nwant  %s", err, want)
		}
		_ = ask("greedy", 0)
		if got := readers.Status().Questions; got != 20_000 {
			t.Errorf("%d questions after the greedy one asked again, want it to have given up one", got)
		}
		readers.Close()
		time.Sleep(time.Minute)
	})
}

// TestANamespacesValuesAreBounded, too: its answers fail beyond its share, those of others do not.
func TestANamespacesValuesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := func(context.Context, Question) (Answer, error) {
			values := make([]string, 40)
			for i := range values {
				values[i] = "1"
			}
			return externalValues(values...), nil
		}
		readers := NewReaders(ReadersConfig{Sources: both(source), MaxValues: 100})
		ask := func(namespace string, n int) string {
			_, err := readers.Ask(annotations.DeploymentKey(namespace, "web"),
				Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Namespace: namespace, Metric: fmt.Sprint(n)}, 15*s)
			return fmt.Sprint(err)
		}
		for n := range 3 {
			ask("greedy", n)
			time.Sleep(s)
		}
		ask("modest", 0)
		time.Sleep(s)
		const full = `not kept: too many values of custom and external metrics: there is room for 100 in all, and namespace "greedy" has 80 of the 80 that are kept`
		if diff := gocmp.Diff([]string{"<nil>", "<nil>", full, "<nil>"}, []string{ask("greedy", 0), ask("greedy", 1), ask("greedy", 2), ask("modest", 0)}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		readers.Close()
	})
}
