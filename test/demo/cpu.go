package main

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// lead is how long before a sample a load is set: late enough for it to be no news in that sample, and early enough to fill the next.
const lead = 300 * time.Millisecond

// cpu is the subject of the workshop: loads that cost CPU time, and the utilization that the metrics API makes of them.
type cpu struct {
	*stage
	newest   time.Time        // the newest sample's timestamp
	sampled  time.Time        // when it was first seen
	measured map[string]int64 // utilization of each workload that has a sample, in percent of what the measured pods request
}

func (*cpu) heads() (load, seen string) { return "LOAD", "UTILIZATION" }

func (*cpu) says(p phase) string { return p.load.String() }

func (c *cpu) load(p phase, since time.Duration) string {
	return fmt.Sprintf("%dm", p.load.at(since, c.request))
}

// put waits until every workload is measured and, where all pods are sampled at the same moment, until just before the next one.
func (c *cpu) put(ctx context.Context, p phase, fresh []string, look func(context.Context) error) error {
	if len(fresh) > 0 {
		if err := c.setLoad(ctx, fresh, load{low: p.load.low}); err != nil {
			return err
		}
	}
	names := p.names()
	err := wait.PollUntilContextTimeout(ctx, tick, 2*(c.pace.sample+c.pace.start), true, func(ctx context.Context) (bool, error) {
		if err := look(ctx); err != nil {
			return false, err
		}
		all := true
		for _, name := range names {
			_, measured := c.measured[name]
			all = all && measured
		}
		return all, nil
	})
	if err != nil {
		return fmt.Errorf("no sample of %v: %w", names, err)
	}
	if c.simulated {
		select {
		case <-time.After(c.period - (time.Since(c.sampled)+lead)%c.period):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return c.setLoad(ctx, names, p.load)
}

// look asks the metrics API.
func (c *cpu) look(ctx context.Context, now map[string]*sight) error {
	c.measured = map[string]int64{}
	pods, err := c.metrics.MetricsV1beta1().PodMetricses(c.namespace).List(ctx, metav1.ListOptions{})
	if err == nil {
		usage, requested := map[string]int64{}, map[string]int64{}
		for _, pod := range pods.Items {
			if pod.Timestamp.After(c.newest) {
				c.newest, c.sampled = pod.Timestamp.Time, time.Now()
			}
			requested[pod.Labels[label]] += c.request
			for _, container := range pod.Containers {
				usage[pod.Labels[label]] += container.Usage.Cpu().MilliValue()
			}
		}
		for name, milli := range requested {
			c.measured[name] = usage[name] * 100 / milli
		}
	}
	for name, w := range now {
		w.seen = unknown
		if percent, measured := c.measured[name]; measured {
			w.seen = fmt.Sprintf("%d%%", percent)
		}
	}
	return err
}
