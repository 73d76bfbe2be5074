package informer

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// neighborhood has fake clients and Neighbors that watch them, inside a bubble of fake time.
type neighborhood struct {
	t       *testing.T
	client  *fake.Clientset
	dynamic *dynamicfake.FakeDynamicClient
	n       *Neighbors

	hasKEDA atomic.Bool

	mu   sync.Mutex
	told []string
	errs []string
}

func newNeighborhood(t *testing.T, objects ...runtime.Object) *neighborhood {
	h := &neighborhood{t: t, client: fake.NewClientset(objects...),
		dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{scaledObjects: "ScaledObjectList", resizers: "VerticalPodAutoscalerList"})}
	h.client.Resources = []*metav1.APIResourceList{
		{GroupVersion: "keda.sh/v1alpha1", APIResources: []metav1.APIResource{{Name: "scaledobjects"}}},
		{GroupVersion: "autoscaling.k8s.io/v1", APIResources: []metav1.APIResource{{Name: "verticalpodautoscalers"}}}}
	h.client.PrependReactor("get", "resource", func(clienttesting.Action) (bool, runtime.Object, error) {
		return !h.hasKEDA.Load(), nil, apierrors.NewNotFound(scaledObjects.GroupResource(), "")
	})
	n, err := NewNeighbors(NeighborsConfig{Client: h.client, Dynamic: h.dynamic,
		OnError:      func(err error) { h.note(&h.errs, err.Error()) },
		OnAutoscaler: func(keys ...annotations.Key) { h.note(&h.told, keys[0].NamespacedName().String()) },
		OnLimitRange: func(namespace string) { h.note(&h.told, "namespace "+namespace) }})
	if err != nil {
		t.Fatal(err)
	}
	h.n = n
	return h
}

func (h *neighborhood) note(list *[]string, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*list = append(*list, text)
}

// start starts the informers until the end of the test, and waits until their caches are filled.
func (h *neighborhood) start() *neighborhood {
	ctx, cancel := context.WithCancel(context.Background())
	h.t.Cleanup(func() {
		cancel()
		h.n.Wait()
	})
	h.n.Start(ctx)
	if err := h.n.Fill(ctx); err != nil {
		h.t.Fatal(err)
	}
	return h
}

// heard returns what was reported since the last call.
func (h *neighborhood) heard() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	told := h.told
	h.told = nil
	slices.Sort(told)
	return told
}

func hpa(name, apiVersion, kind, target string) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: apiVersion, Kind: kind, Name: target}}}
}

// ofKEDA is the HPA that KEDA makes for a ScaledObject.
func ofKEDA(scaledObject, target string) *autoscalingv2.HorizontalPodAutoscaler {
	yes := true
	made := hpa("keda-hpa-"+scaledObject, "apps/v1", "Deployment", target)
	made.OwnerReferences = []metav1.OwnerReference{{APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: scaledObject, Controller: &yes}}
	return made
}

func scaledObject(name string, ref map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
		"metadata": map[string]any{"namespace": "shop", "name": name}, "spec": map[string]any{"scaleTargetRef": ref}}}
}

func limits(namespace, name, cpu string) *corev1.LimitRange {
	return &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
		{Type: corev1.LimitTypeContainer, DefaultRequest: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}}}}
}

var shopWeb = annotations.DeploymentKey("shop", "web")

// surroundingsOf are the autoscalers of the Deployment, and the names of its LimitRanges.
func (h *neighborhood) surroundingsOf(key annotations.Key) (autoscalers []annotations.Autoscaler, ranges []string) {
	s := h.n.Surroundings(key)
	for _, r := range s.LimitRanges {
		ranges = append(ranges, r.Name)
	}
	return s.Autoscalers, ranges
}

func TestSurroundings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newNeighborhood(t,
			hpa("b", "apps/v1", "Deployment", "web"), hpa("a", "apps/v1", "Deployment", "web"), ofKEDA("queue", "web"),
			hpa("set", "apps/v1", "StatefulSet", "web"), hpa("other", "apps/v1", "Deployment", "api"), hpa("crd", "example.com/v1", "Deployment", "web"),
			limits("shop", "z", "1"), limits("shop", "y", "1"), limits("elsewhere", "x", "1"))
		h.hasKEDA.Store(true)
		for _, so := range []*unstructured.Unstructured{
			scaledObject("queue", map[string]any{"name": "web"}), // the same that has made an HPA
			scaledObject("paused", map[string]any{"name": "web", "kind": "Deployment", "apiVersion": "apps/v1"}),
			scaledObject("set", map[string]any{"name": "web", "kind": "StatefulSet"}),
			scaledObject("broken", map[string]any{"name": int64(3)}),
		} {
			if err := h.dynamic.Tracker().Create(scaledObjects, so, "shop"); err != nil {
				t.Fatal(err)
			}
		}
		h.start()
		autoscalers, ranges := h.surroundingsOf(shopWeb)
		check(t, "autoscalers", autoscalers, []annotations.Autoscaler{{Kind: annotations.KindHPA, Name: "a"}, {Kind: annotations.KindHPA, Name: "b"},
			{Kind: annotations.KindScaledObject, Name: "paused"}, {Kind: annotations.KindScaledObject, Name: "queue"}})
		check(t, "LimitRanges", ranges, []string{"y", "z"})
		autoscalers, ranges = h.surroundingsOf(annotations.DeploymentKey("elsewhere", "web"))
		check(t, "autoscalers of a namesake", autoscalers, []annotations.Autoscaler(nil))
		check(t, "LimitRanges of a namesake", ranges, []string{"x"})
		if unknown := h.n.Surroundings(shopWeb).Unknown; unknown != "" {
			t.Errorf("unknown because %q, want known", unknown)
		}
	})
}

func TestChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newNeighborhood(t).start()
		hpas, ranges := h.client.AutoscalingV2().HorizontalPodAutoscalers("shop"), h.client.CoreV1().LimitRanges("shop")
		one := hpa("one", "apps/v1", "Deployment", "web")
		step := func(what string, err error, want ...string) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			check(t, what, h.heard(), want)
		}
		_, err := hpas.Create(t.Context(), one, metav1.CreateOptions{})
		step("an HPA comes", err, "shop/web")
		one.Status.CurrentReplicas = 3
		_, err = hpas.Update(t.Context(), one, metav1.UpdateOptions{})
		step("its status changes", err)
		one.Spec.ScaleTargetRef.Name = "api"
		_, err = hpas.Update(t.Context(), one, metav1.UpdateOptions{})
		step("it turns to another target", err, "shop/api", "shop/web")
		step("it goes", hpas.Delete(t.Context(), "one", metav1.DeleteOptions{}), "shop/api")
		_, err = hpas.Create(t.Context(), hpa("set", "apps/v1", "StatefulSet", "db"), metav1.CreateOptions{})
		step("one for another kind", err, "shop/db")

		_, err = ranges.Create(t.Context(), limits("shop", "all", "1"), metav1.CreateOptions{})
		step("a LimitRange comes", err, "namespace shop")
		labeled := limits("shop", "all", "1000m")
		labeled.Labels = map[string]string{"a": "b"}
		_, err = ranges.Update(t.Context(), labeled, metav1.UpdateOptions{})
		step("it says the same as before", err)
		_, err = ranges.Update(t.Context(), limits("shop", "all", "2"), metav1.UpdateOptions{})
		step("it changes", err, "namespace shop")
		step("it goes", ranges.Delete(t.Context(), "all", metav1.DeleteOptions{}), "namespace shop")
	})
}

// TestWhatIsForbiddenIsNotWaitedFor: a role may leave out LimitRanges and HorizontalPodAutoscalers.
func TestWhatIsForbiddenIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newNeighborhood(t, limits("shop", "all", "1"))
		var allowed atomic.Bool
		h.client.PrependReactor("list", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
			return !allowed.Load(), nil, apierrors.NewForbidden(a.GetResource().GroupResource(), "", nil)
		})
		h.start()
		if s := h.n.Surroundings(shopWeb); s.Unknown == "" || len(s.LimitRanges) > 0 {
			t.Errorf("surroundings %+v, want unknown ones", s)
		}
		if len(h.errs) != 2 || !strings.Contains(strings.Join(h.errs, "\n"), "limitranges") {
			t.Errorf("errors %q, want one for each kind", h.errs)
		}
		allowed.Store(true)
		time.Sleep(2 * time.Minute)
		if s := h.n.Surroundings(shopWeb); s.Unknown != "" || len(s.LimitRanges) != 1 {
			t.Errorf("surroundings %+v once it is allowed, want the LimitRange", s)
		}
	})
}

// TestKEDAComesAndGoes while the controller runs.
func TestKEDAComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newNeighborhood(t).start()
		if err := h.dynamic.Tracker().Create(scaledObjects, scaledObject("queue", map[string]any{"name": "web"}), "shop"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookForExtensions + time.Second)
		check(t, "told before KEDA is there", h.heard(), []string(nil))
		h.hasKEDA.Store(true)
		time.Sleep(lookForExtensions)
		check(t, "told when KEDA is there", h.heard(), []string{"shop/web"})
		autoscalers, _ := h.surroundingsOf(shopWeb)
		check(t, "autoscalers", autoscalers, []annotations.Autoscaler{{Kind: annotations.KindScaledObject, Name: "queue"}})

		h.hasKEDA.Store(false)
		gone := func(a clienttesting.Action) error {
			return apierrors.NewNotFound(a.GetResource().GroupResource(), "")
		}
		h.dynamic.PrependReactor("list", "*", func(a clienttesting.Action) (bool, runtime.Object, error) { return true, nil, gone(a) })
		if err := h.dynamic.Tracker().Delete(scaledObjects, "shop", "queue"); err != nil {
			t.Fatal(err)
		}
		check(t, "told when the object is gone", h.heard(), []string{"shop/web"})
		autoscalers, _ = h.surroundingsOf(shopWeb)
		check(t, "autoscalers afterwards", autoscalers, []annotations.Autoscaler(nil))
	})
}

// TestAResizerComesChangesAndGoes: its Deployment is reported when the resizer matters to it, not when it recommends something.
func TestAResizerComesChangesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newNeighborhood(t)
		h.hasKEDA.Store(true) // and all other extensions
		h.start()
		vpa := func(mode, recommended string) *unstructured.Unstructured {
			return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "autoscaling.k8s.io/v1", "kind": "VerticalPodAutoscaler",
				"metadata": map[string]any{"namespace": "shop", "name": "web"}, "status": map[string]any{"recommendation": recommended},
				"spec": map[string]any{"targetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
					"updatePolicy": map[string]any{"updateMode": mode}}}}
		}
		step := func(name string, err error, want int, told ...string) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			check(t, name+": told", h.heard(), told)
			if got := len(h.n.Surroundings(shopWeb).Resizers); got != want {
				t.Errorf("%s: %d resizers, want %d", name, got, want)
			}
		}
		step("it comes", h.dynamic.Tracker().Create(resizers, vpa("Auto", "a"), "shop"), 1, "shop/web")
		step("it recommends", h.dynamic.Tracker().Update(resizers, vpa("Auto", "b"), "shop"), 1)
		step("it is turned off", h.dynamic.Tracker().Update(resizers, vpa("Off", "b"), "shop"), 0, "shop/web")
		step("it is turned on", h.dynamic.Tracker().Update(resizers, vpa("Initial", "b"), "shop"), 1, "shop/web")
		step("it goes", h.dynamic.Tracker().Delete(resizers, "shop", "web"), 0, "shop/web")
	})
}

// TestNeighborsWhoseWatchesTellNothing are listed, and such a list keeps no more of an object than a watch does.
func TestNeighborsWhoseWatchesTellNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newNeighborhood(t)
		h.hasKEDA.Store(true)
		mute := func(clienttesting.Action) (bool, watch.Interface, error) { return true, watch.NewRaceFreeFake(), nil }
		h.client.PrependWatchReactor("*", mute)
		h.dynamic.PrependWatchReactor("*", mute)
		h.start()
		vpa := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "autoscaling.k8s.io/v1", "kind": "VerticalPodAutoscaler",
			"metadata": map[string]any{"namespace": "shop", "name": "web"}, "spec": map[string]any{"targetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}}
		if err := errors.Join(h.client.Tracker().Add(hpa("web", "apps/v1", "Deployment", "web")), h.client.Tracker().Add(limits("shop", "y", "1")),
			h.dynamic.Tracker().Create(scaledObjects, scaledObject("queue", map[string]any{"name": "web"}), "shop"), h.dynamic.Tracker().Create(resizers, vpa, "shop")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		autoscalers, ranges := h.surroundingsOf(shopWeb)
		check(t, "autoscalers", autoscalers, []annotations.Autoscaler{{Kind: annotations.KindHPA, Name: "web"}, {Kind: annotations.KindScaledObject, Name: "queue"}})
		check(t, "LimitRanges", ranges, []string{"y"})
		check(t, "resizers", len(h.n.Surroundings(shopWeb).Resizers), 1)
		check(t, "told", h.heard(), []string{"namespace shop", "shop/web", "shop/web", "shop/web"})
	})
}

// TestWhatIsKeptOfNeighbors is an object, so that a list can be made of it, and stays the same when it is kept again.
func TestWhatIsKeptOfNeighbors(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	vpa := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"namespace": "shop", "name": "v", "annotations": map[string]any{"a": long}},
		"spec": map[string]any{"targetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}}
	ofKEDA, ofKubernetes, limits := scaledObject("s", map[string]any{"name": "web"}), hpa("h", "apps/v1", "Deployment", "web"), limits("shop", "l", "1")
	ofKEDA.SetAnnotations(map[string]string{"a": long})
	ofKubernetes.Annotations, limits.Annotations = map[string]string{"a": long}, map[string]string{"a": long}
	for name, kind := range map[string]struct {
		in   runtime.Object
		slim cache.TransformFunc
	}{
		"HorizontalPodAutoscaler": {ofKubernetes, slimHPA},
		"ScaledObject":            {ofKEDA, slimScaledObject},
		"VerticalPodAutoscaler":   {vpa, slimResizer},
		"LimitRange":              {limits, slimLimitRange},
	} {
		kept, err := kind.slim(kind.in)
		object, ok := kept.(runtime.Object)
		if err != nil || !ok {
			t.Errorf("of a %s a %T is kept (%v), which is no object", name, kept, err)
			continue
		}
		again, err := kind.slim(object.DeepCopyObject())
		if err != nil || !reflect.DeepEqual(again, kept) {
			t.Errorf("%s: %+v is kept of %+v (%v)", name, again, kept, err)
		}
		if text := fmt.Sprintf("%+v", kept); strings.Contains(text, long) {
			t.Errorf("%s: %s is kept", name, text)
		}
	}
}

// TestAnAPIServerThatIsAwayIsWaitedFor: until other autoscalers are known, nothing is scaled.
func TestAnAPIServerThatIsAwayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newNeighborhood(t, hpa("web", "apps/v1", "Deployment", "web"))
		var up atomic.Bool
		away := func(clienttesting.Action) (bool, runtime.Object, error) { return !up.Load(), nil, errDown }
		h.client.PrependReactor("list", "*", away)
		h.client.PrependReactor("get", "resource", away)
		time.AfterFunc(time.Hour, func() { up.Store(true) })
		before := time.Now()
		h.start()
		if waited := time.Since(before); waited < time.Hour || waited > time.Hour+time.Minute {
			t.Errorf("waited %s, want an hour and what is left of a pause", waited)
		}
		if autoscalers, _ := h.surroundingsOf(shopWeb); len(autoscalers) != 1 {
			t.Errorf("autoscalers %v, want the HPA", autoscalers)
		}
		if !h.n.Filled() {
			t.Error("not filled")
		}
	})
}

func TestFillEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newNeighborhood(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.n.Fill(ctx); err == nil {
			t.Error("no error, want one: nothing was started")
		}
	})
}

// TestOtherNamespacesAreUnknown to Neighbors that watch one: "not known" must not look like "none".
func TestOtherNamespacesAreUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newNeighborhood(t)
		h.n.config.Namespace = "shop"
		h.start()
		if s := h.n.Surroundings(annotations.DeploymentKey("elsewhere", "web")); s.Unknown == "" {
			t.Error("the LimitRanges of another namespace count as known")
		}
		if s := h.n.Surroundings(shopWeb); s.Unknown != "" {
			t.Errorf("those of the own namespace are unknown: %s", s.Unknown)
		}
	})
}

// TestABrokenKEDAIsNotWaitedForForever, because it belongs to others.
func TestABrokenKEDAIsNotWaitedForForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newNeighborhood(t)
		h.hasKEDA.Store(true)
		h.dynamic.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errDown })
		before := time.Now()
		h.start()
		if waited := time.Since(before); waited != optional {
			t.Errorf("waited %s, want %s", waited, optional)
		}
	})
}

// hanging is an API server that answers everything except what resources an extension has.
type hanging struct{ kubernetes.Interface }

func (hanging) Discovery() discovery.DiscoveryInterfaces { return hangingDiscovery{} }

type hangingDiscovery struct{ discovery.DiscoveryInterfaces }

func (hangingDiscovery) ServerResourcesForGroupVersionWithContext(ctx context.Context, group string) (*metav1.APIResourceList, error) {
	<-ctx.Done()
	return nil, &url.Error{Op: "Get", URL: "https://10.0.0.1:6443/apis/" + group, Err: ctx.Err()}
}

// TestAnExtensionThatHangs is reported as that: the API server can be reached, and answers everything else.
func TestAnExtensionThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newNeighborhood(t)
		h.n.config.Client = hanging{h.client}
		h.n.config.Watches.Tell(func(err error) { t.Errorf("the API server: %v", err) })
		h.start()
		time.Sleep(5 * time.Minute)
		h.mu.Lock()
		defer h.mu.Unlock()
		const want = `: no answer within 10s: Get "https://10.0.0.1:6443/apis/`
		if n := len(h.errs); n < 8 || n > 14 || !strings.HasPrefix(h.errs[0], "watching whether there are ") || !strings.Contains(h.errs[0], want) {
			t.Errorf("told %q, want one a minute of each extension that says %q", h.errs, want)
		}
	})
}

// TestNetworkPoliciesAreWatchedWhereTheyMatter: where requests wake workloads.
func TestNetworkPoliciesAreWatchedWhereTheyMatter(t *testing.T) {
	policy := func(namespace, name string) *networkingv1.NetworkPolicy {
		return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"team": "shop"}},
			Spec: networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, Ingress: make([]networkingv1.NetworkPolicyIngressRule, 1), Egress: make([]networkingv1.NetworkPolicyEgressRule, 9)}}
	}
	for _, watched := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h := newNeighborhood(t, policy("shop", "b"), policy("shop", "a"), policy("other", "c"))
			n, err := NewNeighbors(NeighborsConfig{Client: h.client, Dynamic: h.dynamic, NetworkPolicies: watched})
			if err != nil {
				t.Fatal(err)
			}
			h.n = n
			h.start()
			var names []string
			for _, p := range n.Surroundings(annotations.DeploymentKey("shop", "web")).NetworkPolicies {
				if names = append(names, p.Name); p.Spec.Egress != nil || p.Labels != nil || len(p.Spec.Ingress) != 1 {
					t.Errorf("%s keeps %+v", p.Name, p)
				}
			}
			if got := strings.Join(names, " "); watched && got != "a b" || !watched && got != "" {
				t.Errorf("watched %v: policies %q", watched, got)
			}
		})
	}
}
