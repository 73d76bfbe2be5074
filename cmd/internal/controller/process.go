package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/cmd/internal/election"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// process is one running controller.
type process struct {
	set        *informer.Set
	feed       *metrics.Feed
	readers    *metrics.Readers
	scaler     *scaler.Scaler
	leadership *election.Leadership
	budget     *scaler.Budget
	outage     outage // of the resource metrics API
	telemetry  *telemetry
	ports      *ports
	activators *activators     // nil where there are none
	flush      func()          // sends the Events that are under way
	traces     *trace.Recorder // nil where nothing is recorded
	workers    int
	log        *zap.Logger
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

// unreadable is told when samples cannot be read, and with nil when all can again.
func (p *process) unreadable(err error) {
	if err != nil {
		p.log.Warn("pods count as without a sample", zap.Error(err))
	} else {
		p.log.Info("all samples can be read again")
	}
}

// metricsChanged is told when the metrics API stops answering (err says why) and when it answers again (nil). Every
// workload's decision depends on it.
func (p *process) metricsChanged(err error) {
	p.outage.changed(p.log, err)
	p.set.EnqueueSelected()
}

// sourcesChanged is told when the file of sources says something else. Any line may mean something else now.
func (p *process) sourcesChanged(apis map[string]metrics.Source) {
	p.readers.Replace(together(apis, p.ports.sources.Sources()))
	p.set.EnqueueSelected()
}

// outage is what the log says of the resource metrics API. As with a metric of a workload, a failure is told when it has lasted; what
// it holds back, it holds back at once.
type outage struct {
	mu    sync.Mutex
	spell scaler.Spell
	err   error       // of the last change
	again *time.Timer // looks when nothing changes
}

// changed takes in what the API does from now on.
func (o *outage) changed(log *zap.Logger, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
	o.look(log)
}

// look tells what there is to tell, and looks again when there may be more.
func (o *outage) look(log *zap.Logger) {
	o.stop()
	var news bool
	if o.spell, news = o.spell.Look(o.err != nil, time.Now()); news && o.err != nil {
		log.Warn("no current metrics; nothing is scaled in until they are back", zap.Error(o.err))
	} else if news {
		log.Info("metrics are current")
	}
	if due := o.spell.Due(); due > 0 {
		o.again = time.AfterFunc(due, func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.look(log)
		})
	}
}

// end forgets: nobody looks any more.
func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stop()
	o.spell, o.err = scaler.Spell{}, nil
}

func (o *outage) stop() {
	if o.again != nil {
		o.again.Stop()
	}
}

// failed is told the errors that nobody else can handle. Of a workload that fails again and again, and of namespaces in which many
// do, not all is said.
func (p *process) failed(err error) {
	if about := new(informer.WorkloadError); errors.As(err, &about) && !p.budget.Take(about.Key, "retry") {
		return
	}
	p.log.Error("will try again", zap.Error(err))
}

// recordingGrace is how long what has been seen may take to be written when the process ends.
const recordingGrace = 2 * time.Second

// endRecording writes what is left to be written.
func (p *process) endRecording() {
	if p.traces == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), recordingGrace)
	defer cancel()
	if err := p.traces.Close(ctx); err != nil {
		p.log.Warn("the end of the traces is missing", zap.Error(err))
	}
}

// sourcesEnv is what sources use of the process: its pods, and its readers; and where the API server is, to which none of them connects.
func (p *process) sourcesEnv(apiServer string) sources.Env {
	return sources.Env{
		Refused: addressesOf(apiServer),
		Again:   func(q metrics.Question) { p.readers.Again(q) },
		Pods: func(namespace string, selector labels.Selector) ([]*podspec.Pod, error) {
			pods, known := p.set.Counted(namespace, selector)
			if !known {
				return nil, fmt.Errorf("its pods are being listed: %w", metrics.ErrPending)
			}
			return pods, nil
		},
	}
}
