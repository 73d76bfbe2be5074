package metrics

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/client-go/tools/cache"
)

// crowd asks for many metrics in many namespaces, each again when an answer has come, as a controller does.
type crowd struct {
	readers *Readers
	// each namespace asks that many questions.
	namespaces, questions int
}

func (c *crowd) ask(key cache.ObjectName) {
	for n := range c.questions {
		q := Question{Type: autoscalingv2.ExternalMetricSourceType, Namespace: key.Namespace, Metric: fmt.Sprint(n)}
		_, _ = c.readers.Ask(key, q, 14*s)
	}
}

func (c *crowd) askAll() {
	for n := range c.namespaces {
		c.ask(cache.ObjectName{Namespace: fmt.Sprint("bad", n), Name: "web"})
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
				c.readers = NewReaders(ReadersConfig{Custom: source, External: source, OnAnswer: func(keys []cache.ObjectName) {
					for _, key := range keys {
						c.ask(key)
					}
				}})
				good := Question{Type: autoscalingv2.ExternalMetricSourceType, Namespace: "good", Metric: "backlog"}
				c.askAll()
				time.Sleep(s)
				_, _ = c.readers.Ask(cache.ObjectName{Namespace: "good", Name: "web"}, good, 14*s)
				time.Sleep(s)
				for start := time.Now(); time.Since(start) < 600*s+story.learning; {
					_, err := c.readers.Ask(cache.ObjectName{Namespace: "good", Name: "web"}, good, 14*s)
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
		turns := newTurns(externalAPI, 10)
		order := make(chan string, 20)
		arrive := func(namespace string) {
			go func() {
				if err := turns.take(t.Context(), []group{{namespace: namespace}}); err == nil {
					order <- namespace
				}
			}()
			synctest.Wait()
		}
		for _, namespace := range strings.Split("aaabbbcccdddddef", "") {
			arrive(namespace)
		}
		for _, namespace := range []string{"a", "a", "d"} {
			turns.give([]group{{namespace: namespace}})
			synctest.Wait()
		}
		got := ""
		for len(order) > 0 {
			got += <-order
		}
		if want := "aaabbbcccd" + "ef" + "d"; got != want {
			t.Errorf("turns of %s, want %s", got, want)
		}
		hurried, cancel := context.WithTimeout(t.Context(), s)
		defer cancel()
		const want = `the external metrics API is still busy with 3 other questions of namespace "b"`
		if err := turns.take(hurried, []group{{namespace: "b"}}); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	})
}
