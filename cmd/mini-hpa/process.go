package main

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// process is one running controller.
type process struct {
	set        *informer.Set
	feed       *metrics.Feed
	readers    *metrics.Readers
	scaler     *scaler.Scaler
	leadership *leadership
	telemetry  *telemetry
	front      *front
	flush      func()          // sends the Events that are under way
	traces     *trace.Recorder // nil where nothing is recorded
	workers    int
	log        *zap.Logger
}

// run works until ctx ends, then takes everything down in reverse order: the term and its lease, Events, informers, and at
// last what others see of the process.
func (p *process) run(ctx context.Context) error { return p.front.run(ctx, p.work) }

// work fills the caches and takes part in the election until ctx ends.
func (p *process) work(parent context.Context) error {
	defer p.set.Wait()
	defer p.readers.Close()
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	defer p.endRecording()
	defer p.flush()
	if err := errors.Join(p.set.Start(ctx), p.front.neighbors.Fill(ctx)); err != nil {
		if parent.Err() != nil {
			return nil // told to end before the caches were filled
		}
		return err
	}
	p.log.Info("caches filled", zap.Int("selected", len(p.set.Selected())))
	debug.FreeOSMemory() // of the first lists, read all at once, little is kept
	return p.leadership.run(ctx)
}

// term is one term of leadership: samples are read and workloads evaluated until ctx ends. The first samples come before
// the first evaluation, which would otherwise find none and say so.
func (p *process) term(ctx context.Context) {
	p.telemetry.leading.Store(true)
	defer p.telemetry.leading.Store(false)
	defer p.scaler.Telemetry.Clear()
	if err := p.feed.Refresh(ctx); err != nil {
		p.log.Warn("no metrics at the start of the term", zap.Error(err))
	}
	p.forgetGone(ctx)
	var working sync.WaitGroup
	working.Go(func() { p.feed.Run(ctx) })
	working.Go(func() { p.set.Run(ctx, p.workers, p.scaler.Reconcile) })
	working.Wait()
}

// forgetGone looks at the workloads that are remembered from an earlier term but were deleted or un-annotated since. The
// queue of the new term holds only those that are selected now.
func (p *process) forgetGone(ctx context.Context) {
	selected := sets.New(p.set.Selected()...)
	for _, key := range p.scaler.Keys() {
		if selected.Has(key) {
			continue
		}
		if _, err := p.scaler.Reconcile(ctx, key); err != nil {
			p.failed(err)
		}
	}
}

// metricsChanged is told when the metrics API stops answering (err says why) and when it answers again (nil). Every
// workload's decision depends on it.
func (p *process) metricsChanged(err error) {
	if err != nil {
		p.log.Warn("no current metrics; nothing is scaled in until they are back", zap.Error(err))
	} else {
		p.log.Info("metrics are current")
	}
	p.set.EnqueueSelected()
}

// failed is told the errors that nobody else can handle.
func (p *process) failed(err error) { p.log.Error("will try again", zap.Error(err)) }
