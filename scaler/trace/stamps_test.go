package trace

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// overloaded is an observation of 2 pods at 190 % of a target of 50 %, whose samples say that they are so many seconds old.
func overloaded(second, old int) recommend.Snapshot {
	s := bare(second, 2)
	long := noon.Add(-time.Hour)
	for _, name := range []string{"web-a", "web-b"} {
		s.Pods = append(s.Pods, &podspec.Pod{Name: name, Created: long, Started: long, Phase: corev1.PodRunning,
			Ready: podspec.Condition{Status: corev1.ConditionTrue, Since: long},
			Spec: &podspec.Spec{Containers: []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}}}})
		s.PodMetrics = append(s.PodMetrics, &sample.Pod{Name: name, Time: s.Time.Add(-time.Duration(old) * time.Second), Window: 15 * time.Second,
			Containers: []sample.Container{{Name: "app", Usage: sample.Usage{{Resource: corev1.ResourceCPU, Quantity: resource.MustParse("1900m")}}}}})
	}
	return s
}

// TestWhenASampleIsStale: one that advances is not, one whose timestamp stands still is after 45 s, wherever the node's clock stands.
func TestWhenASampleIsStale(t *testing.T) {
	policy := policyOf(t, map[string]string{"mini-hpa/min": "1", "mini-hpa/max": "20", "mini-hpa/target-cpu": "50"})
	for name, ahead := range map[string]int{"right": 0, "20 s ahead": 20, "10 min ahead": 600, "an hour ahead": 3600,
		"20 s behind": -20, "40 s behind": -40, "10 min behind": -600, "an hour behind": -3600} {
		t.Run(name, func(t *testing.T) {
			advancing, frozen := NewReplay(policy, recommend.DefaultRules()), NewReplay(policy, recommend.DefaultRules())
			var goes, stands []int32
			for i := range 6 {
				goes = append(goes, advancing.Next(overloaded(15*i, 2-ahead)).Desired)
				stands = append(stands, frozen.Next(overloaded(15*i, 2+15*i-ahead)).Desired)
			}
			if diff := cmp.Diff([]int32{6, 6, 6, 6, 6, 6}, goes); diff != "" {
				t.Errorf("advancing (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]int32{6, 6, 6, 2, 2, 2}, stands); diff != "" {
				t.Errorf("frozen (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWhatIsRecordedOfASamplesAgeCounts: the controller knew more than the trace's first observation shows.
func TestWhatIsRecordedOfASamplesAgeCounts(t *testing.T) {
	policy := policyOf(t, map[string]string{"mini-hpa/min": "1", "mini-hpa/max": "20", "mini-hpa/target-cpu": "50"})
	s := overloaded(0, -3600)
	s.Taken.PodMetrics = []time.Time{noon.Add(-time.Minute), noon.Add(-time.Minute)}
	o := NewReplay(policy, recommend.DefaultRules()).Next(s)
	want := "no usable cpu sample of any pod: 2 pods: 0 ready, 0 unready, 2 without a current sample, 0 ignored; the newest is 1m0s old"
	if o.Desired != 2 || o.Reason.String() != want {
		t.Errorf("%d: %s", o.Desired, o.Reason)
	}
}

// TestAFrozenSampleThatIsMissingFromTimeToTimeStaysStale: 2 pods at 1 % of a target of 50 %, of which nothing new is known.
func TestAFrozenSampleThatIsMissingFromTimeToTimeStaysStale(t *testing.T) {
	policy := policyOf(t, map[string]string{"mini-hpa/min": "1", "mini-hpa/max": "20", "mini-hpa/target-cpu": "50", "mini-hpa/scale-down-stabilization": "0s"})
	for _, every := range []int{2, 3, 5, 10} {
		for _, ahead := range []int{0, 600, -600} {
			replay := NewReplay(policy, recommend.DefaultRules())
			for i := range 40 {
				s := overloaded(15*i, 2+15*i-ahead)
				for _, p := range s.PodMetrics {
					p.Containers[0].Usage[0].Quantity = resource.MustParse("500m")
					if i > 0 {
						p.Containers[0].Usage[0].Quantity = resource.MustParse("10m")
					}
				}
				if i == 1 || i > 3 && i%every == 0 {
					s.PodMetrics = nil
				}
				if o := replay.Next(s); i > 3 && o.Desired != 2 {
					t.Errorf("missing from every %dth, %d s ahead: at %d s %d: %s", every, ahead, 15*i, o.Desired, o.Reason)
					break
				}
			}
		}
	}
}
