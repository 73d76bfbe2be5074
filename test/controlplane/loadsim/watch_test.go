package loadsim

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
)

// fakeCluster is a watched fake API server; its simulation begins empty.
type fakeCluster struct {
	*simulation
	core *fake.Clientset
	meta *metadatafake.FakeMetadataClient
}

func watched(t *testing.T, o Options, objects ...runtime.Object) fakeCluster {
	t.Helper()
	o, err := o.complete()
	if err != nil {
		t.Fatal(err)
	}
	metaScheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(metaScheme); err != nil {
		t.Fatal(err)
	}
	c := fakeCluster{newSimulation(o, time.Now()), fake.NewClientset(objects...), metadatafake.NewSimpleMetadataClient(metaScheme)}
	w, err := newWatcher(c.core, c.meta, c.simulation)
	if err != nil {
		t.Fatal(err)
	}
	lifetime, end := context.WithCancel(context.Background())
	t.Cleanup(func() { end(); w.stop() })
	if err := w.start(t.Context(), lifetime); err != nil {
		t.Fatal(err)
	}
	return c
}

// meta makes the metadata of an object of that kind.
func (c fakeCluster) create(t *testing.T, gvk schema.GroupVersionKind, resource string, m *metav1.PartialObjectMetadata) {
	t.Helper()
	m.SetGroupVersionKind(gvk)
	if err := c.meta.Tracker().Create(gvk.GroupVersion().WithResource(resource), m, m.Namespace); err != nil {
		t.Fatal(err)
	}
}

func (c fakeCluster) delete(t *testing.T, gv schema.GroupVersion, resource, namespace, name string) {
	t.Helper()
	if err := c.meta.Tracker().Delete(gv.WithResource(resource), namespace, name); err != nil {
		t.Fatal(err)
	}
}

// shared is the load of the workload and how many ready pods share it.
func (c fakeCluster) shared() (millicores float64, ready int) {
	for _, p := range c.byWorkload()[shopWeb] {
		if p.isReady() {
			ready++
		}
	}
	return inForce(c.loads[shopWeb], time.Now()).at(time.Now()), ready
}

func TestWatcherFollowsTheCluster(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := watched(t, Options{}, webPod("before"))
		apps, core := appsv1.SchemeGroupVersion, corev1.SchemeGroupVersion
		c.create(t, apps.WithKind("ReplicaSet"), "replicasets", owned("web-1", "web-1-uid", controller("Deployment", "web")))
		c.create(t, core.WithKind("Node"), "nodes", &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}})
		pods := c.core.CoreV1().Pods("shop")
		for _, p := range []*corev1.Pod{webPod("after"), webPod("goes"), webPod("leaves"), webPod("wakes", pending)} {
			if _, err := pods.Create(t.Context(), p, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		controls := c.core.CoreV1().ConfigMaps("shop")
		if _, err := controls.Create(t.Context(), loadsOf("shop", map[string]string{"web": "900m"}), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if load, ready := c.shared(); load != 900 || ready != 4 {
			t.Errorf("load %v over %d pods, want 900 over 4", load, ready)
		}
		if len(c.nodes) != 1 {
			t.Errorf("nodes = %v, want node-1", c.nodes)
		}

		for _, name := range []string{"goes", "leaves"} {
			if err := pods.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := pods.Update(t.Context(), webPod("wakes"), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := controls.Delete(t.Context(), ControlName, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		c.delete(t, core, "nodes", "", "node-1")
		synctest.Wait()
		if load, ready := c.shared(); load != 0 || ready != 3 {
			t.Errorf("after the changes: load %v over %d pods, want 0 over 3", load, ready)
		}
		if len(c.nodes) != 0 {
			t.Errorf("nodes = %v, want none", c.nodes)
		}

		c.delete(t, apps, "replicasets", "shop", "web-1")
		synctest.Wait()
		if len(c.replicaSets) != 0 {
			t.Errorf("owners remembered: %v, want none", c.replicaSets)
		}
	})
}

func TestStartOfTheWatcherEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reports []string
		o, err := Options{Report: func(err error) { reports = append(reports, err.Error()) }}.complete()
		if err != nil {
			t.Fatal(err)
		}
		core := fake.NewClientset()
		core.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(corev1.Resource("pods"), "", errors.New("no"))
		})
		w, err := newWatcher(core, metadatafake.NewSimpleMetadataClient(metadatafake.NewTestScheme()), newSimulation(o, time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		lifetime, end := context.WithCancel(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.start(ctx, lifetime); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want the deadline", err)
		}
		end()
		w.stop()
		if len(reports) == 0 || !strings.Contains(reports[0], "pods is forbidden") {
			t.Errorf("reports = %q, want that pods are forbidden", reports)
		}
	})
}

func TestTombstonesAreOpened(t *testing.T) {
	t.Parallel()
	var got []string
	drop := func(p *corev1.Pod) { got = append(got, p.Name) }
	with(webPod("a"), drop)
	with(cache.DeletedFinalStateUnknown{Key: "shop/b", Obj: webPod("b")}, drop)
	with(cache.DeletedFinalStateUnknown{Key: "shop/c"}, drop)
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
		t.Errorf("pods dropped (-want +got):\n%s", diff)
	}
}
