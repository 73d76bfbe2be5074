package scaler

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// TestNamesThatComeAndGoHaveLittleToTell: one who creates and deletes bad workloads is told of a few hundred times and then once in a
// few seconds, while nothing is left out of the others; how much is left out is said once a minute.
func TestNamesThatComeAndGoHaveLittleToTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget, logs := watchedBudget()
		quiet := annotations.DeploymentKey("quiet", "web")
		budget.arrive(quiet)
		var told, others int
		for i := range 60 * 300 { // 60 a second, for five minutes; each is there for a second
			key := annotations.DeploymentKey("noisy", fmt.Sprint("web-", i))
			budget.arrive(key)
			if budget.Take(key, EventInvalidAnnotations) {
				told++
			}
			if i >= 60 {
				budget.leave(annotations.DeploymentKey("noisy", fmt.Sprint("web-", i-60)))
			}
			if i%900 == 0 && budget.Take(quiet, EventSuccessfulRescale) {
				others++
			}
			time.Sleep(time.Second / 60)
		}
		if told < 500 || told > 800 || others != 20 {
			t.Errorf("told %d times of 18,000 of the one and %d times of 20 of the other, want 500 to 800, and all", told, others)
		}
		time.Sleep(time.Minute)
		said, leftOut := logs.TakeAll(), 0
		for _, line := range said {
			if line.ContextMap()["namespace"] != "noisy" {
				t.Errorf("said: %s %v", line.Message, line.ContextMap())
			}
			leftOut += int(line.ContextMap()["leftOut"].(int64))
		}
		if len(said) > 6 || leftOut != 18_000-told {
			t.Errorf("%d lines say that %d are left out, want one a minute and %d", len(said), leftOut, 18_000-told)
		}
	})
}

// TestABigNamespaceHasMuchToTell: each workload that is there counts.
func TestABigNamespaceHasMuchToTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget, logs := watchedBudget()
		for i := range 5000 {
			budget.arrive(annotations.DeploymentKey("big", fmt.Sprint("web-", i)))
		}
		for step := range 5 {
			for i := range 5000 {
				if !budget.Take(annotations.DeploymentKey("big", fmt.Sprint("web-", i)), EventSuccessfulRescale) {
					t.Fatalf("workload %d is not told of in step %d", i, step)
				}
			}
			time.Sleep(15 * time.Second)
		}
		if diff := cmp.Diff([]string(nil), lines(logs)); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
	})
}

// TestAReasonUsesUpNoOther: a workload of which the same is to be told again and again is told of 30 times, and once a minute from then on.
func TestAReasonUsesUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget, logs := watchedBudget()
		key := annotations.DeploymentKey("shop", "web")
		budget.arrive(key)
		told := 0
		for range 600 { // ten minutes
			if budget.Take(key, EventFailedGetResourceMetric) {
				told++
			}
			time.Sleep(time.Second)
		}
		if told < 39 || told > 41 {
			t.Errorf("told %d times, want 30 and one a minute", told)
		}
		if !budget.Take(key, EventSuccessfulRescale) {
			t.Error("another reason is not told")
		}
		if said := logs.Len(); said < 9 || said > 10 {
			t.Errorf("%d lines say what is left out, want one a minute", said)
		}
	})
}

// TestWorkloadsOfOneNameShareNoBudget: a workload of another kind that comes and goes neither renews what is told of its namesake, nor
// takes away its bounds.
func TestWorkloadsOfOneNameShareNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget, _ := watchedBudget()
		key := annotations.DeploymentKey("shop", "db")
		namesake := annotations.Key{Kind: schema.GroupKind{Group: "apps", Kind: "StatefulSet"}, Namespace: "shop", Name: "db"}
		budget.arrive(key)
		told := 0
		tell := func() {
			for range 2 * reasonShare {
				if budget.Take(key, EventFailedGetResourceMetric) {
					told++
				}
			}
		}
		tell()
		budget.arrive(namesake)
		tell()
		if !budget.Take(namesake, EventFailedGetResourceMetric) {
			t.Error("nothing is told of the namesake")
		}
		budget.leave(namesake)
		tell()
		if told != reasonShare {
			t.Errorf("told %d times at once, want %d", told, reasonShare)
		}
	})
}

// TestABudgetForgets namespaces of which nothing is left, after what they have used up is forgiven, and not before.
func TestABudgetForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget, _ := watchedBudget()
		for i := range 100 {
			for name := range 10 {
				key := annotations.DeploymentKey(fmt.Sprint("ns-", i), fmt.Sprint("web-", name))
				budget.arrive(key)
				budget.Take(key, EventInvalidAnnotations)
				budget.leave(key)
			}
			time.Sleep(time.Minute)
		}
		if n := len(budget.namespaces); n < 10 || n > 30 {
			t.Errorf("%d namespaces are remembered, want those of the last ten to twenty minutes", n)
		}
	})
}

// BenchmarkBudget is what telling costs, and what is remembered of a workload that is there and was told of.
func BenchmarkBudget(b *testing.B) {
	budget, _ := watchedBudget()
	const workloads = 100_000
	keys := make([]annotations.Key, workloads)
	for i := range keys {
		keys[i] = annotations.DeploymentKey(fmt.Sprint("ns-", i%100), fmt.Sprint("web-", i))
	}
	before := heap()
	for _, key := range keys {
		budget.arrive(key)
		budget.Take(key, EventSuccessfulRescale)
	}
	each := float64(heap()-before) / workloads
	i := 0
	for b.Loop() {
		budget.Take(keys[i%workloads], EventSuccessfulRescale)
		i++
	}
	b.ReportMetric(each, "B/workload")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
