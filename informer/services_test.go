package informer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// kubesSlice is a slice that Kubernetes has made for Service web, with so many ready endpoints behind one that is not.
func kubesSlice(ready int) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-x7k2p", ResourceVersion: "1", Annotations: map[string]string{"long": "text"},
		Labels: map[string]string{discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io", "app": "web"}}, AddressType: discoveryv1.AddressTypeIPv4}
	s.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{"10.1.0.9"}, Conditions: discoveryv1.EndpointConditions{Ready: new(false)}}, {Addresses: []string{"10.1.0.8"}}}
	for i := range ready {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("10.1.1.%d", i)}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
			NodeName: new("node"), TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: fmt.Sprint("web-", i), UID: types.UID(fmt.Sprint("uid-", i))}})
	}
	return s
}

func oursSlice() *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "mini-hpa-web", Annotations: map[string]string{"mini-hpa/serves": "{}"},
		Labels: map[string]string{discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: annotations.FieldManager}}, AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.9.9.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(false)}}}}
}

func activatorPod(name, component string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "mini-hpa", Name: name, UID: types.UID(name), Labels: map[string]string{"app.kubernetes.io/component": component, corev1.LabelTopologyZone: "a"}},
		Spec: corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{Name: "x", Image: "y", Ports: []corev1.ContainerPort{{Name: "state", ContainerPort: 7}}}}},
		Status: corev1.PodStatus{PodIP: "10.9.9.1", Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
			{Type: corev1.PodReady, Status: corev1.ConditionFalse, Message: "it has just begun"}}}}
}

// TestServices: what leads to pods is found by Service, and what changes is told.
func TestServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u", Labels: map[string]string{"team": "shop"}},
			Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1", Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 30000}}}}
		client := fake.NewClientset(service, kubesSlice(2), oursSlice(), activatorPod("a1", "activator"), activatorPod("c1", "controller"))
		var mu sync.Mutex
		var told []string
		note := func(what string) func(types.NamespacedName) {
			return func(name types.NamespacedName) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, what+" "+name.String())
			}
		}
		s, err := NewServices(ServicesConfig{Client: client, ActivatorNamespace: "mini-hpa", Activators: labels.SelectorFromSet(labels.Set{"app.kubernetes.io/component": "activator"}),
			OnService: note("service"), OnSlice: note("slice"), OnActivators: func() { note("activators")(types.NamespacedName{}) }})
		if err != nil {
			t.Fatal(err)
		}
		if s.Err() == nil {
			t.Error("everything is known before anything was listed")
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer s.Wait()
		defer cancel()
		s.Start(ctx)
		if err := s.Fill(ctx); err != nil || s.Err() != nil {
			t.Fatal(err, s.Err())
		}
		synctest.Wait()
		want := []string{"activators /", "service shop/web", "slice shop/web", "slice shop/web"}
		mu.Lock()
		slices.Sort(told)
		if !slices.Equal(told, want) {
			t.Errorf("told %q; want %q", told, want)
		}
		told = nil
		mu.Unlock()
		web := types.NamespacedName{Namespace: "shop", Name: "web"}
		if got := s.Slices(web); len(got) != 2 || got[0].Name != "mini-hpa-web" || len(got[1].Endpoints) != 2 || got[1].Endpoints[0].TargetRef.UID != "uid-0" {
			t.Errorf("slices %+v", got)
		}
		if own := s.OwnSlices(); len(own) != 1 || len(own[0].Endpoints) != 1 || own[0].Annotations["mini-hpa/serves"] != "{}" {
			t.Errorf("own slices %+v", own)
		}
		if got := s.Serving(&annotations.Workload{Key: annotations.DeploymentKey("shop", "web")}, []string{"web"}); len(got) != 1 || got[0].Spec.Ports[0].Name != "http" || got[0].Labels != nil || s.Service(web) != got[0] || len(s.Serving(&annotations.Workload{Key: annotations.DeploymentKey("other", "web")}, []string{"web"})) > 0 {
			t.Errorf("Services %+v", got)
		}
		if pods := s.Activators(); len(pods) != 1 || pods[0].Name != "a1" || pods[0].Spec.Containers[0].Ports[0].ContainerPort != 7 || pods[0].Labels[corev1.LabelTopologyZone] != "a" ||
			!slices.Equal(pods[0].Status.Conditions, []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}) {
			t.Errorf("activators %+v", pods)
		}
		// What is not kept changes, and then another pod becomes ready.
		changed := kubesSlice(2)
		changed.Annotations, changed.ResourceVersion = nil, "2"
		for _, slice := range []*discoveryv1.EndpointSlice{changed, kubesSlice(3)} {
			if _, err := client.DiscoveryV1().EndpointSlices("shop").Update(t.Context(), slice, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(told, []string{"slice shop/web", "slice shop/web"}) {
			t.Errorf("told %q; want the slice before and after the second change", told)
		}
	})
}

// TestServicesNeedToKnowWhereActivatorsAre, or all pods of a cluster would be taken for them.
func TestServicesNeedToKnowWhereActivatorsAre(t *testing.T) {
	for name, c := range map[string]ServicesConfig{
		"no client":    {ActivatorNamespace: "n", Activators: labels.SelectorFromSet(labels.Set{"a": "b"})},
		"no namespace": {Client: fake.NewClientset(), Activators: labels.SelectorFromSet(labels.Set{"a": "b"})},
		"no labels":    {Client: fake.NewClientset(), ActivatorNamespace: "n"},
		"any label":    {Client: fake.NewClientset(), ActivatorNamespace: "n", Activators: labels.Everything()},
	} {
		if _, err := NewServices(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestSlimServices: what is kept is small, and what was made smaller once stays as it is.
func TestSlimServices(t *testing.T) {
	for name, c := range map[string]struct {
		slim   cache.TransformFunc
		object runtime.Object
	}{
		"of Kubernetes": {slimSlice, kubesSlice(1000)},
		"of mini-hpa":   {slimSlice, oursSlice()},
		"a Service":     {slimService, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: map[string]string{"a": "b"}}, Spec: corev1.ServiceSpec{Selector: map[string]string{"a": "b"}}}},
		"a pod":         {slimActivator, activatorPod("a1", "activator")},
	} {
		whole := c.object.DeepCopyObject()
		once, err := c.slim(c.object)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := c.slim(once)
		if err != nil || !equality.Semantic.DeepEqual(once, twice) {
			t.Errorf("%s: %+v, then %+v: %v", name, once, twice, err)
		}
		if !equality.Semantic.DeepEqual(whole, c.object) {
			t.Errorf("%s: it was changed", name)
		}
		if slice, ok := once.(*discoveryv1.EndpointSlice); ok && len(slice.Endpoints) > readyKept {
			t.Errorf("%s: %d endpoints are kept", name, len(slice.Endpoints))
		}
	}
}

// TestWhichServicesServe a workload: those that it names, or those whose selectors fit its pods.
func TestWhichServicesServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []runtime.Object
		for name, selector := range map[string]map[string]string{"web": {"app": "web"}, "canary": {"app": "web", "track": "canary"}, "all": {"tier": "front"}, "other": {"app": "other"}, "none": nil} {
			all = append(all, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: corev1.ServiceSpec{Selector: selector}},
				&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "elsewhere", Name: name + "-elsewhere"}, Spec: corev1.ServiceSpec{Selector: selector}})
		}
		s, err := NewServices(ServicesConfig{Client: fake.NewClientset(all...), ActivatorNamespace: "mini-hpa", Activators: labels.SelectorFromSet(labels.Set{"app": "activator"})})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer s.Wait()
		defer cancel()
		s.Start(ctx)
		if err := s.Fill(ctx); err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			names []string
			pods  labels.Set
			want  string
		}{
			{pods: labels.Set{"app": "web", "tier": "front", "pod": "x"}, want: "all web"},
			{pods: labels.Set{"app": "web", "track": "canary"}, want: "canary web"},
			{pods: labels.Set{"track": "canary"}},
			{},
			{names: []string{"other", "missing", "none", "web-elsewhere"}, pods: labels.Set{"app": "web"}, want: "none other"},
		} {
			var got []string
			for _, service := range s.Serving(&annotations.Workload{Key: annotations.DeploymentKey("shop", "web"), Selector: &metav1.LabelSelector{MatchLabels: tc.pods}}, tc.names) {
				got = append(got, service.Name)
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("names %q, pods %v: %q; want %q", tc.names, tc.pods, got, tc.want)
			}
		}
	})
}
