package recommend

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// TestTheStartOfAPodDatesItsSamples: what is known of the offset otherwise is that a sample is at least a second old.
func TestTheStartOfAPodDatesItsSamples(t *testing.T) {
	const second, unknown = time.Second, time.Hour
	for name, test := range map[string]struct {
		// ahead is the sample's timestamp, told how old it is by the LISTs, both counted from now.
		ahead, told time.Duration
		// started is what the kubelet stamped after the node was chosen, or else after the creation; scheduled says that the former is known.
		started   time.Duration
		scheduled bool
		// want is how old it is, and kubelet how far that one is ahead.
		want, kubelet time.Duration
	}{
		"a right clock":                                {-7 * second, 7 * second, 0, true, 7 * second, 0},
		"a right clock, and a slow kubelet":            {-7 * second, 7 * second, 4 * second, true, 7 * second, 0},
		"a right clock, after a wait":                  {-7 * second, 7 * second, 10 * second, false, 7 * second, 0},
		"ahead, late":                                  {26 * second, second, 40 * second, true, 14 * second, 40 * second},
		"ahead, late, nobody knows when it was placed": {26 * second, second, 40 * second, false, 14 * second, 40 * second},
		"ahead, as late as can be":                     {21 * second, second, 40 * second, true, 19 * second, 40 * second},
		"ahead, and read at once":                      {39 * second, second, 40 * second, true, second, 40 * second},
		"a little ahead, at its word":                  {-2 * second, 2 * second, 12 * second, true, 14 * second, 12 * second},
		"behind, late":                                 {-54 * second, second, -40 * second, true, 14 * second, -40 * second},
		"behind, after a wait":                         {-54 * second, second, 20 * second, false, second, 0},
		"ten minutes behind":                           {-610 * second, second, -600 * second, true, 10 * second, -600 * second},
		"the clock was set right since":                {-7 * second, 7 * second, 600 * second, true, 7 * second, 0},
		"the clock has gone wrong since":               {-610 * second, second, 0, true, second, 0},
		"somebody else stamps the samples, ahead":      {590 * second, second, second, true, second, 0},
		"the pod has not started":                      {590 * second, second, unknown, false, second, 591 * second},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &podspec.Pod{Created: noon.Add(-time.Hour)}
			placed := pod.Created
			if test.scheduled {
				placed = placed.Add(10 * time.Minute) // it waited
				pod.Scheduled = podspec.Condition{Status: corev1.ConditionTrue, Since: placed}
			}
			if test.started != unknown {
				pod.Started = placed.Add(test.started)
			}
			u := usage{at: noon.Add(test.ahead), taken: noon.Add(-test.told), window: 15 * second}
			u.date(pod)
			if got := noon.Sub(u.taken); got != test.want {
				t.Errorf("the sample is %s old, want %s", got, test.want)
			}
			if got := u.kubelet; got != test.kubelet {
				t.Errorf("the kubelet is %s ahead, want %s", got, test.kubelet)
			}
		})
	}
}
