package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// TestAnInterviewTakesAsLongAsOneQuestion: of many metrics that hang, each is said to, and one that works is read.
func TestAnInterviewTakesAsLongAsOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := func(ctx context.Context, q metrics.Question) (metrics.Answer, error) {
			if strings.HasPrefix(q.Metric, "slow") {
				<-ctx.Done()
				return metrics.Answer{}, ctx.Err()
			}
			return metrics.Answer{External: []externalmetricsv1beta1.ExternalMetricValue{{Value: resource.MustParse("7")}}}, nil
		}
		readers := interviewers(source, 10*time.Second)
		asked := &interview{ask: readers.Fetch, answers: map[metrics.Question]*reply{}}
		var questions []metrics.Question
		for n := range 30 {
			questions = append(questions, metrics.Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Namespace: "default", Metric: fmt.Sprint("slow", n)})
		}
		good := questions[0]
		good.Metric = "good"
		for _, q := range append(questions, good, good) {
			if _, err := asked.Ask(annotations.Key{}, q, 0); !errors.Is(err, metrics.ErrPending) {
				t.Errorf("%s was not asked yet: %v", q.Metric, err)
			}
		}
		start := time.Now()
		if err := asked.hold(t.Context()); err != nil || time.Since(start) != 10*time.Second {
			t.Errorf("error %v after %s, want none after 10 s", err, time.Since(start))
		}
		for _, q := range questions {
			if _, err := asked.Ask(annotations.Key{}, q, 0); err == nil || err.Error() != "the external metrics API did not answer within 10s" {
				t.Errorf("%s: %v", q.Metric, err)
			}
		}
		if answer, err := asked.Ask(annotations.Key{}, good, 0); err != nil || len(answer.External) != 1 {
			t.Errorf("%v, error %v; want the value", answer, err)
		}
		readers.Close()
	})
}

// TestAnInterviewThatIsBrokenOff says so, and not that an API did not answer.
func TestAnInterviewThatIsBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := func(ctx context.Context, _ metrics.Question) (metrics.Answer, error) {
			<-ctx.Done()
			return metrics.Answer{}, ctx.Err()
		}
		readers := interviewers(source, 10*time.Second)
		asked := &interview{ask: readers.Fetch, answers: map[metrics.Question]*reply{}}
		q := metrics.Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Metric: "slow"}
		_, _ = asked.Ask(annotations.Key{}, q, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := asked.hold(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want that of the context", err)
		}
		if _, err := asked.Ask(annotations.Key{}, q, 0); err == nil || err.Error() != "the external metrics API was not waited for: context deadline exceeded" {
			t.Errorf("error %v", err)
		}
		readers.Close()
	})
}

func interviewers(ask externalAPI, timeout time.Duration) *metrics.Readers {
	return metrics.NewReaders(metrics.ReadersConfig{Sources: map[string]metrics.Source{"external": ask}, Timeout: timeout, Concurrency: togetherAsked})
}

// externalAPI is a Source.
type externalAPI func(context.Context, metrics.Question) (metrics.Answer, error)

func (ask externalAPI) Ask(ctx context.Context, q metrics.Question) (metrics.Answer, error) {
	return ask(ctx, q)
}

func (externalAPI) String() string { return "external metrics API" }

func (externalAPI) Close() {}
