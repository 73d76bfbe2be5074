package get

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	kubetesting "k8s.io/client-go/testing"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// twoNamespaces have a workload each, which are watched.
func twoNamespaces(t *testing.T, read clitest.FakeCluster) (*fake.Clientset, *informer.Set) {
	t.Helper()
	of := func(namespace string) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", Annotations: map[string]string{annotations.Max: "5", annotations.ModeKey: "auto",
			"mini-hpa/metrics": "- {type: External, external: {metric: {name: backlog}, target: {type: AverageValue, averageValue: 10}}}"}}, Spec: appsv1.DeploymentSpec{Replicas: new(int32(1))}}
	}
	watched := fake.NewClientset(of("lasting"), of("passing"))
	kinds, err := informer.NewKinds(informer.KindsConfig{Dynamic: read.Dynamic})
	if err != nil {
		t.Fatal(err)
	}
	set, err := informer.New(informer.Config{Client: watched, Kinds: kinds})
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return watched, set
}

// TestWhoMayListOnlyInSomeNamespaces what stands beside workloads is told of each by itself.
func TestWhoMayListOnlyInSomeNamespaces(t *testing.T) {
	read := clitest.NewFakeCluster()
	_, set := twoNamespaces(t, read)
	asked := 0
	read.Core.PrependReactor("list", "limitranges", func(a kubetesting.Action) (bool, runtime.Object, error) {
		if asked++; a.GetNamespace() == "" {
			return true, nil, clitest.Forbidden("limitranges")
		}
		return false, nil, nil
	})
	o := outside{task: &task{decision: cli.DefaultDecisionFlags()}}
	items, err := o.decide(t.Context(), cluster.Clients{Act: read.Core, Dynamic: read.Dynamic}, set, metrics.NewFeed(metrics.Config{}))
	if err != nil || len(items) != 2 || asked != 3 {
		t.Errorf("%v, asked %d times, %+v", err, asked, items)
	}
}

// TestAWorkloadThatGoesDuringALook is left out, and the others are told of.
func TestAWorkloadThatGoesDuringALook(t *testing.T) {
	ctx, read := t.Context(), clitest.NewFakeCluster()
	watched, set := twoNamespaces(t, read)
	passing := annotations.DeploymentKey("passing", "web")
	read.Core.PrependReactor("list", "networkpolicies", func(a kubetesting.Action) (bool, runtime.Object, error) { // the last that is read of the neighborhood
		if a.GetNamespace() != "passing" {
			return false, nil, nil
		}
		if err := watched.AppsV1().Deployments("passing").Delete(ctx, "web", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		for began := time.Now(); set.Workload(passing) != nil && time.Since(began) < 10*time.Second; {
			time.Sleep(time.Millisecond)
		}
		return false, nil, nil
	})
	o := outside{task: &task{decision: cli.DefaultDecisionFlags()}}
	items, err := o.decide(ctx, cluster.Clients{Act: read.Core, Dynamic: read.Dynamic}, set, metrics.NewFeed(metrics.Config{}))
	if err != nil || len(items) != 1 || items[0].Namespace != "lasting" {
		t.Errorf("%v, %+v", err, items)
	}
}
