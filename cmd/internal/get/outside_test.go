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

// TestAWorkloadThatGoesDuringALook is left out, and the others are told of.
func TestAWorkloadThatGoesDuringALook(t *testing.T) {
	of := func(namespace string) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", Annotations: map[string]string{annotations.Max: "5", annotations.ModeKey: "auto",
			"mini-hpa/metrics": "- {type: External, external: {metric: {name: backlog}, target: {type: AverageValue, averageValue: 10}}}"}}, Spec: appsv1.DeploymentSpec{Replicas: new(int32(1))}}
	}
	watched, read := fake.NewClientset(of("lasting"), of("passing")), clitest.NewFakeCluster()
	kinds, err := informer.NewKinds(informer.KindsConfig{Dynamic: read.Dynamic})
	if err != nil {
		t.Fatal(err)
	}
	set, err := informer.New(informer.Config{Client: watched, Kinds: kinds})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := set.Start(ctx); err != nil {
		t.Fatal(err)
	}
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
