//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// lifetime is how long a workload of the churn exists: long enough for several samples and a change of its replicas.
const lifetime = 40 * time.Second

// churn is what mini-hpa holds while workloads come and go, and afterwards.
type churn struct {
	setting
	PerSecond int
	// Created counts the workloads, Lasted is for how long they came and went.
	Created int
	Lasted  time.Duration
	// Scaled is how often mini-hpa has changed the replicas of one meanwhile.
	Scaled float64
	// Before is before the first workload came, During once a minute, After when all have long gone.
	Before, After holding
	During        []holding
}

// holding is what mini-hpa holds at a moment.
type holding struct {
	At time.Duration
	// Heap is what the last garbage collection has left, in bytes; RSS what the kernel counts.
	Heap, RSS float64
	// Goroutines, Series of mini-hpa's own metrics and Workloads that are remembered.
	Goroutines, Series, Workloads float64
}

// measureChurn has no controllers but mini-hpa: the workloads' ReplicaSets and pods are made by hand, because the controllers of
// Kubernetes could not keep up on a small machine.
func measureChurn(ctx context.Context, s settings, program string, book *book) error {
	a := &arena{settings: s, program: program}
	closeAll, err := a.openBare(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	m := &annotated{arena: a}
	p, err := m.start(ctx)
	if err != nil {
		return err
	}
	defer p.Kill()
	c := &churn{PerSecond: s.perSecond}
	if c.setting, err = a.setting(ctx); err != nil {
		return err
	}
	if err := c.play(ctx, a, m, p); err != nil {
		return err
	}
	book.Churn = c
	return errors.Join(book.save(), c.leftovers())
}

// leftovers says what is kept of workloads that are gone, and whether more is held the longer they come and go. Go's maps and caches
// of bounded size keep some memory, which the first minutes fill.
func (c *churn) leftovers() error {
	const goroutines, growth = 5, 1.1
	if n := len(c.During); n >= 7 {
		if early, late := heapOf(c.During[1:4]), heapOf(c.During[n-3:]); late > growth*early {
			return fmt.Errorf("the heap grows: from %.1f to %.1f MiB", early/(1<<20), late/(1<<20))
		}
	}
	if b, a := c.Before, c.After; a.Series > b.Series || a.Workloads > b.Workloads || a.Goroutines > b.Goroutines+goroutines {
		return fmt.Errorf("something of the workloads is left: %s; before them: %s", a, b)
	}
	return nil
}

// heapOf is the mean.
func heapOf(held []holding) float64 {
	sum := 0.0
	for _, h := range held {
		sum += h.Heap
	}
	return sum / float64(len(held))
}

// openBare starts an API server with as good as no controllers, and no nodes.
func (a *arena) openBare(ctx context.Context) (closeAll func(), err error) {
	stop, err := a.boot(ctx, -1, "serviceaccount-controller")
	if err != nil {
		return nil, err
	}
	if a.client, err = kubernetes.NewForConfig(a.cluster.Config()); err == nil {
		a.load, err = loadsim.Start(ctx, a.cluster.Config(), loadsim.Options{Period: period})
	}
	if err != nil {
		stop()
		return nil, err
	}
	return func() { _ = a.load.Close(); stop() }, nil // the APIService goes with the cluster
}

// play lets workloads come and go, and reads what is held meanwhile.
func (c *churn) play(ctx context.Context, a *arena, m *annotated, p *process) (err error) {
	// The one that stays keeps the first samples from being special, and shows that the controller lives.
	crowd := newCrowd(a, c.PerSecond)
	if err := crowd.first(ctx); err != nil {
		return err
	}
	if err := a.quiet(ctx); err != nil {
		return err
	}
	began := time.Now()
	if c.Before, err = m.holding(ctx, p, began); err != nil {
		return err
	}
	say("before: %s", c.Before)
	done := make(chan error, 1)
	go func() { done <- crowd.run(ctx, a.churn) }()
	if err := c.watch(ctx, m, p, began, done); err != nil {
		return err
	}
	c.Created, c.Lasted = crowd.created, crowd.lasted
	if c.Scaled, err = m.scaled(ctx); err != nil {
		return err
	}
	// What is planned, queued or kept for a while longer has ended by then, and Go collects garbage every two minutes at the latest.
	if err := pause(ctx, 5*time.Minute/2); err != nil {
		return err
	}
	c.After, err = m.holding(ctx, p, began)
	say("after:  %s", c.After)
	return err
}

func (c *churn) watch(ctx context.Context, m *annotated, p *process, began time.Time, done <-chan error) error {
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-minute.C:
			h, err := m.holding(ctx, p, began)
			if err != nil {
				return err
			}
			say("        %s", h)
			c.During = append(c.During, h)
		}
	}
}

func (h holding) String() string {
	return fmt.Sprintf("%s: heap %.1f MiB, RSS %.1f MiB, %.0f goroutines, %.0f series, %.0f workloads", h.At.Round(time.Second), h.Heap/(1<<20), h.RSS/(1<<20),
		h.Goroutines, h.Series, h.Workloads)
}

// holding asks mini-hpa itself, and the kernel.
func (m *annotated) holding(ctx context.Context, p *process, began time.Time) (holding, error) {
	h := holding{At: time.Since(began)}
	page, err := m.page(ctx)
	if err != nil {
		return h, err
	}
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "mini_hpa_") || strings.HasPrefix(line, "kube_horizontalpodautoscaler_") {
			h.Series++
		}
	}
	goal, err1 := single(page, "go_memstats_next_gc_bytes")
	percent, err2 := single(page, "go_gc_gogc_percent")
	h.Heap = goal / (1 + percent/100)
	var err3, err4 error
	h.Goroutines, err3 = single(page, "go_goroutines")
	h.Workloads, err4 = single(page, "mini_hpa_num_horizontal_pod_autoscalers")
	rss, err5 := p.rss()
	h.RSS = float64(rss)
	return h, errors.Join(err1, err2, err3, err4, err5)
}

// scaled counts the reconciliations that changed the replicas.
func (m *annotated) scaled(ctx context.Context) (float64, error) {
	page, err := m.page(ctx)
	if err != nil {
		return 0, err
	}
	series, err := seriesOf(page, "mini_hpa_reconciliations_total")
	n := 0.0
	for _, s := range series {
		if strings.HasPrefix(s.labels["action"], "scale") && s.labels["error"] == "none" {
			n += s.value
		}
	}
	return n, err
}

func (c *churn) table() string {
	var rows strings.Builder
	row := func(when string, h holding) {
		fmt.Fprintf(&rows, "| %s | %.1f MiB | %.1f MiB | %.0f | %.0f | %.0f |\n", when, h.Heap/(1<<20), h.RSS/(1<<20), h.Goroutines, h.Series, h.Workloads)
	}
	row("before", c.Before)
	for _, h := range c.During {
		row(fmt.Sprintf("%.0f min", h.At.Minutes()), h)
	}
	row("after", c.After)
	return fmt.Sprintf("\n### Workloads that come and go\n\n%s. %d workloads in %s: %d a second are created, live for %s and are deleted, each with a ReplicaSet and a pod, while "+
		"mini-hpa scales them (%.0f times), by a set of samples at a time: each request that is under way is a goroutine. Heap is what a garbage collection leaves.\n\n"+
		"| | heap | RSS | goroutines | series | workloads |\n| --- | ---: | ---: | ---: | ---: | ---: |\n%s",
		c.setting, c.Created, c.Lasted.Round(time.Second), c.PerSecond, lifetime, c.Scaled, rows.String())
}
