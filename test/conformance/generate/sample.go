package generate

import (
	"iter"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// sample is what the resource metrics API returns.
func (w *Workload) sample(s *recommend.Snapshot) {
	d, world := w.dice, &w.world
	if d.lasting(&world.quiet, w.mood.outage, 10) {
		s.MetricsError = "the server is currently unable to handle the request (get pods.metrics.k8s.io)"
		return
	}
	if d.chance(w.mood.empty) {
		return
	}
	blind := d.lasting(&world.blind, w.mood.blind, 8)
	for p := range w.allMeasured(blind) {
		s.PodMetrics = append(s.PodMetrics, w.podMetrics(p))
	}
	if d.chance(0.05) {
		d.Shuffle(len(s.PodMetrics), func(i, j int) { s.PodMetrics[i], s.PodMetrics[j] = s.PodMetrics[j], s.PodMetrics[i] })
	}
}

// allMeasured are the pods that have a sample now, some of which are gone; only every other one if it is blind. A name is measured once: a
// pod of a StatefulSet may be known by the sample of the one before it.
func (w *Workload) allMeasured(blind bool) iter.Seq[*pod] {
	return func(yield func(*pod) bool) {
		names := map[string]bool{}
		for i, p := range slices.Concat(w.world.pods, w.world.strays) {
			if blind && i%2 == 0 || !w.measured(p) || names[p.name] {
				continue
			}
			if names[p.name] = true; !yield(p) {
				return
			}
		}
	}
}

// measured says whether the pod has a sample now. Now and then even pods have one that do not run.
func (w *Workload) measured(p *pod) bool {
	if p.phase == corev1.PodPending {
		return w.dice.chance(0.15)
	}
	if p.samples.After(w.world.now) || p.unmeasured > 0 {
		return false
	}
	return p.phase == corev1.PodRunning || w.dice.chance(0.3)
}

func (w *Workload) podMetrics(p *pod) *sample.Pod {
	at, window := w.moment(p)
	m := &sample.Pod{Name: p.name, Namespace: Namespace, Time: at, Window: window}
	for _, c := range running(&p.spec) {
		m.Containers = append(m.Containers, sample.Container{Name: c.Name})
	}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		w.use(p, name, m.Containers)
	}
	if w.dice.chance(w.mood.hole) {
		w.hole(m)
	}
	return m
}

// moment is when the sample was taken and what it covers: some are old, some begin exactly at the pod's transition.
func (w *Workload) moment(p *pod) (time.Time, time.Duration) {
	d := w.dice
	window := pick(d, 10*time.Second, 15*time.Second, d.seconds(10, 30), 30*time.Second, time.Minute)
	at := w.world.now.Add(-d.seconds(0, 30))
	switch {
	case d.chance(0.12):
		at = p.turned.Add(window)
	case d.chance(0.06):
		at = p.turned.Add(window - time.Second)
	case d.chance(0.02):
		at = w.world.now.Add(-d.seconds(60, 600))
	}
	return at, window
}

// hole makes the sample incomplete.
func (w *Workload) hole(m *sample.Pod) {
	last := len(m.Containers) - 1
	switch w.dice.IntN(5) {
	case 0:
		m.Containers = m.Containers[:last]
	case 1:
		m.Containers = nil
	case 2:
		unmeasured(&m.Containers[last], corev1.ResourceCPU)
	case 3:
		unmeasured(&m.Containers[0], corev1.ResourceMemory)
	case 4:
		m.Containers = append(m.Containers, sample.Container{Name: "unknown", Usage: sample.UsageOf(corev1.ResourceList{
			"cpu": resource.MustParse("17m"), "memory": resource.MustParse("5Mi")})})
	}
}

func unmeasured(c *sample.Container, name corev1.ResourceName) {
	c.Usage = slices.DeleteFunc(c.Usage, func(a sample.Amount) bool { return a.Resource == name })
}

// use sets the usage of one resource so that the first metric that looks at it has its ratio. A metric of one container
// gets its ratio there.
func (w *Workload) use(p *pod, name corev1.ResourceName, containers []sample.Container) {
	wanted := map[string]*metric{}
	for _, m := range w.metrics {
		if of, container := m.resource(); of == name && wanted[container] == nil {
			wanted[container] = m
		}
	}
	left, spread := int64(-1), len(containers)
	if m := wanted[""]; m != nil {
		left = w.usage(p, m, podRequest(p, name))
	}
	for i := range containers {
		c := &containers[i]
		value := int64(50+w.dice.IntN(1000)) * perUnit(name)
		if left >= 0 {
			value = left / int64(spread-i)
		}
		if m := wanted[c.Name]; m != nil {
			value = w.usage(p, m, containerRequest(p, name, c.Name))
		}
		left = max(left-value, min(left, 0))
		c.Usage = append(c.Usage, sample.Amount{Resource: name, Quantity: *resource.NewMilliQuantity(value, resource.DecimalSI)})
	}
}

// usage is what the pod, or one container, must use for the metric to have its ratio, in thousandths.
func (w *Workload) usage(p *pod, m *metric, request int64) int64 {
	ratio, target := m.now, m.target()
	if !m.edge {
		ratio *= p.factor
	}
	value := 0.0
	if target.AverageUtilization != nil {
		percent := ratio * float64(*target.AverageUtilization)
		if m.edge {
			percent = math.Round(percent) + float64(m.nudge)
		}
		value = math.Ceil(float64(request) * percent / 100)
	} else {
		value = math.Round(ratio*float64(target.AverageValue.MilliValue())) + float64(m.nudge)
	}
	return int64(min(max(value, 0), 9.2e18))
}

// perUnit makes thousandths of a core and of bytes comparable: a core has about a GiB.
func perUnit(name corev1.ResourceName) int64 {
	if name == corev1.ResourceMemory {
		return 1 << 30
	}
	return 1
}

func podRequest(p *pod, name corev1.ResourceName) int64 {
	if p.spec.Resources != nil {
		if q, ok := p.spec.Resources.Requests[name]; ok {
			q = q.DeepCopy()
			q.Add(p.spec.Overhead[name])
			return q.MilliValue()
		}
	}
	sum := int64(0)
	for _, c := range running(&p.spec) {
		sum += c.Resources.Requests.Name(name, resource.DecimalSI).MilliValue()
	}
	return sum
}

func containerRequest(p *pod, name corev1.ResourceName, container string) int64 {
	for _, c := range running(&p.spec) {
		if c.Name == container {
			return c.Resources.Requests.Name(name, resource.DecimalSI).MilliValue()
		}
	}
	return 0
}
