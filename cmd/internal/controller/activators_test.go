package controller

import (
	"context"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer"
)

// TestWhatIsAroundRequests is added for workloads that they wake, in one of the forms that are looked at: of the Services those that lead to it, and of the other
// workloads those that these Services select.
func TestWhatIsAroundRequests(t *testing.T) {
	t.Parallel()
	services, err := informer.NewServices(informer.ServicesConfig{Client: fake.NewClientset(serving("web", labels.Set{"app": "web"}), serving("api", labels.Set{"app": "api"}), serving("all", labels.Set{"tier": "front"})),
		ActivatorNamespace: "mini-hpa", Activators: labels.SelectorFromSet(labels.Set{"app": "activator"})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer services.Wait()
	defer cancel()
	services.Start(ctx)
	if err := services.Fill(ctx); err != nil {
		t.Fatal(err)
	}
	form := func(app, wake string) *annotations.Workload {
		w := &annotations.Workload{Key: annotations.DeploymentKey("shop", app), Selector: &metav1.LabelSelector{MatchLabels: labels.Set{"app": app}}}
		if wake != "" {
			w.Annotations = map[string]string{annotations.WakeKey: wake}
		}
		return w
	}
	front := form("front", "")
	front.Selector.MatchLabels["tier"] = "front"
	r := &requestsAround{activator: &annotations.Activator{}, services: services, beside: func(_ string, is func(*annotations.Workload) bool) []*annotations.Workload {
		return slices.DeleteFunc([]*annotations.Workload{form("web", ""), form("api", ""), front}, func(w *annotations.Workload) bool { return !is(w) })
	}}
	for name, tc := range map[string]struct {
		forms            []*annotations.Workload
		services, beside string
		nothing          bool
	}{
		"woken":                 {forms: []*annotations.Workload{form("web", "requests")}, services: "web", beside: "web"},
		"woken by two":          {forms: []*annotations.Workload{form("web", "requests service=all,api")}, services: "all api", beside: "api front"},
		"by none that there is": {forms: []*annotations.Workload{form("new", "requests")}},
		"what cannot be read":   {forms: []*annotations.Workload{form("web", "request")}, services: "web", beside: "web"},
		"awake":                 {forms: []*annotations.Workload{form("web", "")}, nothing: true},
		"to be woken from now":  {forms: []*annotations.Workload{form("web", "requests"), form("web", "")}, services: "web", beside: "web"},
		"woken until now":       {forms: []*annotations.Workload{form("web", ""), form("web", "requests")}, services: "web", beside: "web"},
		"woken by another one":  {forms: []*annotations.Workload{form("web", "requests"), form("web", "requests service=api,web")}, services: "api web", beside: "web api"},
		"no form":               {nothing: true},
	} {
		var s annotations.Surroundings
		r.add(tc.forms, &s)
		var found, beside []string
		for _, service := range s.Services {
			found = append(found, service.Name)
		}
		for _, w := range s.Beside {
			beside = append(beside, w.Name)
		}
		if (s.Activator == nil) != tc.nothing || (s.Services == nil) != tc.nothing || strings.Join(found, " ") != tc.services || strings.Join(beside, " ") != tc.beside {
			t.Errorf("%s: Services %q, beside %q; want %q, %q; %+v", name, found, beside, tc.services, tc.beside, s)
		}
	}
	var s annotations.Surroundings
	(*requestsAround)(nil).add([]*annotations.Workload{form("web", "requests")}, &s)
	if s.Activator != nil {
		t.Error("who knows nothing says something")
	}
}

func serving(name string, selector labels.Set) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: corev1.ServiceSpec{Selector: selector}}
}
