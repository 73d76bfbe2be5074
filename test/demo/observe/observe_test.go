package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsfake "k8s.io/metrics/pkg/client/clientset/versioned/fake"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

const namespace = "demo"

// cluster is a fake API server and metrics API.
type cluster struct {
	t      *testing.T
	client *fake.Clientset

	mu   sync.Mutex
	pods []metricsv1beta1.PodMetrics
	down error
	rv   int
}

// watch begins to observe the cluster; the end of the test ends it and finds what it left running, for the bubble must be empty then.
func watch(t *testing.T) (*cluster, *Observer) {
	t.Helper()
	c := &cluster{t: t, client: fake.NewClientset()}
	samples := metricsfake.NewSimpleClientset()
	samples.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return true, &metricsv1beta1.PodMetricsList{Items: slices.Clone(c.pods)}, c.down
	})
	o, err := New(t.Context(), Config{
		Client: c.client, Metrics: samples, Namespace: namespace, Request: 1000,
		Load: func(string) int64 { return 2200 },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return c, o
}

// measure publishes a sample of pods that use this much each.
func (c *cluster) measure(workload string, milli ...int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pods = nil
	for i, m := range milli {
		c.pods = append(c.pods, sample(fmt.Sprint(workload, i), workload, m))
	}
}

func (c *cluster) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = err
}

func sample(pod, workload string, milli int64) metricsv1beta1.PodMetrics {
	return metricsv1beta1.PodMetrics{
		ObjectMeta: metav1.ObjectMeta{Name: pod, Namespace: namespace, Labels: map[string]string{Label: workload}},
		Timestamp:  metav1.NewTime(time.Now().Truncate(time.Second)),
		Containers: []metricsv1beta1.ContainerMetrics{{Name: "app", Usage: corev1.ResourceList{
			corev1.ResourceCPU: *resource.NewMilliQuantity(milli, resource.DecimalSI),
		}}},
	}
}

// scale creates a Deployment or brings it to these replicas, and lets the watch deliver that.
func (c *cluster) scale(name string, replicas int32) {
	c.t.Helper()
	c.rv++
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, ResourceVersion: fmt.Sprint(c.rv)},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas},
		Status:     appsv1.DeploymentStatus{ReadyReplicas: replicas},
	}
	deployments := c.client.AppsV1().Deployments(namespace)
	_, err := deployments.Update(context.Background(), d, metav1.UpdateOptions{})
	if err != nil {
		_, err = deployments.Create(context.Background(), d, metav1.CreateOptions{})
	}
	if err != nil {
		c.t.Fatal(err)
	}
	synctest.Wait()
}

// tell creates an Event, or updates the one of that name.
func (c *cluster) tell(name, workload, reason, message string) {
	c.t.Helper()
	c.rv++
	e := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: name, Namespace: namespace, ResourceVersion: fmt.Sprint(c.rv)},
		InvolvedObject: corev1.ObjectReference{Kind: "Deployment", Namespace: namespace, Name: workload},
		Reason:         reason, Message: message,
	}
	events := c.client.CoreV1().Events(namespace)
	_, err := events.Update(context.Background(), e, metav1.UpdateOptions{})
	if err != nil {
		_, err = events.Create(context.Background(), e, metav1.CreateOptions{})
	}
	if err != nil {
		c.t.Fatal(err)
	}
	synctest.Wait()
}

func track(t *testing.T, o *Observer, workload string) story.Track {
	t.Helper()
	found := story.Recording{Tracks: o.Tracks()}.Track(workload)
	if found.Points == nil && found.Changes == nil {
		t.Fatalf("no track of %s", workload)
	}
	return found
}

func TestChangesAndTheirReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		c, o := watch(t)
		synced := time.Since(begun) // whether the caches are filled is asked in steps, and they may be at the first
		c.scale("web", 1)
		time.Sleep(3 * time.Second)
		c.scale("web", 5) // the change is seen before its Event
		c.tell("a", "web", "SuccessfulRescale", "New size: 5; reason: cpu utilization 220% above target 50%")
		time.Sleep(4 * time.Second)
		c.tell("b", "web", "SuccessfulRescale", "New size: 10; reason: cpu 96%") // and after it
		c.scale("web", 10)
		c.tell("c", "web", "ScalingLimited", "New size: 3; reason: another kind of Event")
		c.tell("d", "other", "SuccessfulRescale", "New size: 1; reason: another workload")
		time.Sleep(time.Second)
		c.scale("web", 1)
		time.Sleep(time.Second)
		c.scale("web", 5)
		c.tell("a", "web", "SuccessfulRescale", "(combined from similar events): New size: 5; reason: again")
		want := []story.Change{
			{At: synced + 3*time.Second, From: 1, To: 5, Reason: "cpu utilization 220% above target 50%"},
			{At: synced + 7*time.Second, From: 5, To: 10, Reason: "cpu 96%"},
			{At: synced + 8*time.Second, From: 10, To: 1},
			{At: synced + 9*time.Second, From: 1, To: 5, Reason: "again"},
		}
		if diff := cmp.Diff(want, track(t, o, "web").Changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// A Deployment that changes without its replicas is no change, nor is one that appears.
func TestWhatIsNoChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, o := watch(t)
		c.scale("web", 3)
		c.scale("web", 3)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := track(t, o, "web"); len(got.Changes) != 0 || got.Replicas() != 3 {
			t.Errorf("changes %v, replicas %d", got.Changes, got.Replicas())
		}
	})
}

func TestPoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, o := watch(t)
		c.scale("web", 1)
		time.Sleep(2 * time.Second) // nothing changes: one point a second
		c.measure("web", 2200)
		time.Sleep(time.Second)
		c.scale("web", 2)
		time.Sleep(600 * time.Millisecond)
		c.fail(errors.New("503"))
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if o.Err() == nil {
			t.Error("the failing metrics API went unnoticed")
		}
		const ms = time.Millisecond
		want := []story.Point{
			{At: 200 * ms, Load: 2200, Utilization: story.Unknown, Replicas: 1, Ready: 1},
			{At: 1200 * ms, Load: 2200, Utilization: story.Unknown, Replicas: 1, Ready: 1},
			{At: 2200 * ms, Load: 2200, Utilization: 220, Replicas: 1, Ready: 1},
			{At: 3200 * ms, Load: 2200, Utilization: 220, Replicas: 2, Ready: 2},
			{At: 3800 * ms, Load: 2200, Utilization: story.Unknown, Replicas: 2, Ready: 2},
		}
		if diff := cmp.Diff(want, track(t, o, "web").Points); diff != "" {
			t.Errorf("points (-want +got):\n%s", diff)
		}
		c.fail(nil)
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		if err := o.Err(); err != nil {
			t.Errorf("it answers again, but: %v", err)
		}
	})
}

func TestSampledIsWhenASampleIsFirstSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, o := watch(t)
		if o.Sampled() != 0 {
			t.Errorf("sampled at %s before anything was", o.Sampled())
		}
		for _, after := range []time.Duration{1900 * time.Millisecond, 5 * time.Second} {
			time.Sleep(after)
			taken := o.Now()
			c.measure("web", 100)
			time.Sleep(2 * time.Second)
			if late := o.Sampled() - taken; late < 0 || late > interval {
				t.Errorf("a sample taken at %s was seen %s later", taken, late)
			}
		}
	})
}

func TestUtilization(t *testing.T) {
	tests := map[string]struct {
		pods []metricsv1beta1.PodMetrics
		want int32
	}{
		"nobody is measured":        {want: story.Unknown},
		"another workload is":       {pods: []metricsv1beta1.PodMetrics{sample("a", "other", 900)}, want: story.Unknown},
		"one pod":                   {pods: []metricsv1beta1.PodMetrics{sample("a", "web", 2200)}, want: 220},
		"the average, cut not up":   {pods: []metricsv1beta1.PodMetrics{sample("a", "web", 100), sample("b", "web", 99), sample("c", "other", 5000)}, want: 9},
		"idle is not unknown":       {pods: []metricsv1beta1.PodMetrics{sample("a", "web", 0)}, want: 0},
		"a pod without containers":  {pods: []metricsv1beta1.PodMetrics{{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{Label: "web"}}}}, want: 0},
		"a pod that has no labels":  {pods: []metricsv1beta1.PodMetrics{{}}, want: story.Unknown},
		"one of two has containers": {pods: []metricsv1beta1.PodMetrics{sample("a", "web", 500), {ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{Label: "web"}}}}, want: 25},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Utilization(tt.pods, "web", 1000); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}

func TestNewGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		client.PrependReactor("list", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("forbidden")
		})
		ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, errors.New("enough"))
		defer cancel()
		_, err := New(ctx, Config{Client: client, Metrics: metricsfake.NewSimpleClientset(), Namespace: namespace, Load: func(string) int64 { return 0 }})
		if err == nil || err.Error() != "could not watch Deployments and Events: enough" {
			t.Errorf("error %v", err)
		}
	})
}
