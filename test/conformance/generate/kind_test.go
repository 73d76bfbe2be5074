package generate

import (
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// observations lets a workload live through all of its evaluations, with no autoscaler.
func observations(w *Workload, each func(pods []*corev1.Pod, measured []string)) {
	start := time.Unix(946684800, 0)
	w.Start(start)
	for tick := 1; tick <= w.Ticks; tick++ {
		s := w.Observe(start.Add(time.Duration(tick) * w.Period))
		var measured []string
		for _, m := range s.PodMetrics {
			measured = append(measured, m.Name)
		}
		each(w.objects(), measured)
	}
}

// TestPodsAreOwned: each pod has a name that no other has, and is controlled as pods of its workload's kind are.
func TestPodsAreOwned(t *testing.T) {
	owners := map[string][]string{
		"Deployment": {"apps/v1 ReplicaSet load-new", "apps/v1 ReplicaSet load-old"}, "StatefulSet": {"apps/v1 StatefulSet load"},
		"ReplicaSet": {"apps/v1 ReplicaSet load"}, "Rollout": {"apps/v1 ReplicaSet load-new", "apps/v1 ReplicaSet load-old"},
		"Fleet": {"example.com/v1beta2 Fleet load"},
	}
	seen := map[string]int{}
	for seed := range uint64(48) {
		w := New(seed)
		observations(w, func(pods []*corev1.Pod, measured []string) {
			var names []string
			for _, pod := range pods {
				names = append(names, pod.Name)
				owner := metav1.GetControllerOf(pod)
				if owner == nil || !slices.Contains(owners[w.Kind.Kind], owner.APIVersion+" "+owner.Kind+" "+owner.Name) {
					t.Fatalf("seed %d: %s of a %s is controlled by %v", seed, pod.Name, w.Kind.Kind, owner)
				}
				seen[w.Kind.Kind+" "+owner.Name]++
			}
			if doubled(names) || doubled(measured) {
				t.Fatalf("seed %d: of the pods %q and the samples %q some have one name", seed, names, measured)
			}
		})
	}
	for kind, names := range owners {
		if seen[kind+" load"] == 0 && (seen[kind+" load-new"] == 0 || seen[kind+" load-old"] == 0) {
			t.Errorf("not all owners of pods of a %s occurred; want %q", kind, names)
		}
	}
}

func doubled(names []string) bool {
	slices.Sort(names)
	return len(slices.Compact(slices.Clone(names))) < len(names)
}

// TestPodsWaitForTheirTurn: a pod of an OrderedReady StatefulSet is made alone, and when all with a lower number are there; of another,
// several are made at once.
func TestPodsWaitForTheirTurn(t *testing.T) {
	atOnce, again := map[appsv1.PodManagementPolicyType]int{}, 0
	for seed := range uint64(480) {
		w := New(seed)
		if !w.stateful() {
			continue
		}
		known := map[int]time.Time{}
		observations(w, func([]*corev1.Pod, []string) {
			there, _ := w.numbered()
			if len(known) == 0 { // all of the start
				for number, p := range there {
					known[number] = p.created
				}
				return
			}
			made := 0
			for number, p := range there {
				before, old := known[number]
				if old && before.Equal(p.created) {
					continue
				}
				if made++; old {
					again++
				}
				known[number] = p.created
				if lower := missingBelow(there, number); lower >= 0 && w.ordinals.policy == appsv1.OrderedReadyPodManagement {
					t.Fatalf("seed %d: pod %d is made and pod %d is missing", seed, number, lower)
				}
			}
			atOnce[w.ordinals.policy] = max(atOnce[w.ordinals.policy], made)
		})
	}
	if atOnce[appsv1.OrderedReadyPodManagement] != 1 || atOnce[appsv1.ParallelPodManagement] < 2 || again == 0 {
		t.Errorf("so many pods were made at once: %v, and %d under a name that had been there; want 1 of OrderedReady, several of Parallel, and some", atOnce, again)
	}
}

// missingBelow is a number below another that no pod has; -1 if there is none.
func missingBelow(there map[int]*pod, number int) int {
	for lower := range number {
		if there[lower] == nil {
			return lower
		}
	}
	return -1
}
