package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

const (
	// tick is how often the player looks.
	tick = 200 * time.Millisecond
	// lead is how long before a sample a load is set: late enough for it to be no news in that sample, and early enough to fill the next.
	lead = 300 * time.Millisecond
	// delay is how long a change waits for the Event that explains it and for the utilization that goes with it.
	delay = 2 * time.Second
)

// player plays phases and prints what can be seen of them from outside: replicas from the Deployments, the reason of each change from the
// Events, utilization from the metrics API. It asks the controller nothing.
type player struct {
	*stage
	out     io.Writer
	began   time.Time
	broken  func() error // why the play cannot go on
	now     map[string]*sight
	told    map[types.UID]string // the version of each Event that has explained a change
	newest  time.Time            // the newest sample's timestamp
	sampled time.Time            // when it was first seen
	failure error                // why the metrics API does not answer
}

// play plays phases one after the other until one fails. The error says so, or why the play could not go on.
func (p *player) play(ctx context.Context, phases []phase) error {
	p.now, p.told = map[string]*sight{}, map[types.UID]string{}
	for i, phase := range phases {
		fmt.Fprintf(p.out, "\n%d. %s: %s\n   %s.\n   Expected: %s.\n\n", i+1, phase.title, phase.load, phase.watch, phase.expect)
		v, err := p.act(ctx, phase)
		if err != nil {
			return fmt.Errorf("phase %q: %w", phase.title, err)
		}
		if !v.held {
			fmt.Fprintf(p.out, "\n   FAILED: %s.\n", v.says)
			return errors.Join(fmt.Errorf("phase %q did not show what it should: %s", phase.title, v.says), p.failure)
		}
		fmt.Fprintf(p.out, "\n   ok: %s.\n", v.says)
	}
	return nil
}

func (p *player) act(ctx context.Context, phase phase) (verdict, error) {
	var names []string
	for _, w := range phase.workloads {
		names = append(names, w.name)
		if p.now[w.name] != nil {
			continue
		}
		if err := errors.Join(p.create(ctx, w), p.setLoad(ctx, []string{w.name}, load{low: phase.load.low})); err != nil {
			return verdict{}, err
		}
		p.now[w.name] = &sight{replicas: 1, utilization: unknown}
	}
	if err := p.await(ctx, names); err != nil {
		return verdict{}, err
	}
	for _, name := range names {
		p.now[name].changes = nil
	}
	if err := p.setLoad(ctx, names, phase.load); err != nil {
		return verdict{}, err
	}
	return p.follow(ctx, phase, names)
}

// await waits until every workload is measured and, where all pods are sampled at the same moment, until just before the next one.
func (p *player) await(ctx context.Context, names []string) error {
	err := wait.PollUntilContextTimeout(ctx, tick, 2*(p.pace.sample+p.pace.start), true, func(ctx context.Context) (bool, error) {
		if err := p.look(ctx); err != nil {
			return false, err
		}
		measured := true
		for _, name := range names {
			measured = measured && p.now[name].utilization != unknown
		}
		return measured, nil
	})
	if err != nil {
		return fmt.Errorf("no sample of %v: %w", names, errors.Join(err, p.failure))
	}
	if p.simulated {
		select {
		case <-time.After(p.period - (time.Since(p.sampled)+lead)%p.period):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// follow prints a row for every change, and one every period, until the expectation is met or cannot be met any more.
func (p *player) follow(ctx context.Context, phase phase, names []string) (v verdict, err error) {
	began, printed, next := time.Since(p.began), map[string]int{}, time.Duration(0)
	p.row("TIME", "LOAD", names, func(string) (string, string) { return "UTILIZATION", "REPLICAS" }, "REASON")
	err = wait.PollUntilContextCancel(ctx, tick, true, func(ctx context.Context) (bool, error) {
		if err := p.look(ctx); err != nil {
			return false, err
		}
		now := time.Since(p.began)
		v = phase.expect.judge(seen{began, now - began, p.now})
		milli := func(at time.Duration) string { return fmt.Sprintf("%dm", phase.load.at(at-began, p.request)) }
		for _, name := range names {
			for _, c := range p.now[name].changes[printed[name]:] {
				if c.reason == "" && now-c.at < delay && !v.known {
					break
				}
				printed[name]++
				next = c.at + p.period*3/2 // a change comes with a sample, and so may the next one
				p.row(clock(c.at), milli(c.at), names, func(other string) (string, string) {
					if other == name {
						return p.cells(name, c.String(), c.to)
					}
					return p.cells(other, "", p.now[other].replicas)
				}, p.because(names, name, c.reason))
			}
		}
		if now >= next || v.known {
			next = now + p.period
			p.row(clock(now), milli(now), names, func(name string) (string, string) { return p.cells(name, "", p.now[name].replicas) }, "")
		}
		return v.known, nil
	})
	return v, err
}

func (p *player) because(names []string, name, reason string) string {
	if len(names) > 1 {
		return name + ": " + reason
	}
	return reason
}

// row prints a line of the table: plain text that is only ever appended, so that it reads the same on a terminal and in a file.
func (p *player) row(at, load string, names []string, cells func(name string) (utilization, replicas string), reason string) {
	line := fmt.Sprintf("%6s  %6s", at, load)
	for _, name := range names {
		utilization, replicas := cells(name)
		if at == "TIME" && len(names) > 1 {
			replicas = strings.ToUpper(name)
		}
		line += fmt.Sprintf("  %11s  %-19s", utilization, replicas)
	}
	fmt.Fprintln(p.out, strings.TrimRight(line+"  "+reason, " "))
}

// cells are a workload's: its utilization, and its replicas as a number, or a change, and a bar.
func (p *player) cells(name, change string, replicas int32) (string, string) {
	utilization := "-"
	if u := p.now[name].utilization; u != unknown {
		utilization = fmt.Sprintf("%d%%", u)
	}
	if change == "" {
		change = fmt.Sprint(replicas)
	}
	return utilization, fmt.Sprintf("%-8s %s", change, strings.Repeat("#", int(min(max(replicas, 0), limit))))
}

// clock is a moment of the demo in minutes and seconds, "1:05".
func clock(at time.Duration) string {
	at = at.Round(time.Second)
	return fmt.Sprintf("%d:%02d", int(at.Minutes()), int(at.Seconds())%60)
}

// rescaled is what the Event of a written change says; client-go's recorder puts something before it when it combines many.
var rescaled = regexp.MustCompile(`New size: (\d+); reason: (.*)$`)

// look notes what has changed of the workloads.
func (p *player) look(ctx context.Context) error {
	if err := p.broken(); err != nil {
		return err
	}
	deployments, err := p.client.AppsV1().Deployments(p.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("could not list the Deployments: %w", err)
	}
	for _, d := range deployments.Items {
		if w := p.now[d.Name]; w != nil && w.replicas != *d.Spec.Replicas {
			w.changes = append(w.changes, change{at: time.Since(p.began), from: w.replicas, to: *d.Spec.Replicas})
			w.replicas = *d.Spec.Replicas
		}
	}
	events, err := p.client.CoreV1().Events(p.namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=SuccessfulRescale"})
	if err != nil {
		return fmt.Errorf("could not list the Events: %w", err)
	}
	for _, e := range events.Items {
		if found := rescaled.FindStringSubmatch(e.Message); found != nil && p.told[e.UID] != e.ResourceVersion && p.explain(e.InvolvedObject.Name, found[1], found[2]) {
			p.told[e.UID] = e.ResourceVersion
		}
	}
	p.measure(ctx)
	return nil
}

// explain gives the oldest change to a size that has no reason yet the reason, and says whether there is one.
func (p *player) explain(name, size, reason string) bool {
	if p.now[name] == nil {
		return false
	}
	for i := range p.now[name].changes {
		if c := &p.now[name].changes[i]; c.reason == "" && strconv.Itoa(int(c.to)) == size {
			c.reason = reason
			return true
		}
	}
	return false
}

// measure asks the metrics API.
func (p *player) measure(ctx context.Context) {
	pods, err := p.metrics.MetricsV1beta1().PodMetricses(p.namespace).List(ctx, metav1.ListOptions{})
	if p.failure = err; err != nil {
		pods = &metricsv1beta1.PodMetricsList{} // it may be back soon
	}
	usage, requested := map[string]int64{}, map[string]int64{}
	for _, pod := range pods.Items {
		if pod.Timestamp.After(p.newest) {
			p.newest, p.sampled = pod.Timestamp.Time, time.Now()
		}
		requested[pod.Labels[label]] += p.request
		for _, container := range pod.Containers {
			usage[pod.Labels[label]] += container.Usage.Cpu().MilliValue()
		}
	}
	for name, w := range p.now {
		w.utilization = unknown
		if requested[name] > 0 {
			w.utilization = int32(usage[name] * 100 / requested[name])
		}
	}
}
