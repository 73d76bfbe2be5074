package simulate

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// Simulate runs a setup to its end. The error says what of the setup cannot be simulated, that recording failed, or that
// ctx ended before.
func Simulate(ctx context.Context, s Setup) (*Run, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	w := newWorld(s)
	for w.now = 0; w.now <= s.Duration; w.now += Tick {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("stopped at %s: %w", w.now, context.Cause(ctx))
		}
		if s.Progress != nil {
			s.Progress(w.now)
		}
		w.roll()
		w.refresh()
		if w.due() {
			if err := w.evaluate(); err != nil {
				return nil, err
			}
		}
		w.pass()
	}
	w.run.Summary.Until(w.at(s.Duration))
	if w.backlog != nil {
		w.run.Messages = w.backlog.sum(s.Duration)
	}
	return &w.run, nil
}

// newWorld starts with pods that are ready, and with the samples of a past in which the load was as at the start.
func newWorld(s Setup) *world {
	w := &world{Setup: s, template: newTemplate(s.Workload, s.Begin()), replay: trace.NewReplay(s.Policy, s.Rules), perPod: s.PerReplica(), tolerated: s.Tolerance()}
	w.sampled = slices.ContainsFunc(s.Policy.Metrics, func(m annotations.Metric) bool { return m.Source == "" })
	if s.Arrivals != nil {
		w.backlog = newBacklog(*s.Arrivals, s.Duration)
	}
	w.replicas = s.Workload.Replicas
	w.evaluated = w.phase() - s.Policy.SyncPeriod
	// At 0 there has to be a sample of a whole period, however late samples are.
	past := (3 + (s.MetricsDelay+s.MetricsPeriod-1)/s.MetricsPeriod) * s.MetricsPeriod
	for range w.replicas {
		w.pods = append(w.pods, w.newPod(-past-s.Startup-s.WarmUp-time.Hour))
	}
	for w.now = -past; w.now < 0; w.now += Tick {
		w.refresh()
		w.use()
	}
	return w
}

// phase is when the first look is. mini-hpa looks at once; the HPA controller at a time that has nothing to do with that of the
// samples, so the mean of all is taken: half of the time goes by between a sample and the look at it that could. Messages are as old as they
// are whenever they are counted.
func (w *world) phase() time.Duration {
	if !w.Rules.Compat || w.messagesAlone() {
		return 0
	}
	return (w.MetricsDelay + min(w.Policy.SyncPeriod, w.MetricsPeriod)/2).Truncate(Tick) % max(w.Policy.SyncPeriod, Tick)
}

// messagesAlone says that messages arrive, and nothing that is sampled has a target.
func (w *world) messagesAlone() bool { return w.backlog != nil && !w.sampled }

// at is a time of the simulation as clocks show it.
func (w *world) at(d time.Duration) time.Time { return w.template.start.Add(d) }

// refresh scrapes the pods, and serves what was scraped when it is time.
func (w *world) refresh() {
	if w.fresh = false; w.messagesAlone() {
		return
	}
	until := w.at(w.now - w.MetricsDelay)
	for _, p := range w.pods {
		if w.now%w.MetricsPeriod == 0 {
			w.template.scrape(p, w.now, w.MetricsPeriod)
		}
		w.fresh = p.serve(until) || w.fresh
	}
	w.fresh = w.fresh && !w.Outage.on(w.now)
}

// due says whether the controller looks at the workload now.
func (w *world) due() bool {
	if w.Policy.Mode == annotations.ModePaused {
		return false
	}
	period := w.now-w.evaluated >= w.Policy.SyncPeriod
	if w.Rules.Compat {
		return period
	}
	return period || w.fresh || w.next > 0 && w.now >= w.next
}

// evaluate decides and, except in mode observe, does at once what was decided.
func (w *world) evaluate() error {
	s := w.snapshot()
	if w.Record != nil {
		if err := w.Record.Write(s); err != nil {
			return fmt.Errorf("cannot record: %w", err)
		}
	}
	decide := w.replay.Next
	if w.Policy.Mode == annotations.ModeObserve {
		decide = w.replay.Observe
	}
	o := decide(s)
	w.run.Summary.Add(o.Decision)
	w.run.Evaluations = append(w.run.Evaluations, Evaluation{Outcome: o, Moment: w.moment(), Usage: w.measured()})
	w.evaluated, w.next = w.now, 0
	if next := o.Decision.Next; !next.IsZero() {
		w.next = max(next.Sub(w.template.start), w.now+Tick)
	}
	if o.Desired > mostPods {
		return fmt.Errorf("at %s the replicas are to be %d; a simulation has at most %d", w.now, o.Desired, mostPods)
	}
	if w.Policy.Mode != annotations.ModeObserve && o.Desired != o.Current {
		if w.run.Changes++; w.replicas == 0 {
			w.run.Wakes++
		}
		w.scale(o.Desired)
	}
	return nil
}

// paused is who has set 0 replicas: whoever began with them, of a workload that may not sleep. The HPA controller takes it so of any.
func (w *world) paused() string {
	fewest, _ := w.Policy.Widest()
	if w.replicas == 0 && w.run.Changes == 0 && (fewest > 0 || w.Rules.Compat) {
		return "somebody"
	}
	return ""
}

// unreachable is what an outage is told as.
const unreachable = "the metrics API cannot be reached"

func (w *world) snapshot() recommend.Snapshot {
	s := recommend.Snapshot{Time: w.at(w.now), Replicas: w.replicas, Paused: w.paused(), StatusReplicas: int32(len(w.pods))}
	for _, p := range w.pods {
		s.Pods = append(s.Pods, w.template.object(p, w.now))
		if p.sample != nil && !w.Outage.on(w.now) {
			s.PodMetrics = append(s.PodMetrics, p.sample)
		}
	}
	if w.Outage.on(w.now) {
		s.MetricsError = unreachable
	}
	for i := range w.Policy.Metrics {
		m, why := &w.Policy.Metrics[i], "a simulation has CPU and memory only"
		if w.backlog != nil && m.IsTotal() {
			if why = unreachable; !w.Outage.on(w.now) {
				w.tell(&s, m)
				continue
			}
		}
		if m.Source == "" {
			continue
		}
		if s.Errors == nil {
			s.Errors = map[string]string{}
		}
		s.Errors[m.ID] = why
	}
	if w.distort != nil {
		s = w.distort(s)
	}
	return s
}

// tell adds the value of the metric to what the controller sees.
func (w *world) tell(s *recommend.Snapshot, m *annotations.Metric) {
	value, at := *resource.NewQuantity(w.backlog.value(w.now-w.backlog.Delay), resource.DecimalSI), metav1.NewTime(w.at(w.now-w.backlog.Delay))
	if m.Spec.Object == nil {
		s.ExternalMetrics = map[string][]externalmetricsv1beta1.ExternalMetricValue{m.ID: {{MetricName: m.Spec.External.Metric.Name, Timestamp: at, Value: value}}}
		return
	}
	about := m.Spec.Object.DescribedObject
	s.CustomMetrics = map[string][]custommetricsv1beta2.MetricValue{m.ID: {{Metric: custommetricsv1beta2.MetricIdentifier{Name: m.Spec.Object.Metric.Name},
		DescribedObject: corev1.ObjectReference{APIVersion: about.APIVersion, Kind: about.Kind, Namespace: w.Workload.Namespace, Name: about.Name}, Timestamp: at, Value: value}}}
}
