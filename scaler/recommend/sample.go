package recommend

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"

	"github.com/mini-hpa/mini-hpa/scaler/clock"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// usage is what one pod's sample says of one metric, in milli-units.
type usage struct {
	// found says that there is a sample and that it holds the metric.
	found bool
	value int64
	// at is the sample's timestamp, by the clock of the pod's node, and taken the same moment by that of the Snapshot.
	at, taken time.Time
	window    time.Duration
	// cpu marks usage that depends on whether the pod was ready: start-up burns CPU, not memory.
	cpu bool
}

// finder finds samples by the pod's name. They usually come in the order of the pods, which needs no map.
type finder struct {
	resources []*sample.Pod
	custom    []custommetricsv1beta2.MetricValue
	// taken is when they were taken.
	taken []time.Time
	next  int
	// byName are the samples that hold the metric; the last one of a name wins, as in the HPA.
	byName map[string]int
	// matched is how many pods a sample was found for.
	matched int
}

func (v *view) finder(d *draft, m *podMetric) *finder {
	f := &v.found
	*f = finder{resources: v.PodMetrics, taken: v.Taken.PodMetrics}
	if m.series != "" {
		*f = finder{}
		f.custom, f.taken = v.podValues(m)
	}
	if !v.repairs(RepairParticipants) {
		v.index(d, m)
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

// index looks at all samples at once.
func (v *view) index(d *draft, m *podMetric) {
	f := &v.found
	f.byName = make(map[string]int, f.len())
	for i := range f.len() {
		if v.usage(d, m, i, nil).found {
			f.byName[f.name(i)] = i
		}
	}
}

// find returns the index of a pod's sample, or -1.
func (v *view) find(d *draft, m *podMetric, pod string) int {
	f := &v.found
	if f.byName == nil {
		if f.next < f.len() && f.name(f.next) == pod {
			f.next++
			f.matched++
			return f.next - 1
		}
		v.index(d, m)
	}
	if i, ok := f.byName[pod]; ok {
		f.matched++
		return i
	}
	return -1
}

// usage reads the metric from a sample, into memory that the next one uses again; the pod is nil for a stray.
func (v *view) usage(d *draft, m *podMetric, i int, pod *corev1.Pod) *usage {
	u := &v.read
	*u = usage{}
	switch {
	case i < 0:
	case m.series != "":
		value := &v.found.custom[i]
		*u = usage{found: true, value: d.numbers.milli(value.Value), at: value.Timestamp.Time, window: clock.Window}
		if value.WindowSeconds != nil {
			u.window = time.Duration(*value.WindowSeconds) * time.Second
		}
	default:
		u.found = v.resourceUsage(d, m, v.PodMetrics[i], pod)
	}
	if u.found && u.value < 0 && v.negative(d) {
		u.found = false
	}
	if u.found {
		u.taken = taken(v.found.taken, i, u.at)
		if m.series == "" && pod != nil { // the values of custom metrics are stamped by their adapter
			u.date(pod)
		}
	}
	return u
}

// unsure is how far apart two of a kubelet's stamps may be that are of the same moment: they are cut to a second, and it has much to do.
const unsure = 5 * time.Second

// date puts the sample of a pod on the Snapshot's clock. What its timestamps show leaves open how old it was when it was first received;
// if the pod's start shows how far the kubelet's clock is ahead, it is known. It is not made newer, but for the second to which timestamps are cut.
//
//	the node's clock, 20 s ahead     12:00:20 started                     12:01:05 taken
//	ours                             12:00:00 placed     12:00:45 taken   12:00:59 received
func (u *usage) date(pod *corev1.Pod) {
	ahead := u.at.Sub(u.taken)
	started, certain := aheadAtStart(pod)
	if u.at.IsZero() || ahead == 0 && (!certain || started <= unsure) { // it is taken at its word
		return
	}
	if ahead-time.Second <= started && started < ahead+clock.Believable(u.window) {
		u.taken = u.at.Add(-started)
	}
}

// aheadAtStart is how far the kubelet's clock was ahead when it began with a pod, which it does at once when a node is chosen for the pod. Of
// a pod that does not say when that was, the creation is known, which may be long before; then it is not certain, and only the most
// that it may be ahead.
func aheadAtStart(pod *corev1.Pod) (ahead time.Duration, certain bool) {
	if pod.Status.StartTime == nil {
		return 0, false
	}
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.IsZero() {
			return pod.Status.StartTime.Sub(c.LastTransitionTime.Time), true
		}
	}
	return pod.Status.StartTime.Sub(pod.CreationTimestamp.Time), false
}

// kubeletAhead is how far the clock that has stamped the pod's conditions is ahead of the Snapshot's. It is that of the sample's
// timestamp, if the pod's start says so too. Otherwise somebody else has stamped the one or the other.
func (u *usage) kubeletAhead(pod *corev1.Pod) time.Duration {
	ahead := u.at.Sub(u.taken)
	if pod.Status.StartTime == nil {
		return ahead
	}
	if started, _ := aheadAtStart(pod); ahead < 0 && started > -unsure || ahead > 0 && started < ahead-unsure {
		return 0
	}
	return ahead
}

// began is when the sample's window began, by the clock of the Snapshot; zero if it does not say when it was taken.
func (u *usage) began() time.Time {
	if u.at.IsZero() {
		return time.Time{}
	}
	return u.taken.Add(-u.window)
}

// resourceUsage adds up the containers. As in the HPA, a pod counts only if every container was measured.
func (v *view) resourceUsage(d *draft, m *podMetric, s *sample.Pod, pod *corev1.Pod) bool {
	u, found := &v.read, false
	u.at, u.window, u.cpu = s.Time, s.Window, m.resource == corev1.ResourceCPU
	for i := range s.Containers {
		c := &s.Containers[i]
		if m.container != "" && m.container != c.Name || v.partial && v.omitted(m, pod, c.Name) {
			continue
		}
		q, ok := c.Usage.Of(m.resource)
		if !ok {
			return false
		}
		if q.Sign() < 0 && v.negative(d) {
			return false
		}
		u.value, found = d.numbers.add(u.value, d.numbers.milli(q)), true
		if m.container != "" {
			break
		}
	}
	return found
}

// negative repairs "what is below zero was measured": it is a missing sample. In the HPA it is subtracted from what the others use.
func (v *view) negative(d *draft) bool {
	return d.repaired(RepairNegative, v.repairs(RepairNegative))
}

// strays are samples of pods that do not exist. The HPA controller counts them, a part of the repair "only the pods that
// take part".
func (v *view) strays(d *draft, m *podMetric, c *cohort) {
	f := &v.found
	if f.len() == f.matched {
		return
	}
	known := make(map[string]bool, len(v.Pods))
	for _, pod := range v.Pods {
		known[pod.Name] = true
	}
	for i := range f.len() {
		name := f.name(i)
		if last, ok := f.byName[name]; known[name] || ok && last != i {
			continue
		}
		u := v.usage(d, m, i, nil)
		if u.found && !d.repaired(RepairParticipants, v.repairs(RepairParticipants)) {
			c.add(reading{usage: u.value, group: inStray})
		}
	}
}

// podValues are the custom metric's values that describe pods, and when they were taken.
func (v *view) podValues(m *podMetric) ([]custommetricsv1beta2.MetricValue, []time.Time) {
	values, times := v.CustomMetrics[m.series], v.Taken.CustomMetrics[m.series]
	for i := range values {
		if !describesPod(values[i]) {
			return podsOnly(values, times)
		}
	}
	return values, times
}

func describesPod(value custommetricsv1beta2.MetricValue) bool {
	return value.DescribedObject.Kind == "Pod" || value.DescribedObject.Kind == ""
}

func podsOnly(values []custommetricsv1beta2.MetricValue, times []time.Time) (pods []custommetricsv1beta2.MetricValue, ofPods []time.Time) {
	for i, value := range values {
		if describesPod(value) {
			pods, ofPods = append(pods, value), append(ofPods, taken(times, i, value.Timestamp.Time))
		}
	}
	return pods, ofPods
}
