package informer

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

func TestPodsOfOneTemplateShareIt(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]struct {
		change func(*corev1.Pod)
		shared bool
	}{
		"an equal pod":                    {func(*corev1.Pod) {}, true},
		"the same amount in another unit": {request("1000m"), true},
		"a pod resized in place":          {request("2"), false},
		"an injected container": {func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "proxy"})
		}, false},
		"another name": {func(p *corev1.Pod) { p.Spec.Containers[0].Name = "web" }, false},
		"another policy": {func(p *corev1.Pod) {
			p.Spec.InitContainers[0].RestartPolicy = new(corev1.ContainerRestartPolicy("Never"))
		}, false},
		"an overhead": {func(p *corev1.Pod) {
			p.Spec.Overhead = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
		}, false},
		"resources of the pod as a whole": {func(p *corev1.Pod) { p.Spec.Resources = &corev1.ResourceRequirements{} }, false},
		"another limit": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("9")}
		}, false},
		"a sidecar that was an init container": {func(p *corev1.Pod) {
			p.Spec.InitContainers[0].RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		}, false},
		"another ReplicaSet": {func(p *corev1.Pod) { p.OwnerReferences[0].UID = "other" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shapes := newTemplates()
			first, second := templated(), templated()
			story.change(second)
			a, b := slimmed(t, shapes, first), slimmed(t, shapes, second)
			if got := &a.Spec.Containers[0] == &b.Spec.Containers[0]; got != story.shared {
				t.Errorf("the containers are shared: %t, want %t", got, story.shared)
			}
			alone := slimmed(t, newTemplates(), second)
			if diff := cmp.Diff(alone, b); diff != "" {
				t.Errorf("sharing changes what is kept (-alone +shared):\n%s", diff)
			}
		})
	}
}

// TestEqualRequestsAreShared: by a Deployment and the pods of another one, for example.
func TestEqualRequestsAreShared(t *testing.T) {
	t.Parallel()
	shapes := newTemplates()
	of := func(list corev1.ResourceList) uintptr { return reflect.ValueOf(list).Pointer() }
	web := deployment("web")
	web.Annotations = map[string]string{"mini-hpa/target-cpu": "50"}
	web.Spec.Template.Spec = templated().Spec
	slim, err := shapes.workloads(slimDeployment)(web)
	if err != nil {
		t.Fatal(err)
	}
	mine := slim.(*kept).selected.Template.Spec.Containers[0].Resources.Requests
	for name, story := range map[string]struct {
		change func(*corev1.Pod)
		shared bool
	}{
		"an equal pod":                    {func(*corev1.Pod) {}, true},
		"the same amount in another unit": {request("1000m"), true},
		"another amount":                  {request("1001m"), false},
		"one more resource": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse("1Gi")
		}, false},
		"an amount in another format": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = *resource.NewQuantity(1, resource.BinarySI)
		}, false},
	} {
		pod := templated()
		pod.OwnerReferences[0].UID = types.UID(name)
		story.change(pod)
		kept := slimmed(t, shapes, pod).Spec.Containers[0].Resources.Requests
		if got := of(kept) == of(mine); got != story.shared {
			t.Errorf("%s: the requests are shared: %t, want %t", name, got, story.shared)
		}
		if diff := cmp.Diff(slimmed(t, newTemplates(), pod).Spec.Containers[0].Resources.Requests, kept); diff != "" {
			t.Errorf("%s: sharing changes what is kept (-alone +shared):\n%s", name, diff)
		}
	}
}

// TestEqualAnnotationsAreShared: by workloads whose annotations come from one chart. Long ones are not remembered, because what users write must
// not fill the memory after their workloads are gone.
func TestEqualAnnotationsAreShared(t *testing.T) {
	t.Parallel()
	const key = annotations.Prefix + "metrics"
	for name, story := range map[string]struct {
		first, second map[string]string
		shared        bool
	}{
		"equal ones":     {map[string]string{key: "a", annotations.Max: "9"}, map[string]string{annotations.Max: "9", key: "a"}, true},
		"other ones":     {map[string]string{key: "a"}, map[string]string{key: "b"}, false},
		"not mini-hpa's": {map[string]string{key: "a", "note": "1"}, map[string]string{key: "a", "note": "2"}, true},
		"long ones":      {map[string]string{key: strings.Repeat("a", longestAnnotations)}, map[string]string{key: strings.Repeat("a", longestAnnotations)}, false},
	} {
		shapes := newTemplates()
		sharing := func(pairs map[string]string) map[string]string {
			web := deployment("web")
			web.Annotations = pairs
			slim, err := shapes.workloads(slimDeployment)(web)
			if err != nil {
				t.Fatal(err)
			}
			return slim.(*kept).selected.Annotations
		}
		first, second := sharing(story.first), sharing(story.second)
		if got := reflect.ValueOf(first).Pointer() == reflect.ValueOf(second).Pointer(); got != story.shared {
			t.Errorf("%s: the annotations are shared: %t, want %t", name, got, story.shared)
		}
		if diff := cmp.Diff(ownAnnotations(story.second), second); diff != "" {
			t.Errorf("%s: sharing changes what is kept (-alone +shared):\n%s", name, diff)
		}
	}
}

func templated() *corev1.Pod {
	p := &corev1.Pod{Spec: corev1.PodSpec{
		Containers:     []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}},
		InitContainers: []corev1.Container{{Name: "setup"}},
	}}
	p.UID = types.UID("pod")
	controlledBy("apps/v1", "ReplicaSet")(p)
	return p
}

func request(cpu string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse(cpu)
	}
}

func slimmed(t *testing.T, shapes templates, pod *corev1.Pod) *podspec.Pod {
	t.Helper()
	out, err := shapes.pods(leastWanted())(pod)
	if err != nil {
		t.Fatal(err)
	}
	return &out.(*keptPod).facts.Pod
}

// TestADeletedWorkloadLeavesNothing: thousands of workloads may come and go in a day.
func TestADeletedWorkloadLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := deployment("web")
		rs := replicaSet(web, "web-1")
		c := newCluster(t)
		c.start()
		term := newTerm(func(context.Context, annotations.Key) (time.Duration, error) {
			if c.set.Workload(webKey) == nil {
				return 0, nil
			}
			return time.Hour, nil
		}, c.onError)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go c.set.lead(ctx, 1, term)
		held := func() []int {
			synctest.Wait()
			term.wakeups.mu.Lock()
			defer term.wakeups.mu.Unlock()
			return []int{len(term.wakeups.timers), c.set.templates.last.Len(), len(c.set.pods.Load().informer.GetStore().ListKeys()),
				len(c.set.replicaSets.informer.GetStore().ListKeys()), len(c.set.deployments.informer.GetStore().ListKeys())}
		}
		check(t, "at first: planned, templates, pods, ReplicaSets, Deployments", held(), []int{0, 0, 0, 0, 0})
		c.put(web)
		c.put(rs)
		c.put(pod(rs, "web-1-a"))
		check(t, "with one: planned, templates, pods, ReplicaSets, Deployments", held(), []int{1, 1, 1, 1, 1})
		c.remove(web)
		synctest.Wait()
		c.remove(rs)
		synctest.Wait()
		c.put(pod(rs, "web-1-a", terminating))
		synctest.Wait()
		c.remove(pod(rs, "web-1-a"))
		check(t, "at last: planned, templates, pods, ReplicaSets, Deployments", held(), []int{0, 0, 0, 0, 0})
	})
}
