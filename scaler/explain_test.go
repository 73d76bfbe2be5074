package scaler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

func TestExplainNeitherWritesNorTells(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	e, err := Explain(t.Context(), c.scaler.observer, web)
	if err != nil || e.Decision.Desired != 5 || len(e.Decision.Steps) == 0 {
		t.Fatalf("explanation %+v, error %v; want a decision for 5", e.Decision, err)
	}
	c.wantWrites().wantEvents()
	ten := int32(10)
	c.deployment.Spec.Replicas, c.milliCPU = &ten, 50
	if e, err = Explain(t.Context(), c.scaler.observer, web); err != nil || e.Decision.Desired != 1 {
		t.Errorf("explanation %+v, error %v; want a scale-in to 1: nobody knows here what a window holds", e.Decision, err)
	}
	if len(c.scaler.Keys()) != 0 {
		t.Error("explaining is remembered")
	}
	for _, broken := range []struct {
		change func()
		want   string
	}{
		{func() { c.annotate(nil) }, "is not autoscaled"},
		{func() { c.annotate(map[string]string{"max": "10"}) }, "cannot be autoscaled"},
		{func() { c.deployment = nil }, "does not exist"},
	} {
		broken.change()
		if _, err := Explain(t.Context(), c.scaler.observer, web); err == nil || !strings.Contains(err.Error(), broken.want) {
			t.Errorf("error %v, want one that says %q", err, broken.want)
		}
	}
}

// TestExplainAsksWhatIsNotThereYet: the sources of metrics are asked at once, each question once, and not a workload's at 0 replicas.
func TestExplainAsksWhatIsNotThereYet(t *testing.T) {
	c := newCluster(t, quick())
	c.annotate(map[string]string{"max": "10", "metrics": `[{"type":"External","external":{"metric":{"name":"backlog"},"target":{"type":"AverageValue","averageValue":"10"}}},
		{"type":"External","external":{"metric":{"name":"lost"},"target":{"type":"AverageValue","averageValue":"10"}}}]`})
	c.answers = map[string]any{"backlog": int64(40), "lost": errors.New("gone")}
	e, err := Explain(t.Context(), c.scaler.observer, web)
	if err != nil || e.Decision.Desired != 4 || e.Snapshot.Errors["lost"] != "gone" || len(c.asked) != 2 {
		t.Errorf("desired %d, errors %v, asked %q, error %v; want 4 for 40 messages, what is lost, and two questions", e.Decision.Desired, e.Snapshot.Errors, c.asked, err)
	}
	zero := int32(0)
	c.deployment.Spec.Replicas, c.asked = &zero, nil
	if _, err := Explain(t.Context(), c.scaler.observer, web); err != nil || len(c.asked) > 0 {
		t.Errorf("asked %q, error %v; want nothing", c.asked, err)
	}
}

// api is a source of metrics that the tests ask.
type api func(context.Context, metrics.Question) (metrics.Answer, error)

// Ask is metrics.Source's.
func (ask api) Ask(ctx context.Context, q metrics.Question) (metrics.Answer, error) {
	return ask(ctx, q)
}

// String is metrics.Source's.
func (api) String() string { return "external metrics API" }

// Close is metrics.Source's.
func (api) Close() {}

func asking(ask api) *metrics.Readers {
	return metrics.NewReaders(metrics.ReadersConfig{Sources: map[string]metrics.Source{"external": ask}, Timeout: 10 * time.Second, Concurrency: 1000})
}

// TestAllQuestionsTakeAsLongAsOne: of many metrics that hang, each is said to, and one that works is read.
func TestAllQuestionsTakeAsLongAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		readers := asking(func(ctx context.Context, q metrics.Question) (metrics.Answer, error) {
			if strings.HasPrefix(q.Metric, "slow") {
				<-ctx.Done()
				return metrics.Answer{}, ctx.Err()
			}
			return metrics.Answer{External: []externalmetricsv1beta1.ExternalMetricValue{{Value: resource.MustParse("7")}}}, nil
		})
		defer readers.Close()
		var questions []metrics.Question
		for n := range 30 {
			questions = append(questions, metrics.Question{Source: "external", Namespace: "default", Metric: fmt.Sprint("slow", n)})
		}
		good := metrics.Question{Source: "external", Namespace: "default", Metric: "good"}
		start := time.Now()
		said, err := (&Observer{Answers: readers, Now: time.Now}).fetchAll(t.Context(), append(questions, good, good))
		if err != nil || time.Since(start) != 10*time.Second || len(said) != 31 {
			t.Errorf("%d answers, error %v after %s, want 31 and none after 10 s", len(said), err, time.Since(start))
		}
		for _, q := range questions {
			if err := said[q].err; err == nil || err.Error() != "the external metrics API did not answer within 10s" {
				t.Errorf("%s: %v", q.Metric, err)
			}
		}
		if r := said[good]; r.err != nil || len(r.answer.External) != 1 {
			t.Errorf("%v, error %v; want the value", r.answer, r.err)
		}
	})
}

// TestQuestionsThatAreBrokenOff are told as that, and not as sources that did not answer.
func TestQuestionsThatAreBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		readers := asking(func(ctx context.Context, _ metrics.Question) (metrics.Answer, error) {
			<-ctx.Done()
			return metrics.Answer{}, ctx.Err()
		})
		defer readers.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		q := metrics.Question{Source: "external", Metric: "slow"}
		said, err := (&Observer{Answers: readers, Now: time.Now}).fetchAll(ctx, []metrics.Question{q})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want that of the context", err)
		}
		if err := said[q].err; err == nil || err.Error() != "the external metrics API was not waited for: context deadline exceeded" {
			t.Errorf("error %v", err)
		}
	})
}

// TestExplainSeesTimestampsAsTheControllerDoes: an adapter whose clock is six minutes ahead has two series without labels, the second of
// which is twelve minutes older than the first. By our clock that does not look too old.
func TestExplainSeesTimestampsAsTheControllerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		readers := asking(func(context.Context, metrics.Question) (metrics.Answer, error) {
			value := func(at time.Duration) externalmetricsv1beta1.ExternalMetricValue {
				return externalmetricsv1beta1.ExternalMetricValue{Value: resource.MustParse("20"), Timestamp: metav1.NewTime(time.Now().Add(at))}
			}
			return metrics.Answer{External: []externalmetricsv1beta1.ExternalMetricValue{value(6 * time.Minute), value(-6 * time.Minute)}}, nil
		})
		defer readers.Close()
		c := newCluster(t, map[string]string{"max": "10", "metrics": `[{"type":"External","external":{"metric":{"name":"backlog"},"target":{"type":"AverageValue","averageValue":"10"}}}]`})
		observer := c.scaler.observer
		observer.Answers, observer.Now = readers, time.Now
		w := observer.Workloads.Workload(web)
		policy := observer.Review(w, annotations.Surroundings{}).Policy
		observer.Observe(w, policy, time.Time{})
		synctest.Wait()
		seen, _ := observer.Observe(w, policy, time.Time{})
		want, _ := observer.Rules.Recommend(policy, seen, recommend.Unremembered(policy, seen))
		got, err := Explain(t.Context(), observer, web)
		if diff := cmp.Diff(seen.Taken, got.Snapshot.Taken); err != nil || diff != "" || want.Desired != 1 || got.Decision.Desired != want.Desired {
			t.Errorf("error %v; %d replicas, want %d as the controller, which is 1; taken (-controller +explain):\n%s", err, got.Decision.Desired, want.Desired, diff)
		}
	})
}
