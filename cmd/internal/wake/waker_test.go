package wake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/fake"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// town is a cluster with some workloads. Each that gets replicas has a pod that is ready some seconds later, or never.
type town struct {
	*waker
	said   []string
	scaled []string
	start  map[string]time.Duration
	refuse func(name string) error // nil: nobody is in the way of a write
	client *fake.FakeDynamicClient
}

const crd = "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: pools.example.com}, spec: {group: example.com, scope: Namespaced, names: {kind: Pool, plural: pools}, versions: [" +
	"{name: v1, served: true, storage: true, subresources: {scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}}]}}"

func newTown(t *testing.T, objects ...string) *town {
	t.Helper()
	kinds := map[schema.GroupVersionResource]string{
		{Group: "apps", Version: "v1", Resource: "deployments"}: "DeploymentList", {Group: "apps", Version: "v1", Resource: "statefulsets"}: "StatefulSetList", {Group: "apps", Version: "v1", Resource: "replicasets"}: "ReplicaSetList",
		{Version: "v1", Resource: "pods"}: "PodList", {Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}: "EndpointSliceList", {Group: "example.com", Version: "v1", Resource: "pools"}: "PoolList",
		{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}: "CustomResourceDefinitionList",
	}
	var all []runtime.Object
	for _, text := range append(objects, crd) {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
			t.Fatal(err)
		}
		o.SetResourceVersion("1")
		if o.GetManagedFields() == nil { // as a manifest has
			o.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`)}})
		}
		all = append(all, o)
	}
	w := &town{client: fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, all...), start: map[string]time.Duration{}}
	w.waker = &waker{objects: w.client, scales: w, timeout: time.Minute, propagation: 10 * time.Second, tell: func(format string, args ...any) { w.said = append(w.said, fmt.Sprintf(format, args...)) }}
	return w
}

// Scale is scaler.Scales'.
func (w *town) Scale(ctx context.Context, of *annotations.Workload, replicas int32) (string, error) {
	if of.Version == "" && of.Replicas == 0 {
		return "", errors.New("a Scale omits 0: a patch cannot test for it")
	}
	if w.refuse != nil {
		if err := w.refuse(of.Name); err != nil {
			return "", err
		}
	}
	w.scaled = append(w.scaled, fmt.Sprintf("%s %d", of.Title(), replicas))
	kind := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: of.Resource}
	if of.Kind.Group != "apps" {
		kind.Group = of.Kind.Group
	}
	client := w.client.Resource(kind).Namespace(of.Namespace)
	o, err := client.Get(ctx, of.Name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if of.Replicas != 0 && replicas == 0 { // the controller: its pod ends some seconds later
		go func() {
			time.Sleep(3 * time.Second)
			_ = w.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(of.Namespace).Delete(ctx, "mini-hpa-1", metav1.DeleteOptions{})
		}()
	}
	_ = unstructured.SetNestedField(o.Object, int64(replicas), "spec", "replicas")
	if _, err := client.Update(ctx, o, metav1.UpdateOptions{}); err != nil {
		return "", err
	}
	if takes, ready := w.start[of.Name]; ready {
		go func() {
			time.Sleep(takes)
			_ = unstructured.SetNestedField(o.Object, int64(1), "status", "readyReplicas")
			_, _ = client.Update(ctx, o, metav1.UpdateOptions{})
		}()
	}
	return "", nil
}

const sleeps1 = `{mini-hpa/min: "0", mini-hpa/max: "3", mini-hpa/sources: "prom rps", mini-hpa/wake: requests`

func at0(kind, name, more, spec string) string {
	return fmt.Sprintf(`{apiVersion: apps/v1, kind: %s, metadata: {name: %s, namespace: shop, annotations: %s%s}}, spec: {replicas: %s}}`, kind, name, sleeps1, more, spec)
}

const slice = `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: mini-hpa-web, namespace: shop, labels: {endpointslice.kubernetes.io/managed-by: mini-hpa}}}`

// TestWhoIsWoken: who sleeps, and nobody else.
func TestWhoIsWoken(t *testing.T) {
	managed := func(manager string) string {
		return fmt.Sprintf(`, managedFields: [{manager: %s, subresource: scale, operation: Update, fieldsV1: {"f:spec": {"f:replicas": {}}}}]`, manager)
	}
	paused := strings.Replace(at0("Deployment", "paused", "", "0"), "namespace: shop", "namespace: shop"+managed("kubectl-scale"), 1)
	unsigned := strings.Replace(at0("Deployment", "unsigned", "", "0"), "namespace: shop", "namespace: shop, managedFields: [{manager: kubectl, operation: Update, fieldsV1: {}}]", 1)
	ours := strings.Replace(at0("Deployment", "ours", "", "0"), "namespace: shop", "namespace: shop"+managed("mini-hpa"), 1)
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, at0("Deployment", "web", "", "0"), at0("StatefulSet", "db", `, mini-hpa/wake-replicas: "2"`, "0"), at0("Deployment", "awake", "", "2"),
			at0("Deployment", "off", `, mini-hpa/mode: paused`, "0"), at0("Deployment", "invalid", `, mini-hpa/tolerance: x`, "0"), paused, unsigned, ours,
			strings.Replace(at0("Deployment", "never", "", "0"), `mini-hpa/min: "0"`, `mini-hpa/min: "1"`, 1),
			strings.Replace(at0("Deployment", "outer", "", "2"), "namespace: shop", "namespace: shop, uid: outer", 1),
			strings.Replace(at0("ReplicaSet", "inner", "", "0"), "namespace: shop", "namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: outer, uid: outer, controller: true}]", 1),
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: between, namespace: shop, uid: between, ownerReferences: [{apiVersion: example.com/v1, kind: Pool, name: outer, uid: outer, controller: true}]}, spec: {replicas: 1}}`,
			strings.Replace(at0("ReplicaSet", "inmost", "", "0"), "namespace: shop", "namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: between, uid: between, controller: true}]", 1),
			at0("Deployment", "anothers", `, mini-hpa/class: batch`, "0"),
			strings.Replace(at0("Deployment", "by-a-source", "", "0"), ", mini-hpa/wake: requests", "", 1),
			strings.Replace(strings.Replace(at0("Pool", "pool", "", "0"), "apps/v1", "example.com/v1", 1), "Deployment", "Pool", 1))
		w.kinds = []schema.GroupResource{{Group: "example.com", Resource: "pools"}}
		for _, name := range []string{"web", "db", "ours", "pool"} {
			w.start[name] = 5 * time.Second
		}
		if err := w.run(t.Context(), types.NamespacedName{}); err != nil {
			t.Fatal(err)
		}
		want := []string{"deployment shop/ours 1", "deployment shop/web 1", "pool shop/pool 1", "statefulset shop/db 2"}
		if diff := cmp.Diff(want, w.scaled); diff != "" {
			t.Errorf("woken (-want +got):\n%s", diff)
		}
	})
}

// TestSlicesStayUntilPodsAreKnown: they are removed when pods are ready and every node knows it, and the controller puts nothing to sleep meanwhile.
func TestSlicesStayUntilPodsAreKnown(t *testing.T) {
	const controller = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: mini-hpa, namespace: mini-hpa}, spec: {replicas: 2, selector: {matchLabels: {app: mini-hpa}}}}`
	const pod = `{apiVersion: v1, kind: Pod, metadata: {name: mini-hpa-1, namespace: mini-hpa, labels: {app: mini-hpa}}}`
	const foreign = `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-x7k2p, namespace: shop, labels: {endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io}}}`
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, controller, pod, slice, foreign, at0("Deployment", "web", "", "0"))
		w.start["web"] = 20 * time.Second
		began := time.Now()
		go func() {
			time.Sleep(32 * time.Second)
			if left := w.slices(t); len(left) != 2 {
				t.Errorf("when not every node knows the pod, slices %q are left", left)
			}
		}()
		if err := w.run(t.Context(), types.NamespacedName{Namespace: "mini-hpa", Name: "mini-hpa"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if took := time.Since(began); took < 33*time.Second || took > 36*time.Second {
			t.Errorf("it took %s: 3 s until the controller has ended, 20 s until a pod is ready, and 10 s until nodes know it", took)
		}
		want := []string{"stopped the controller: Deployment mini-hpa/mini-hpa", "woke deployment shop/web: 1 replica", "removed 1 EndpointSlice"}
		if diff := cmp.Diff(want, w.said); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"web-x7k2p"}, w.slices(t)); diff != "" {
			t.Errorf("slices (-want +got):\n%s", diff)
		}
		w.said = nil
		if err := w.run(t.Context(), types.NamespacedName{Namespace: "mini-hpa", Name: "mini-hpa"}); err != nil || len(w.said) > 0 {
			t.Errorf("once more: %v, said %q", err, w.said)
		}
	})
}

// TestWhatDoesNotStartDelaysNothingForEver: it is told, and the slices are removed all the same.
func TestWhatDoesNotStartDelaysNothingForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, slice, at0("Deployment", "web", "", "0"))
		began := time.Now()
		if err := w.run(t.Context(), types.NamespacedName{}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 72*time.Second {
			t.Errorf("it took %s", took)
		}
		want := []string{"woke deployment shop/web: 1 replica", "deployment shop/web has no pod that is ready after 1m", "removed 1 EndpointSlice"}
		if diff := cmp.Diff(want, w.said); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
	})
}

// TestOthersWriteMeanwhile: it is looked again who sleeps. Where one cannot be woken, the slices stay, and that is an error.
func TestOthersWriteMeanwhile(t *testing.T) {
	resource := schema.GroupResource{Group: "apps", Resource: "deployments"}
	for name, c := range map[string]struct {
		refuse func(t *testing.T, w *town) func(name string) error
		want   []string
		slices int
		fails  string
	}{
		"once": {want: []string{"woke deployment shop/web: 1 replica", "removed 1 EndpointSlice"}, refuse: func(*testing.T, *town) func(string) error {
			refused := false
			return func(name string) error {
				if refused {
					return nil
				}
				refused = true
				return apierrors.NewConflict(resource, name, errors.New("it is another version"))
			}
		}},
		"and wake it": {want: []string{"removed 1 EndpointSlice"}, refuse: func(t *testing.T, w *town) func(string) error {
			return func(name string) error {
				client := w.client.Resource(resource.WithVersion("v1")).Namespace("shop")
				o, err := client.Get(t.Context(), name, metav1.GetOptions{})
				if err != nil {
					return err
				}
				if err := unstructured.SetNestedField(o.Object, int64(1), "spec", "replicas"); err != nil {
					return err
				}
				if _, err := client.Update(t.Context(), o, metav1.UpdateOptions{}); err != nil {
					return err
				}
				return apierrors.NewConflict(resource, name, errors.New("it is another version"))
			}
		}},
		"again and again": {slices: 1, fails: "cannot wake deployment shop/web: Operation cannot be fulfilled", refuse: func(*testing.T, *town) func(string) error {
			return func(name string) error {
				return apierrors.NewConflict(resource, name, errors.New("it is another version"))
			}
		}},
		"and delete it": {want: []string{"removed 1 EndpointSlice"}, refuse: func(*testing.T, *town) func(string) error {
			return func(name string) error { return apierrors.NewNotFound(resource, name) }
		}},
		"a policy refuses": {slices: 1, fails: "cannot wake deployment shop/web: deployments.apps \"web\" is forbidden: no", refuse: func(*testing.T, *town) func(string) error {
			return func(name string) error { return apierrors.NewForbidden(resource, name, errors.New("no")) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t, slice, at0("Deployment", "web", "", "0"))
				w.start["web"] = time.Second
				w.refuse = c.refuse(t, w)
				err := w.run(t.Context(), types.NamespacedName{})
				if err == nil && c.fails != "" || err != nil && (c.fails == "" || !strings.Contains(err.Error(), c.fails)) {
					t.Errorf("got %v, want %q", err, c.fails)
				}
				if diff := cmp.Diff(c.want, w.said); diff != "" {
					t.Errorf("said (-want +got):\n%s", diff)
				}
				if left := w.slices(t); len(left) != c.slices {
					t.Errorf("slices %q are left, want %d", left, c.slices)
				}
			})
		})
	}
}

// slices are the names of those that are left.
func (w *town) slices(t *testing.T) []string {
	t.Helper()
	left, err := w.client.Resource(schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}).Namespace("shop").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range left.Items {
		names = append(names, left.Items[i].GetName())
	}
	return names
}
