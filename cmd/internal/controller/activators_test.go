package controller

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer"
)

// TestWhatIsAroundRequests is added for workloads that they wake, and for those that may be new: others have no use for it.
func TestWhatIsAroundRequests(t *testing.T) {
	t.Parallel()
	services, err := informer.NewServices(informer.ServicesConfig{Client: fake.NewClientset(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}),
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
	workloads := map[string]*annotations.Workload{"wakes": {Annotations: map[string]string{annotations.WakeKey: "requests"}}, "other": {}}
	r := &requestsAround{activator: &annotations.Activator{}, services: services, workload: func(key annotations.Key) *annotations.Workload { return workloads[key.Name] },
		beside: func(string) []*annotations.Workload { return []*annotations.Workload{workloads["other"]} }}
	for name, want := range map[string]bool{"wakes": true, "new": true, "other": false} {
		var s annotations.Surroundings
		r.add(annotations.DeploymentKey("shop", name), &s)
		if (s.Activator != nil) != want || (len(s.Services) == 1) != want || (len(s.Beside) == 1) != want {
			t.Errorf("%s: %+v", name, s)
		}
	}
	var s annotations.Surroundings
	(*requestsAround)(nil).add(annotations.DeploymentKey("shop", "wakes"), &s)
	if s.Activator != nil {
		t.Error("who knows nothing says something")
	}
}
