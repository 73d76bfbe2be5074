package simulate

import (
	"errors"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// Setup is what a simulation is made of. All times are whole seconds.
type Setup struct {
	// Workload is what is simulated, with its pod template and the replicas that it begins with; Policy is what its annotations say.
	Workload *annotations.Workload
	Policy   annotations.Policy
	// Rules are the administrator's settings. With Rules.Compat looks come once per sync period, as with the HPA
	// controller; without, also when there are new samples and when a window or a period ends, as with mini-hpa.
	Rules recommend.Rules
	// Load is CPU that is asked for, in millicores. Arrivals, if set, are messages instead; a pod that serves as many as it can uses the
	// CPU that it requests.
	Load     Load
	Arrivals *Arrivals
	// Start is the time at which it starts, which matters to a schedule; the zero value is Epoch.
	Start time.Time
	// Duration is how long to simulate.
	Duration time.Duration
	// Startup is the time from a pod's creation until it is ready. In its first half the pod is Pending.
	Startup time.Duration
	// OrderedReady says that a pod is created only when all others are ready, as those of a StatefulSet are (podManagementPolicy).
	OrderedReady bool
	// StartupMilli is the CPU in millicores that a pod uses while it runs and is not ready.
	StartupMilli float64
	// WarmUpMilli is the CPU in millicores that a pod uses, besides what its load takes, for WarmUp after it has become ready. The
	// first pods are past it.
	WarmUp      time.Duration
	WarmUpMilli float64
	// Rollout, if set, replaces all pods; Outage, if set, is when no metric can be read.
	Rollout *Rollout
	Outage  *Outage
	// MetricsPeriod is the time between two samples of a pod, MetricsDelay how much later they can be read;
	// it may be the longer one.
	MetricsPeriod, MetricsDelay time.Duration
	// Record, if set, gets the observations.
	Record *trace.Writer
	// Progress, if set, is called at each Tick.
	Progress func(at time.Duration)
	// distort, if set, makes of what there is what the controller sees of it.
	distort func(recommend.Snapshot) recommend.Snapshot
}

// DefaultSetup is the metrics API's usual period of 15 s, samples that are 5 s old when they can be read, and pods that
// need 20 s to start, for half an hour.
func DefaultSetup() Setup {
	return Setup{Rules: recommend.DefaultRules(), Duration: 30 * time.Minute, Startup: 20 * time.Second, WarmUp: 90 * time.Second,
		MetricsPeriod: 15 * time.Second, MetricsDelay: 5 * time.Second}
}

// check refuses what cannot be simulated.
func (s *Setup) check() error {
	if s.Workload == nil || s.Load.At == nil && s.Arrivals == nil {
		return errors.New("there is no workload or no load")
	}
	if s.Arrivals != nil {
		if s.Load.At != nil {
			return errors.New("there are both a load and arrivals; want one of them")
		}
		if err := s.Arrivals.check(&s.Policy); err != nil {
			return err
		}
	}
	if len(s.Workload.Template.Spec.Containers) == 0 {
		return errors.New("spec.template.spec.containers is empty; want at least one container, with its requests")
	}
	if n := s.Workload.Replicas; n < 0 || n > mostPods {
		return fmt.Errorf("it begins with %d replicas; a simulation has 0 to %d", n, mostPods)
	}
	if s.MetricsPeriod < Tick {
		return fmt.Errorf("the time between two samples is %s; want at least %s", s.MetricsPeriod, Tick)
	}
	times := []time.Duration{s.Duration, s.Startup, s.WarmUp, s.MetricsPeriod, s.MetricsDelay}
	if s.Rollout != nil {
		times = append(times, s.Rollout.At)
	}
	if s.Outage != nil {
		times = append(times, s.Outage.At, s.Outage.For)
	}
	if s.Arrivals != nil {
		times = append(times, s.Arrivals.Delay)
	}
	for _, d := range times {
		if d < 0 || d%Tick != 0 {
			return fmt.Errorf("%s is not a whole number of seconds from 0 up", d)
		}
	}
	return nil
}

// Begin is the time at which it starts.
func (s *Setup) Begin() time.Time {
	if s.Start.IsZero() {
		return Epoch()
	}
	return s.Start
}

// Request is the CPU request of one pod in millicores; 0 if it has none. Limits count as requests where there are none, as
// they do in a cluster.
func (s *Setup) Request() float64 { return newTemplate(s.Workload, s.Begin()).request("") }

// PerReplica is the load in millicores that one pod carries exactly at its CPU target; 0 without such a target, without
// the request that it is a percentage of, and if the container that it is about cannot use so much.
func (s *Setup) PerReplica() float64 {
	t := newTemplate(s.Workload, s.Begin())
	for i := range s.Policy.Metrics {
		m := &s.Policy.Metrics[i].Spec
		switch {
		case m.Resource != nil && m.Resource.Name == corev1.ResourceCPU:
			return atTarget(m.Resource.Target, t.request(""))
		case m.ContainerResource != nil && m.ContainerResource.Name == corev1.ResourceCPU:
			name := m.ContainerResource.Container
			return t.carried(name, atTarget(m.ContainerResource.Target, t.request(name)))
		}
	}
	return 0
}

// Tolerance is the fraction by which usage may be above its target without a change.
func (s *Setup) Tolerance() float64 {
	if s.Policy.Up.Tolerance == nil {
		return 0
	}
	return s.Policy.Up.Tolerance.AsApproximateFloat64()
}

func atTarget(target autoscalingv2.MetricTarget, request float64) float64 {
	switch {
	case target.AverageUtilization != nil:
		return request * float64(*target.AverageUtilization) / 100
	case target.AverageValue != nil:
		return target.AverageValue.AsApproximateFloat64() * 1000
	}
	return 0
}
