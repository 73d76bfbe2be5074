package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// workload is a Deployment, or an object of another kind, under test with a record of its replicas.
type workload struct {
	t         *testing.T
	w         *world
	kind      annotations.Kind
	namespace string
	name      string
	mu        sync.Mutex
	points    []point
	changed   chan struct{}
	rest      func()  // ends the test's controller of it
	canary    float64 // the share of a Rollout's pods that are of a new template
}

// point is a number of replicas and when it was seen.
type point struct {
	at       time.Time
	replicas int32
}

// namespace makes one for the test; a test that needs two gives the second a suffix.
func (w *world) namespace(t *testing.T, suffix ...string) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name() + strings.Join(suffix, "")))
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := w.client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

// deploy creates a Deployment whose pods request 1 CPU each, with a constant load in millicores over all of them, and
// returns when its pods are ready.
func (w *world) deploy(t *testing.T, namespace, name string, replicas int32, load int64, pairs map[string]string) *workload {
	t.Helper()
	return w.run(t, deployments, namespace, name, replicas, load, pairs)
}

// workload is an object that does not exist yet.
func (w *world) workload(t *testing.T, kind annotations.Kind, namespace, name string) *workload {
	return &workload{t: t, w: w, kind: kind, namespace: namespace, name: name, changed: make(chan struct{}, 1)}
}

func prefixed(pairs map[string]string) map[string]string {
	made := map[string]string{}
	for key, value := range pairs {
		made["mini-hpa/"+key] = value
	}
	return made
}

func (d *workload) setLoad(millicores int64) {
	d.w.load.SetLoad(d.namespace, d.title(), loadsim.Constant(millicores))
}

// objects are the objects of the workload's kind in its namespace.
func (d *workload) objects() dynamic.ResourceInterface {
	return d.w.objects.Resource(d.kind.GroupVersionResource()).Namespace(d.namespace)
}

// record follows the replicas that are wanted until the test ends.
func (d *workload) record() {
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(d.w.objects, 0, d.namespace, func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("metadata.name", d.name).String()
	})
	see := func(object any) { d.see(d.kind.Read(object.(*unstructured.Unstructured)).Replicas) }
	informer := factory.ForResource(d.kind.GroupVersionResource()).Informer()
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, now any) { see(now) }}); err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	d.t.Cleanup(func() { cancel(); factory.Shutdown() })
}

func (d *workload) see(replicas int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.points); n == 0 || d.points[n-1].replicas != replicas {
		d.points = append(d.points, point{time.Now(), replicas})
		select {
		case d.changed <- struct{}{}:
		default:
		}
	}
}

func (d *workload) history() []point {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]point{}, d.points...)
}

// await returns when the replicas are what is wanted.
func (d *workload) await(replicas int32) point {
	d.t.Helper()
	timeout := time.After(patience)
	for {
		seen := d.history()
		if n := len(seen); n > 0 && seen[n-1].replicas == replicas {
			return seen[n-1]
		}
		select {
		case <-d.changed:
		case <-timeout:
			d.t.Fatalf("%s: replicas went %v, want %d at the end; Events: %v", d.name, seen, replicas, d.events())
		}
	}
}

// wantHistory compares the replicas since the beginning.
func (d *workload) wantHistory(want ...int32) {
	d.t.Helper()
	var got []int32
	for _, p := range d.history() {
		got = append(got, p.replicas)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		d.t.Errorf("%s: replicas went %v, want %v", d.name, got, want)
	}
}

// wantTurns compares the replicas at which their direction has changed, with those of the beginning and now. How many steps lead from one
// to the next depends on how much of a load the first sample shows.
func (d *workload) wantTurns(want ...int32) {
	d.t.Helper()
	var got []int32
	for _, p := range d.history() {
		if n := len(got); n > 1 && (got[n-1] > got[n-2]) == (p.replicas > got[n-1]) {
			got = got[:n-1]
		}
		got = append(got, p.replicas)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		d.t.Errorf("%s: replicas went %v, which turns at %v, want %v", d.name, d.history(), got, want)
	}
}

// annotate does what kubectl annotate does: a merge patch; "" removes a key.
func (d *workload) annotate(pairs map[string]string) {
	d.t.Helper()
	values := map[string]any{}
	for key, value := range prefixed(pairs) {
		if values[key] = value; value == "" {
			values[key] = nil
		}
	}
	d.patch(map[string]any{"metadata": map[string]any{"annotations": values}})
}

func (d *workload) patch(change map[string]any) {
	d.t.Helper()
	body, err := json.Marshal(change)
	if err != nil {
		d.t.Fatal(err)
	}
	_, err = d.objects().Patch(d.t.Context(), d.name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: "test"})
	if err != nil {
		d.t.Fatal(err)
	}
}

// events are the workload's, each as "count type reason message". That a write got no answer in time is left out: it is the machine's fault, and the controller finds
// out what has become of the write.
func (d *workload) events() []string {
	list, err := d.w.client.CoreV1().Events(d.namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return []string{err.Error()}
	}
	var lines []string
	for _, e := range list.Items {
		unanswered := e.Reason == "FailedRescale" && strings.Contains(e.Message, "imeout")
		if e.InvolvedObject.Kind == d.kind.Kind && e.InvolvedObject.Name == d.name && e.Source.Component == "mini-hpa" && !unanswered {
			lines = append(lines, fmt.Sprintf("%d %s %s %s", e.Count, e.Type, e.Reason, e.Message))
		}
	}
	return lines
}

// awaitEvent waits for one of a reason, or with these words, and returns it.
func (d *workload) awaitEvent(words string) string {
	d.t.Helper()
	var found string
	d.eventually("an Event "+words, func(context.Context) (bool, string) {
		for _, line := range d.events() {
			if strings.Contains(line, " "+words+" ") {
				found = line
			}
		}
		return found != "", fmt.Sprint(d.events())
	})
	return found
}

// eventually asks until it is so; the last answer is told if it never is.
func (d *workload) eventually(what string, is func(context.Context) (bool, string)) {
	d.t.Helper()
	eventually(d.t, what, is)
}

func eventually(t *testing.T, what string, is func(context.Context) (bool, string)) {
	t.Helper()
	var last string
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		so, seen := is(ctx)
		last = seen
		return so, nil
	})
	if err != nil {
		t.Fatalf("waited %s for: %s; last seen: %s", patience, what, last)
	}
}

// samples lets the metrics API publish so many further sample sets and returns when it published the last one.
func (w *world) samples(t *testing.T, n int) time.Time {
	t.Helper()
	at := time.Now()
	for range n {
		sample, err := w.load.AwaitSample(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		at = sample.Published
	}
	return at
}
