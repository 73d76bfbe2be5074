package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// row is a row of the table of docs/zero.md: of a workload in a state, what somebody does, the state that it is in then, and what a value
// above 0 does.
type row struct{ is, done, then, wakes string }

// rows reads the table.
func rows(t *testing.T) []row {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "zero.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| it is | what happens | then it is | a value above 0 |\n| --- | --- | --- | --- |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var all []row
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 4 {
			t.Fatalf("docs/zero.md: %d cells, want 4: %s", len(cells), line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		all = append(all, row{cells[0], cells[1], cells[2], cells[3]})
	}
	if !found || len(all) < 10 {
		t.Fatalf("docs/zero.md has %d rows about who sets 0", len(all))
	}
	return all
}

// states are how a workload comes to be in a state of the table. All begin with a replica and a value above 0, unless they do not exist yet,
// and then the value is 0.
var states = map[string]struct {
	pairs map[string]string
	begin func(*workload) // before mini-hpa
	enter func(*workload)
}{
	"not there":            {},
	"asleep":               {enter: func(d *workload) { d.await(0) }},
	"awake":                {pairs: restless, enter: func(d *workload) { d.await(1) }},
	"awake, `min: \"1\"`":  {pairs: map[string]string{"min": "1"}, enter: func(d *workload) { d.await(1) }},
	"paused":               {pairs: restless, enter: (*workload).pause},
	"paused, `min: \"1\"`": {pairs: map[string]string{"min": "1"}, enter: (*workload).pause},
	"put to 0 by an HPA":   {begin: (*workload).addHPA, enter: func(d *workload) { d.await(0) }},
	"put to 0 by KEDA":     {begin: (*workload).addScaledObject, enter: func(d *workload) { d.scaleAs("keda-operator", 0) }},
}

// restless workloads do not fall asleep within a story.
var restless = map[string]string{"sleep-after": "1h"}

// drowsy workloads do not fall asleep between two commands of somebody.
var drowsy = map[string]string{"sleep-after": "20s"}

// pairsOf are the annotations of a row's workload that others do not have.
func pairsOf(of row) map[string]string {
	if strings.Contains(of.done, "after that") {
		return drowsy
	}
	return states[of.is].pairs
}

// actions are what somebody does.
var actions = map[string]func(*workload){
	"it is created with `replicas: 0`": func(d *workload) {
		d.create(d.manifest(0, sleepy(d.namespace, nil)), 0)
		d.record()
	},
	"`kubectl scale --replicas=0`":                      func(d *workload) { d.scaleBy(0) },
	"`kubectl scale --replicas=3`":                      func(d *workload) { d.scaleBy(3) },
	"`kubectl scale --replicas=3`, and `=0` after that": func(d *workload) { d.scaleBy(3); d.scaleBy(0) },
	"`kubectl apply` with `replicas: 0`":                func(d *workload) { d.apply(0) },
	"`kubectl apply` with `replicas: 2`":                func(d *workload) { d.apply(2) },
	"`kubectl apply --server-side` with `replicas: 0`":  func(d *workload) { d.apply(0, "--server-side") },
	"the same with `--force-conflicts`":                 func(d *workload) { d.apply(0, "--server-side", "--force-conflicts") },
	"`kubectl edit` to `replicas: 0`":                   func(d *workload) { d.set(0) },
	"`mini-hpa/mode: paused`":                           func(d *workload) { d.annotate(map[string]string{"mode": "paused"}) },
	"`mini-hpa/min: \"2\"`":                             func(d *workload) { d.annotate(map[string]string{"min": "2"}) },
	"the HPA is deleted":                                func(d *workload) { d.kubectl("", "delete", "hpa", d.name) },
	"the ScaledObject is deleted":                       func(d *workload) { d.kubectl("", "delete", "scaledobject", d.name) },
}

// pause is kubectl scale --replicas=0 of a workload that is awake.
func (d *workload) pause() {
	d.t.Helper()
	d.await(1)
	d.scaleBy(0)
	d.awaitState(`paused by "somebody"`)
}

// apply applies the workload's manifest with so many replicas. That mini-hpa owns them is a conflict of a server-side apply, which is refused.
func (d *workload) apply(replicas int32, flags ...string) {
	d.t.Helper()
	o, err := d.objects().Get(d.t.Context(), d.name, metav1.GetOptions{})
	if err != nil {
		d.t.Fatal(err)
	}
	m := d.manifest(replicas, nil)
	m.SetAnnotations(o.GetAnnotations())
	text, err := yaml.Marshal(m.Object)
	if err != nil {
		d.t.Fatal(err)
	}
	said, err := d.tryKubectl(string(text), append([]string{"apply", "-f", "-"}, flags...)...)
	for try := 0; err != nil && try < 3 && strings.Contains(said, "the object has been modified"); try++ { // by a wake at the same moment
		said, err = d.tryKubectl(string(text), append([]string{"apply", "-f", "-"}, flags...)...)
	}
	if refused := len(flags) == 1 && strings.Contains(said, `conflict with "mini-hpa" with subresource "scale"`); err != nil && !refused {
		d.t.Fatalf("kubectl apply %v: %v\n%s", flags, err, said)
	}
}

// addHPA gives the workload an HPA that scales it to zero.
func (d *workload) addHPA() {
	d.kubectl(fmt.Sprintf(`
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: %[1]s}
spec:
  minReplicas: 0
  maxReplicas: 40
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
  metrics: %[2]s
`, d.name, external(d.namespace, "100")), "create", "-f", "-")
}

// addScaledObject gives the workload a ScaledObject; the test plays KEDA.
func (d *workload) addScaledObject() {
	d.kubectl(fmt.Sprintf(`
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: %[1]s}
spec: {minReplicaCount: 0, maxReplicaCount: 40, scaleTargetRef: {name: %[1]s}}
`, d.name), "create", "-f", "-")
}

// TestZeroTable plays the table of docs/zero.md: who has set 0, and whether a value above 0 wakes the workload. Everything happens once
// while a controller looks on, and once while there is none, so that the next one knows only what the API server knows.
func TestZeroTable(t *testing.T) {
	t.Parallel()
	w := isolatedWith(t, samplePeriod, hpaToZero())
	w.install(t, "scaledobjects")
	for name, absent := range map[string]bool{"seen": false, "unseen": true} {
		t.Run(name, func(t *testing.T) { w.playTable(t, absent) })
	}
	t.Run("to an HPA", w.handOver)
}

// handOver gives a workload that sleeps to an HPA with minReplicas 0, which takes what it finds for a pause until somebody scales it.
func (w *world) handOver(t *testing.T) {
	ns := w.namespace(t)
	w.setQueue(ns, 250)
	d := w.begin(t, deployments, ns, "back", 1, 0, sleepy(ns, nil))
	d.record()
	w.controller(t, ns)
	d.await(3)
	w.setQueue(ns, 0)
	d.await(0)
	d.addHPA()
	d.kubectl("", "annotate", "deployment", d.name, annotations.Max+"-", annotations.Min+"-", annotations.Metrics+"-", annotations.ScaleDownStabilization+"-")
	w.setQueue(ns, 250)
	d.kubectl("", "wait", "hpa/"+d.name, "--for=jsonpath={.status.conditions[?(@.type=='ScalingActive')].reason}=ScalingDisabled", "--timeout=1m")
	w.samples(t, 2)
	d.wantHistory(1, 3, 0)
	d.scaleBy(1)
	d.await(3)
}

// install creates a CustomResourceDefinition of the tests of admission.
func (w *world) install(t *testing.T, file string) {
	t.Helper()
	d := w.workload(t, deployments, metav1.NamespaceDefault, "")
	path := filepath.Join("testdata", "admission", file+".yaml")
	d.kubectl("", "create", "-f", path)
	d.kubectl("", "wait", "--for=condition=Established", "-f", path)
}

// playTable plays all rows beside each other.
func (w *world) playTable(t *testing.T, absent bool) {
	ns, table := w.namespace(t), rows(t)
	w.setQueue(ns, 250)
	all := make([]*workload, len(table))
	for i, row := range table {
		state, known := states[row.is]
		if act := actions[row.done]; !known || act == nil {
			t.Fatalf("docs/zero.md has a row that nobody can play: %q", row)
		}
		all[i] = w.workload(t, deployments, ns, fmt.Sprint("row-", i+1))
		if row.is != "not there" {
			all[i].create(all[i].manifest(1, sleepy(ns, pairsOf(row))), 0)
			all[i].record()
		}
		if state.begin != nil {
			state.begin(all[i])
		}
	}
	c := w.controller(t, ns)
	for i, row := range table {
		if !strings.Contains(row.is, "not there") && !strings.Contains(row.is, "KEDA") {
			all[i].await(3)
		}
	}
	w.setQueue(ns, 0)
	for i, row := range table {
		if enter := states[row.is].enter; enter != nil {
			enter(all[i])
		}
		if states[row.is].begin != nil { // to be seen, and to be known for good
			actions[row.done](all[i])
			all[i].awaitState(row.then)
		}
	}
	if absent {
		c.terminate()
	}
	for i, row := range table {
		if states[row.is].begin == nil {
			actions[row.done](all[i])
		}
	}
	if absent {
		w.controller(t, ns)
	}
	written := make([]int, len(table))
	for i, row := range table {
		all[i].awaitOutcome(row.then)
		written[i] = len(all[i].ownWrites())
	}
	w.setQueue(ns, 250)
	for i, row := range table {
		if row.wakes != "does nothing" {
			all[i].await(3)
		}
	}
	w.samples(t, 2)
	for i, row := range table {
		seen := all[i].history()
		if writes := all[i].ownWrites(); row.wakes == "does nothing" && (seen[len(seen)-1].replicas != 0 || len(writes) != written[i]) {
			t.Errorf("%q: replicas went %v, by the writes %v after %d", row, seen, writes, written[i])
		}
		t.Logf("%s | %s | %s | %s: %v", row.is, row.done, row.then, row.wakes, sizes(seen))
	}
}

// sizes are the replicas of a history.
func sizes(seen []point) []int32 {
	var all []int32
	for _, p := range seen {
		all = append(all, p.replicas)
	}
	return all
}

// awaitOutcome waits for a state of the table.
func (d *workload) awaitOutcome(state string) {
	d.t.Helper()
	first, then, both := strings.Cut(state, ", then ")
	if both {
		d.eventually(d.name+" is "+first, func(context.Context) (bool, string) {
			seen := sizes(d.history())
			woke := slices.Index(seen, 0) + 1
			return woke > 0 && woke < len(seen) && seen[woke] > 0, fmt.Sprint(seen)
		})
		d.await(0)
		state = then
	}
	d.awaitState(state)
	if state == "paused" {
		d.awaitEvent("ScalingDisabled")
	}
}
