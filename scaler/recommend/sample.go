package recommend

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// customWindow is what a custom metric's value covers if it does not say (HPA: metricServerDefaultMetricWindow).
const customWindow = time.Minute

// usage is what one pod's sample says of one metric, in milli-units.
type usage struct {
	// found says that there is a sample and that it holds the metric.
	found  bool
	value  int64
	at     time.Time
	window time.Duration
	// cpu marks usage that depends on whether the pod was ready: start-up burns CPU, not memory.
	cpu bool
}

// finder finds samples by the pod's name. They usually come in the order of the pods, which needs no map.
type finder struct {
	resources []*metricsv1beta1.PodMetrics
	custom    []custommetricsv1beta2.MetricValue
	next      int
	byName    map[string]int
	// seen are the samples that were found; kept only in order to find the strays.
	seen map[string]bool
}

func (v *view) finder(m *podMetric) *finder {
	f := &v.found
	*f = finder{resources: v.PodMetrics}
	if m.series != "" {
		*f = finder{custom: v.podValues(m)}
	}
	if v.Compat {
		f.seen = map[string]bool{}
		f.index()
	}
	return f
}

func (f *finder) len() int { return len(f.resources) + len(f.custom) }

func (f *finder) name(i int) string {
	if f.custom != nil {
		return f.custom[i].DescribedObject.Name
	}
	return f.resources[i].Name
}

func (f *finder) index() {
	f.byName = make(map[string]int, f.len())
	for i := range f.len() {
		f.byName[f.name(i)] = i
	}
}

// find returns the index of a pod's sample, or -1.
func (f *finder) find(pod string) int {
	if f.byName == nil {
		if f.next < f.len() && f.name(f.next) == pod {
			f.next++
			return f.next - 1
		}
		f.index()
	}
	i, ok := f.byName[pod]
	if !ok {
		return -1
	}
	if f.seen != nil {
		f.seen[pod] = true
	}
	return i
}

// usage reads the metric from a sample; the pod is nil for a stray.
func (v *view) usage(d *draft, m *podMetric, i int, pod *corev1.Pod) usage {
	switch {
	case i < 0:
		return usage{}
	case m.series != "":
		value := &v.found.custom[i]
		u := usage{found: true, value: d.numbers.milli(value.Value), at: value.Timestamp.Time, window: customWindow}
		if value.WindowSeconds != nil {
			u.window = time.Duration(*value.WindowSeconds) * time.Second
		}
		return u
	}
	return v.resourceUsage(d, m, v.PodMetrics[i], pod)
}

// resourceUsage adds up the containers. As in the HPA, a pod counts only if every container was measured.
func (v *view) resourceUsage(d *draft, m *podMetric, pm *metricsv1beta1.PodMetrics, pod *corev1.Pod) usage {
	u := usage{at: pm.Timestamp.Time, window: pm.Window.Duration, cpu: m.resource == corev1.ResourceCPU}
	for i := range pm.Containers {
		c := &pm.Containers[i]
		if m.container != "" && m.container != c.Name || v.omitted(m, pod, c.Name) {
			continue
		}
		q, ok := c.Usage[m.resource]
		if !ok {
			return usage{}
		}
		u.value, u.found = d.numbers.add(u.value, d.numbers.milli(q)), true
	}
	return u
}

// strays counts samples of pods that do not exist, as the HPA controller does.
func (v *view) strays(d *draft, m *podMetric, c *cohort, f *finder) {
	if !v.Compat {
		return
	}
	for i := range f.len() {
		if name := f.name(i); !f.seen[name] && f.byName[name] == i {
			if u := v.usage(d, m, i, nil); u.found {
				c.add(reading{usage: u.value, group: inStray})
			}
		}
	}
}

// podValues are the custom metric's values that describe pods.
func (v *view) podValues(m *podMetric) []custommetricsv1beta2.MetricValue {
	values := v.CustomMetrics[m.series]
	for i := range values {
		if !describesPod(values[i]) {
			return podsOnly(values)
		}
	}
	return values
}

func describesPod(value custommetricsv1beta2.MetricValue) bool {
	return value.DescribedObject.Kind == "Pod" || value.DescribedObject.Kind == ""
}

func podsOnly(values []custommetricsv1beta2.MetricValue) []custommetricsv1beta2.MetricValue {
	var pods []custommetricsv1beta2.MetricValue
	for _, value := range values {
		if describesPod(value) {
			pods = append(pods, value)
		}
	}
	return pods
}
