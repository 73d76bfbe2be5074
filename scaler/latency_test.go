package scaler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// broker is a source that takes a while to answer, and knows of no message until a moment.
type broker struct {
	takes  time.Duration
	busy   time.Time
	asked  []time.Time
	woke   time.Time // when the first answer came that told of a message
	answer chan struct{}
}

func (b *broker) Ask(context.Context, metrics.Question) (metrics.Answer, error) {
	b.asked = append(b.asked, time.Now())
	messages := empty
	if time.Now().After(b.busy) {
		messages = some
	}
	time.Sleep(b.takes) // of a fake clock
	if messages > 0 && b.woke.IsZero() {
		b.woke = time.Now()
	}
	return metrics.Answer{External: []externalmetricsv1beta1.ExternalMetricValue{{MetricName: "backlog", Value: *quantity(messages)}}}, nil
}

func (b *broker) String() string { return "broker" }

func (b *broker) Close() {}

// TestAnAnswerWakesAtOnce: asleep, the source is asked once in a sync period, and what it says is decided on when it says it, not when the
// workload is looked at next.
func TestAnAnswerWakesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newWorker(t)
		c.overwrite(annotations.FieldManager, "scale", 0)
		b := &broker{takes: 20 * time.Millisecond, busy: time.Now().Add(10 * time.Minute), answer: make(chan struct{}, 1)}
		readers := metrics.NewReaders(metrics.ReadersConfig{Sources: map[string]metrics.Source{annotations.SourceExternal: b},
			OnAnswer: func([]annotations.Key) { b.answer <- struct{}{} }}) // the controller enqueues the keys
		defer readers.Close()
		c.scaler.observer.Answers, c.scaler.observer.Now = readers, time.Now
		for len(c.writes) == 0 {
			next, err := c.scaler.Reconcile(t.Context(), web)
			if err != nil || time.Since(b.busy) > time.Minute {
				t.Fatalf("still asleep, error %v", err)
			}
			if len(c.writes) > 0 {
				break
			}
			select {
			case <-b.answer:
			case <-time.After(next):
			}
		}
		if late := time.Since(b.woke); late != 0 || c.writes[0] != 3 {
			t.Errorf("wrote %v, %s after the answer", c.writes, late)
		}
		if late := b.woke.Sub(b.busy); late > tick+b.takes {
			t.Errorf("the answer came %s after the message", late)
		}
		for i, at := range b.asked[1:] {
			if pause := at.Sub(b.asked[i]); pause < tick*9/10 || pause > tick+b.takes {
				t.Errorf("question %d was asked %s after the one before, want a sync period", i+2, pause)
			}
		}
	})
}
