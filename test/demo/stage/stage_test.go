package stage

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
	"github.com/mini-hpa/mini-hpa/test/demo/observe"
	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

const namespace = "mini-hpa-demo-x"

// scriptedStage is a stage on a fake API server.
func scriptedStage() (*Stage, *fake.Clientset) {
	client := fake.NewClientset()
	return &Stage{
		Client: client, Namespace: namespace, Request: 1000, loads: map[string]setLoad{},
		actors: &scripted{client: client, namespace: namespace, request: 1000},
	}, client
}

func TestCreate(t *testing.T) {
	s, client := scriptedStage()
	for _, phase := range story.Workshop(story.Simulated(5 * time.Second)) {
		for _, w := range phase.Workloads {
			d := s.deployment(w)
			if diff := cmp.Diff(d.Spec.Selector.MatchLabels, d.Spec.Template.Labels); diff != "" {
				t.Errorf("the selector of %s does not select its pods:\n%s", w.Name, diff)
			}
		}
	}
	web := story.Workshop(story.Simulated(5 * time.Second))[0].Workloads[0]
	if err := s.Create(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	d, err := client.AppsV1().Deployments(namespace).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	container := d.Spec.Template.Spec.Containers[0]
	if got := container.Resources.Requests.Cpu().MilliValue(); got != 1000 || *d.Spec.Replicas != 1 {
		t.Errorf("request %dm, replicas %d", got, *d.Spec.Replicas)
	}
	if d.Spec.Template.Labels[observe.Label] != "web" {
		t.Errorf("labels %v: the observer would not find the pods", d.Spec.Template.Labels)
	}
	if diff := cmp.Diff(web.Annotations, d.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if err := s.Create(t.Context(), web); err == nil {
		t.Error("a second Deployment of the same name was created")
	}
}

func control(t *testing.T, client *fake.Clientset) map[string]string {
	t.Helper()
	found, err := client.CoreV1().ConfigMaps(namespace).Get(t.Context(), loadsim.ControlName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return found.Data
}

func TestSetLoadWritesEveryLoad(t *testing.T) {
	s, client := scriptedStage()
	bursts := story.Load{Low: 20, High: 190, Period: 20 * time.Second, On: 10 * time.Second}
	steps := []struct {
		workloads []string
		load      story.Load
		want      map[string]string
	}{
		{[]string{"web"}, story.Steady(20), map[string]string{"web": "200m"}},
		{[]string{"web"}, story.Steady(220), map[string]string{"web": "2200m"}},
		{[]string{"flappy", "steady"}, bursts, map[string]string{
			"web": "2200m", "flappy": "burst(200m,1900m,20s,10s)", "steady": "burst(200m,1900m,20s,10s)"}},
	}
	for _, step := range steps {
		if err := s.SetLoad(t.Context(), step.workloads, step.load); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, control(t, client)); diff != "" {
			t.Errorf("ConfigMap after %v (-want +got):\n%s", step.workloads, diff)
		}
	}
}

// What the demo prints as the load is what loadsim makes of it.
func TestCurveIsTheLoad(t *testing.T) {
	for _, request := range []int64{1000, 100} {
		for _, phase := range story.Workshop(story.Simulated(5 * time.Second)) {
			text := curve(phase.Load, request)
			simulated, err := loadsim.ParseCurve(text)
			if err != nil {
				t.Fatalf("%s: %v", phase.Title, err)
			}
			for since := time.Duration(0); since < time.Minute; since += 100 * time.Millisecond {
				if got, want := simulated(since), phase.Load.Milli(since, request); got != want {
					t.Fatalf("%s: after %s %q is %dm, the table says %dm", phase.Title, since, text, got, want)
				}
			}
		}
	}
}

func TestLoadIsCountedFromWhenItWasSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := scriptedStage()
		time.Sleep(7 * time.Second)
		load := story.Load{Low: 20, High: 190, Period: 20 * time.Second, On: 10 * time.Second}
		if err := s.SetLoad(t.Context(), []string{"web"}, load); err != nil {
			t.Fatal(err)
		}
		var got []int64
		for range 5 {
			time.Sleep(5 * time.Second)
			got = append(got, s.Load("web"))
		}
		if diff := cmp.Diff([]int64{1900, 200, 200, 1900, 1900}, got); diff != "" {
			t.Errorf("millicores every 5s (-want +got):\n%s", diff)
		}
		if s.Load("other") != 0 {
			t.Errorf("a workload without a load has %dm", s.Load("other"))
		}
	})
}

func TestSetLoadSaysWhatFailed(t *testing.T) {
	s, client := scriptedStage()
	client.PrependReactor("update", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("forbidden")
	})
	err := s.SetLoad(t.Context(), []string{"web"}, story.Steady(20))
	const want = "could not set the load of [web]: could not write ConfigMap mini-hpa-demo-x/loadsim: forbidden"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestCloseGoesBackwardsAndTellsEverything(t *testing.T) {
	s, _ := scriptedStage()
	var order []string
	for _, name := range []string{"cluster", "metrics", "namespace"} {
		s.later(func(context.Context) error {
			order = append(order, name)
			return errors.New(name)
		})
	}
	err := s.Close()
	if diff := cmp.Diff([]string{"namespace", "metrics", "cluster"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if err == nil || err.Error() != "namespace\nmetrics\ncluster" {
		t.Errorf("error %v", err)
	}
	if err := s.Close(); err != nil || len(order) != 3 {
		t.Errorf("a second Close did something: %v, %v", err, order)
	}
}

func TestNamespaceIsTheDemosOwn(t *testing.T) {
	s, client := scriptedStage()
	client.PrependReactor("create", "namespaces", func(a clienttesting.Action) (bool, runtime.Object, error) {
		n := a.(clienttesting.CreateAction).GetObject().(*corev1.Namespace)
		if n.Name != "" {
			t.Errorf("it asks for the name %q, which may be somebody's", n.Name)
		}
		return true, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n.GenerateName + "abcde"}}, nil
	})
	if err := s.createNamespace(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Namespace != "mini-hpa-demo-abcde" {
		t.Errorf("namespace %q", s.Namespace)
	}
	if err := s.deleteNamespace(t.Context()); err == nil {
		t.Error("a namespace that could not be deleted went unnoticed")
	}
}
