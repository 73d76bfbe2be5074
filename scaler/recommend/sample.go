package recommend

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/clock"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// sampleResolution is how often metrics-server publishes (its --metric-resolution), the slack of a sample's age.
const sampleResolution = 15 * time.Second

// sampleGrace is how long a pod may go without a usable sample before that is worth a warning: metrics-server needs
// two scrapes for the first sample, and the sample must begin after the pod became ready.
const sampleGrace = time.Minute

// usage is what one pod's sample says of one metric, in milli-units.
type usage struct {
	// found says that there is a sample and that it holds the metric.
	found bool
	value int64
	// at is the sample's timestamp, by the clock of the pod's node, and taken the same moment by that of the Snapshot.
	at, taken time.Time
	window    time.Duration
	// ahead is how far the clock of the timestamp is ahead of the Snapshot's, kubelet how far the one that has stamped the pod's conditions
	// is. They are 0 for custom metrics.
	ahead, kubelet time.Duration
	// cpu marks usage that depends on whether the pod was ready: start-up burns CPU, not memory.
	cpu bool
	// repairs are those that had a say in whether it was found.
	repairs Repairs
}

// samples are what one metric has of the pods: samples of their resources, or values of a custom metric. They usually are in the order of the
// pods; then each is found right after the one before it, without a map.
type samples struct {
	metric    *podMetric
	resources []*sample.Pod
	custom    []custommetricsv1beta2.MetricValue
	// taken is when they were taken.
	taken []time.Time
	// next is where the next pod's is expected, matched how many pods one was found for.
	next, matched int
	// byName has the samples that hold the metric. It is made when one is not where it is expected. The last one of a name wins, as in the HPA.
	byName map[string]int
	// positive says that what is below zero was not measured.
	positive bool
	// repairs are those that had a say in which samples hold the metric.
	repairs Repairs
}

func (f *samples) len() int { return len(f.resources) + len(f.custom) }

func (f *samples) name(i int) string {
	if f.custom != nil {
		return f.custom[i].DescribedObject.Name
	}
	return f.resources[i].Name
}

// index looks at all samples at once.
func (f *samples) index(n *numbers) {
	f.byName = make(map[string]int, f.len())
	for i := range f.len() {
		u := f.usage(n, i, nil)
		if f.repairs |= u.repairs; u.found {
			f.byName[f.name(i)] = i
		}
	}
}

// find returns the index of a pod's sample, or -1.
func (f *samples) find(n *numbers, pod string) int {
	if f.byName == nil {
		if f.next < f.len() && f.name(f.next) == pod {
			f.next++
			f.matched++
			return f.next - 1
		}
		f.index(n)
	}
	if i, ok := f.byName[pod]; ok {
		f.matched++
		return i
	}
	return -1
}

// of reads the metric from the sample of a pod, some of whose containers may be left out.
func (f *samples) of(n *numbers, pod *podspec.Pod, partial bool) (u usage) {
	i := f.find(n, pod.Name)
	switch {
	case i < 0:
		return u
	case partial:
		u = f.usage(n, i, pod)
	default:
		u = f.usage(n, i, nil)
	}
	if u.taken = taken(f.taken, i, u.at); f.metric.series == "" { // the values of custom metrics are stamped by their adapter
		u.date(pod)
	}
	return u
}

// usage reads the metric from a sample. The pod is known if containers of its are left out, else nil. It repairs "what is below zero was
// measured": it is a missing sample. In the HPA it is subtracted from what the others use.
func (f *samples) usage(n *numbers, i int, partial *podspec.Pod) (u usage) {
	m, below := f.metric, false
	if m.series == "" {
		s := f.resources[i]
		u.at, u.window, u.cpu = s.Time, s.Window, m.resource == corev1.ResourceCPU
		u.value, u.found, below = f.measured(n, s, partial)
	} else {
		value := &f.custom[i]
		u.value, u.found, u.at, u.window = n.milli(&value.Value), true, value.Timestamp.Time, clock.Window
		if value.WindowSeconds != nil {
			u.window = time.Duration(*value.WindowSeconds) * time.Second
		}
	}
	if f.positive && (below || u.found && u.value < 0) {
		u.found, u.repairs = false, RepairNegative
	}
	return u
}

// measured adds up the containers. As in the HPA, a pod counts only if every container was measured. Below says that what one of them
// uses is below zero.
func (f *samples) measured(n *numbers, s *sample.Pod, partial *podspec.Pod) (value int64, found, below bool) {
	m := f.metric
	for i := range s.Containers {
		c := &s.Containers[i]
		if m.container != "" && m.container != c.Name || partial != nil && m.leavesOut(partial, c.Name) {
			continue
		}
		q := c.Usage.Of(m.resource)
		if q == nil {
			return 0, false, false
		}
		if q.Sign() < 0 && f.positive {
			return 0, false, true
		}
		value, found = n.add(value, n.milli(q)), true
		if m.container != "" {
			break
		}
	}
	return value, found, false
}

// unsure is how far apart a kubelet's stamps of one moment may be: they are cut to a second, and a kubelet has much to do.
const unsure = 5 * time.Second

// date corrects when the sample of a pod was taken, and finds out which clock is how far ahead. How old a sample was when it was first received
// does not show in its timestamps. It does where the pod's start shows how far the kubelet's clock is ahead. That makes a sample older, and
// newer by no more than the second to which timestamps are cut.
//
//	the node's clock, 20 s ahead     12:00:20 started                     12:01:05 taken
//	ours                             12:00:00 placed     12:00:45 taken   12:00:59 received
func (u *usage) date(pod *podspec.Pod) {
	if u.at.Equal(u.taken) && pod.Placed().IsZero() {
		return // nothing speaks against it
	}
	u.ahead = u.at.Sub(u.taken)
	started := aheadAtStart(pod)
	atItsWord := u.at.IsZero() || u.ahead == 0 && started <= unsure
	if !atItsWord && u.ahead-time.Second <= started && started < u.ahead+clock.Believable(u.window) {
		u.taken, u.ahead = u.at.Add(-started), started
	}
	u.kubelet = u.ahead
	// If the pod's start says something else, it is not the kubelet that has stamped the sample.
	if !pod.Started.IsZero() && (u.ahead < 0 && started > -unsure || u.ahead > 0 && started < u.ahead-unsure) {
		u.kubelet = 0
	}
}

// aheadAtStart is how far the kubelet's clock was ahead when it began with the pod, which it does as soon as a node is chosen. Where the pod
// does not say when that was, it is counted from the creation, which may be long before; then it is the most that the clock may be ahead.
func aheadAtStart(pod *podspec.Pod) time.Duration {
	switch placed := pod.Placed(); {
	case pod.Started.IsZero():
		return 0
	case !placed.IsZero():
		return pod.Started.Sub(placed)
	default:
		return pod.Started.Sub(pod.Created)
	}
}

// lasts is how old a sample may be. A window of 0 is that of a value of one moment, which says nothing about how
// often there is a new one.
func (u *usage) lasts() time.Duration {
	window := u.window
	if window <= 0 {
		window = clock.Window
	}
	return 2*window + sampleResolution
}

// taken is the i-th of some times, or else what the timestamp says.
func taken(times []time.Time, i int, timestamp time.Time) time.Time {
	if i < len(times) && !times[i].IsZero() {
		return times[i]
	}
	return timestamp
}
