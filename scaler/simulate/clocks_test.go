package simulate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// skewed is what was seen with the clocks of some pods' nodes ahead or behind: all that a kubelet stamps is, or the samples alone.
func skewed(s recommend.Snapshot, ahead time.Duration, which func(pod int) bool, alone bool) recommend.Snapshot {
	moved := map[string]bool{}
	for i, pod := range s.Pods {
		if !which(i) {
			continue
		}
		if moved[pod.Name] = true; alone {
			continue
		}
		off := *pod
		off.Started, off.Ready.Since = pod.Started.Add(ahead), pod.Ready.Since.Add(ahead)
		s.Pods[i] = &off
	}
	for i, right := range s.PodMetrics {
		if moved[right.Name] {
			off := *right
			off.Time = right.Time.Add(ahead)
			s.PodMetrics[i] = &off
		}
	}
	return s
}

// waited is what was seen if the pods had waited so long for a node.
func waited(s recommend.Snapshot, before time.Duration) recommend.Snapshot {
	for i, pod := range s.Pods {
		late := *pod
		late.Created, late.Scheduled = pod.Created.Add(-before), podspec.Condition{Status: corev1.ConditionTrue, Since: pod.Started}
		s.Pods[i] = &late
	}
	return s
}

// TestAClockThatIsPutBackIsFollowedSoon: by ten minutes, on all nodes, while the load steps up.
func TestAClockThatIsPutBackIsFollowedSoon(t *testing.T) {
	sizes := func(ahead time.Duration) (changed []time.Duration) {
		s := setup(t, "step:from=900,to=7000,at=5m2s", nil)
		s.Policy.Max, s.Duration = 40, 8*time.Minute
		s.distort = func(seen recommend.Snapshot) recommend.Snapshot {
			for i, right := range seen.PodMetrics {
				if right.Time.Sub(Epoch()) < 5*time.Minute {
					off := *right
					off.Time = off.Time.Add(ahead)
					seen.PodMetrics[i] = &off
				}
			}
			return seen
		}
		for _, e := range play(t, s).Evaluations {
			if e.Desired != e.Current && e.Moment.At > 5*time.Minute {
				changed = append(changed, e.Moment.At)
			}
		}
		return changed
	}
	right, putBack := sizes(0), sizes(10*time.Minute)
	if len(right) == 0 || len(putBack) == 0 || putBack[0] > right[0]+30*second {
		t.Errorf("changes at %v, with right clocks at %v; want the first at most two samples later", putBack, right)
	}
}

// TestClocksOfNodesDoNotMatter plays closed loops in which the clocks of nodes are off: the sizes over time are those with right clocks.
func TestClocksOfNodesDoNotMatter(t *testing.T) {
	quick := map[string]string{annotations.ScaleDownStabilization: "0s"}
	stories := map[string]struct {
		load  string
		pairs map[string]string
		// period and delay of the samples; 15 s and 5 s if not set.
		period, delay time.Duration
		// waited is how long the pods have waited for a node.
		waited time.Duration
	}{
		"a step out":             {load: "step:from=900,to=7000,at=2m"},
		"a step out and in":      {load: "spike:from=900,to=7000,at=2m,for=5m"},
		"in at once":             {load: "step:from=9000,to=5400,at=2m", pairs: quick},
		"in at once, and far":    {load: "step:from=9000,to=500,at=2m7s", pairs: quick},
		"in by a pod a minute":   {load: "step:from=4800,to=300,at=2m", pairs: map[string]string{annotations.ScaleDownPolicies: "1 pod/60s", annotations.ScaleDownStabilization: "0s"}},
		"steady":                 {load: "steady:load=2400", pairs: quick},
		"waves":                  {load: "sine:low=1000,high=8000,period=6m", pairs: quick},
		"waves, with the window": {load: "sine:low=1000,high=8000,period=6m"},
		"samples of 5 s":         {load: "sine:low=1000,high=8000,period=6m", pairs: quick, period: 5 * second, delay: second},
		"samples of 5 s, late":   {load: "sine:low=1000,high=8000,period=6m", pairs: quick, period: 5 * second, delay: 4 * second},
		"samples of 5 s, steady": {load: "steady:load=2400", pairs: quick, period: 5 * second, delay: second},
		"samples of a minute":    {load: "sine:low=1000,high=8000,period=6m", pairs: quick, period: time.Minute, delay: 10 * second},
		"in, read at once":       {load: "step:from=9000,to=1500,at=2m", pairs: quick, period: 15 * second},
		"in, the sample before":  {load: "step:from=9000,to=1500,at=2m", pairs: quick, period: 5 * second, delay: 8 * second},
		"in, 14 s old":           {load: "step:from=9000,to=1500,at=2m", pairs: quick, period: 5 * second, delay: 14 * second},
		"noise, 14 s old":        {load: "noise:load=4000,by=3000,every=45s,seed=3", pairs: quick, period: 5 * second, delay: 14 * second},
		"bursts, 18 s old":       {load: "burst:low=300,high=9000,period=5m,on=150s", pairs: quick, period: 15 * second, delay: 18 * second},
		"a minute for a node":    {load: "step:from=1000,to=9000,at=2m", period: 5 * second, delay: 4 * second, waited: time.Minute},
		"minutes for a node":     {load: "burst:low=300,high=9000,period=5m,on=150s", pairs: quick, period: 15 * second, delay: 14 * second, waited: 5 * time.Minute},
	}
	which := map[string]func(int) bool{
		"all": func(int) bool { return true }, "a third": func(pod int) bool { return pod%3 == 0 }, "half": func(pod int) bool { return pod%2 == 0 },
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			sizes := func(ahead time.Duration, which func(int) bool, alone bool) []Moment {
				s := setup(t, story.load, story.pairs)
				if story.period != 0 {
					s.MetricsPeriod, s.MetricsDelay = story.period, story.delay
				}
				s.Policy.Max, s.Duration, s.StartupMilli = 40, 8*time.Minute, 1900
				s.distort = func(seen recommend.Snapshot) recommend.Snapshot {
					return skewed(waited(seen, story.waited), ahead, which, alone)
				}
				return play(t, s).Moments
			}
			const little = 12 * second
			want := sizes(0, which["all"], false)
			for _, ahead := range []time.Duration{little, 20 * second, 40 * second, 60 * second, 10 * time.Minute, time.Hour} {
				for who, pods := range which {
					for _, ahead := range []time.Duration{ahead, -ahead} {
						for _, alone := range []bool{false, true} {
							if late := story.period > 0 && story.delay == 0 || story.delay > min(story.period, 10*second); alone && late || ahead.Abs() == little && (alone || ahead < 0) {
								continue // only the kubelets' stamps show how late the samples are, and only that they are later
							}
							if diff := cmp.Diff(want, sizes(ahead, pods, alone)); diff != "" {
								t.Errorf("%s of the nodes %s ahead, the samples alone: %t (-right clocks +got):\n%s", who, ahead, alone, diff)
							}
						}
					}
				}
			}
		})
	}
}
