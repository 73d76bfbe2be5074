package loadsim

import (
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// Sample tells of one published sample set.
type Sample struct {
	// Timestamp is the end of the window, as the samples carry it; on the wire it is cut to whole seconds.
	Timestamp time.Time
	// Published is when the API began to serve the set; zero before the first one.
	Published time.Time
	// Pods is the number of pods with a sample, before any fault.
	Pods int
}

// sampleSet is one tick's samples. It does not change once it is made.
type sampleSet struct {
	Sample
	pods map[types.UID]podSample
	// byNamespace are the keys of pods: a list of one namespace must not cost what the cluster does.
	byNamespace map[string][]types.UID
}

// podSample is what one pod used.
type podSample struct {
	workload    types.NamespacedName // zero if nothing controls the pod
	rank, count int                  // the pod's place by name among the sampled pods of its workload
	window      time.Duration
	containers  []metricsv1beta1.ContainerMetrics
}

// measure takes the sample of all pods for the window that ends at that time.
func (s *simulation) measure(at time.Time) *sampleSet {
	set := &sampleSet{Sample: Sample{Timestamp: at}, pods: make(map[types.UID]podSample, len(s.pods)), byNamespace: map[string][]types.UID{}}
	window := span{at.Add(-s.options.Window), at}
	for workload, group := range s.byWorkload() {
		used := divide(s.loads[workload], consumers(group), window)
		sampled := s.sampled(group, at)
		for rank, p := range sampled {
			width := min(s.options.Window, at.Sub(p.since))
			nanocores := math.Round(used[p.object.UID] / width.Seconds() * nanoPerMilli)
			set.pods[p.object.UID] = podSample{
				workload: workload, rank: rank, count: len(sampled), window: width,
				containers: containers(p.object, int64(nanocores)),
			}
			set.byNamespace[p.object.Namespace] = append(set.byNamespace[p.object.Namespace], p.object.UID)
		}
	}
	set.Pods = len(set.pods)
	s.prune(window.from)
	return set
}

// in are the keys of the pods in a namespace; "" is all.
func (set *sampleSet) in(namespace string) iter.Seq[types.UID] {
	if namespace == "" {
		return maps.Keys(set.pods)
	}
	return slices.Values(set.byNamespace[namespace])
}

func consumers(group []*pod) []consumer {
	cs := make([]consumer, 0, len(group))
	for _, p := range group {
		cs = append(cs, consumer{uid: p.object.UID, ready: p.ready, limit: limit(p.object)})
	}
	return cs
}

// sampled are the pods that have run long enough to be in a sample set of that time.
func (s *simulation) sampled(group []*pod, at time.Time) []*pod {
	var sampled []*pod
	for _, p := range group {
		if age := at.Sub(p.since); !p.gone && age > 0 && age >= s.options.FirstSample {
			sampled = append(sampled, p)
		}
	}
	return sampled
}

// prune forgets what no later window can reach.
func (s *simulation) prune(before time.Time) {
	for uid, p := range s.pods {
		p.ready = slices.DeleteFunc(p.ready, func(r span) bool { return !r.to.IsZero() && r.to.Before(before) })
		if p.gone && len(p.ready) == 0 {
			delete(s.pods, uid)
		}
	}
	for workload, loads := range s.loads {
		if loads = reachable(loads, before); loads == nil {
			delete(s.loads, workload)
			continue
		}
		s.loads[workload] = loads
	}
}

// reachable are the loads in force at that time or later; nil if that is none at all.
func reachable(loads []load, before time.Time) []load {
	for len(loads) > 1 && loads[1].from.Before(before) {
		loads = loads[1:]
	}
	if len(loads) == 1 && loads[0].curve == nil {
		return nil
	}
	return loads
}
