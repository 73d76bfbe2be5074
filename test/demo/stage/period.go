package stage

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// longestPeriod is the slowest metrics API the demo is played with, once a minute.
	longestPeriod = time.Minute
	// measured is how many samples are waited for: kubelets measure at moments of their own, so that single distances differ.
	measured = 5
	// look is the time between two looks at the timestamps.
	look = 500 * time.Millisecond
)

// periods are those that are in use; what is measured is rounded to one of them.
var periods = [...]time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 30 * time.Second, longestPeriod,
}

// measurePeriod waits for some new samples of the nodes and takes the average time between them.
func (s *Stage) measurePeriod(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*longestPeriod, errors.New("too few new samples of the nodes within five minutes"))
	defer cancel()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	var seen []time.Time
	for len(seen) < measured {
		newest, err := s.newestNodeSample(ctx)
		if err != nil {
			return 0, err
		}
		if len(seen) == 0 || newest.After(seen[len(seen)-1]) {
			seen = append(seen, newest)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("could not measure how often there is a new sample: %w", context.Cause(ctx))
		}
	}
	// The first may have been old when it was seen.
	return nearestPeriod(seen[measured-1].Sub(seen[1]) / (measured - 2)), nil
}

func (s *Stage) newestNodeSample(ctx context.Context) (time.Time, error) {
	list, err := s.Metrics.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return time.Time{}, fmt.Errorf("could not list the samples of the nodes: %w", err)
	}
	var newest time.Time
	for _, node := range list.Items {
		if node.Timestamp.After(newest) {
			newest = node.Timestamp.Time
		}
	}
	return newest, nil
}

// nearestPeriod rounds: timestamps have whole seconds, and kubelets take their samples when they like.
func nearestPeriod(measured time.Duration) time.Duration {
	best := periods[0]
	for _, p := range periods {
		if (p - measured).Abs() < (best - measured).Abs() {
			best = p
		}
	}
	return best
}
