package informer

import (
	"testing"
	"testing/synctest"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// step is one thing that happens in a story, and the workloads that are looked at because of it.
type step struct {
	what string
	do   func(c *cluster)
	want []string
}

// put is the step in which an object appears or changes.
func put(what string, o runtime.Object, want ...string) step {
	return step{what, func(c *cluster) { c.put(o) }, want}
}

// gone is the step in which an object disappears.
func gone(what string, o runtime.Object, want ...string) step {
	return step{what, func(c *cluster) { c.remove(o) }, want}
}

func TestWhatMakesAWorkloadBeLookedAt(t *testing.T) {
	web, api := deployment("web"), deployment("api")
	webRS, apiRS := replicaSet(web, "web-1"), replicaSet(api, "api-1")
	chain := []runtime.Object{web, webRS, pod(webRS, "web-1-a")}
	noted := func(key, value string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { d.Annotations[key] = value }
	}
	adopted := func(rs *appsv1.ReplicaSet, by *appsv1.Deployment) *appsv1.ReplicaSet {
		rs = rs.DeepCopy()
		rs.OwnerReferences = replicaSet(by, "").OwnerReferences
		return rs
	}

	stories := map[string]struct {
		world []runtime.Object
		steps []step
	}{
		"a Deployment comes, changes and goes": {nil, []step{
			put("created", web, "shop/web"),
			put("scaled by somebody", deployment("web", replicas(3)), "shop/web"),
			put("one annotation changed", deployment("web", replicas(3), noted("mini-hpa/max", "20")), "shop/web"),
			put("template changed", deployment("web", replicas(3), noted("mini-hpa/max", "20"), func(d *appsv1.Deployment) {
				d.Spec.Template.Spec.Containers[0] = container("app", "1")
			}), "shop/web"),
			put("back to how it was", web, "shop/web"),
			put("being deleted", deployment("web", func(d *appsv1.Deployment) { d.DeletionTimestamp = new(at("11:00:00")) }), "shop/web"),
			gone("deleted", web, "shop/web"),
		}},
		"what nobody reads changes": {chain, []step{
			put("resync", web),
			put("status", deployment("web", func(d *appsv1.Deployment) {
				d.Status = appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 4, ReadyReplicas: 2}
			})),
			put("generation and image", deployment("web", func(d *appsv1.Deployment) {
				d.Generation = 9
				d.Spec.Template.Spec.Containers[0].Image = "web:2"
			})),
			put("foreign annotation", deployment("web", noted("deployment.kubernetes.io/revision", "2"))),
			put("own write seen in managedFields", deployment("web", func(d *appsv1.Deployment) {
				d.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "mini-hpa", Subresource: "scale", Time: new(at("10:00:00"))}}
			})),
			put("pod resync", pod(webRS, "web-1-a")),
			put("pod condition and address", pod(webRS, "web-1-a", func(p *corev1.Pod) {
				p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}
				p.Status.PodIP, p.Status.PodIPs = "10.0.0.7", []corev1.PodIP{{IP: "10.0.0.7"}} // to which nobody is led before it is ready
			})),
			put("the scheduler says something else each time", pod(webRS, "web-1-a", func(p *corev1.Pod) {
				p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3"}}
			})),
			put("its pods are refused", deployment("web", func(d *appsv1.Deployment) {
				d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue}}
			})),
			put("ReplicaSet resync", webRS),
			put("new ReplicaSet without pods", replicaSet(web, "web-2")),
			gone("old ReplicaSet without pods", replicaSet(web, "web-2")),
		}},
		"a Deployment that is not selected": {nil, []step{
			put("created", deployment("web", unselected)),
			put("its ReplicaSet", webRS), put("its pod", pod(webRS, "web-1-a")),
			put("ready", pod(webRS, "web-1-a", ready(corev1.ConditionTrue, "10:00:20"))),
			put("scaled", deployment("web", unselected, replicas(3))),
			gone("deleted", web),
		}},
		"annotated and un-annotated while it runs": {[]runtime.Object{deployment("web", unselected), webRS, pod(webRS, "web-1-a")}, []step{
			put("annotated", web, "shop/web"),
			put("un-annotated", deployment("web", unselected), "shop/web"),
			put("scaled by hand after that", deployment("web", unselected, replicas(7))),
			put("annotated again", web, "shop/web"),
		}},
		"renamed is gone and new": {chain, []step{
			gone("the old name", web, "shop/web"),
			put("the new name", deployment("shopfront"), "shop/shopfront"),
			put("a pod of the old one", pod(webRS, "web-1-b")),
		}},
		"made anew under the same name": {chain, []step{
			gone("deleted", web, "shop/web"),
			put("another one", deployment("web", uid("deploy-web-2")), "shop/web"),
			put("an orphan of the first", pod(webRS, "web-1-a", ready(corev1.ConditionTrue, "10:00:20"))),
		}},
		"a pod's life": {[]runtime.Object{web, webRS}, []step{
			put("created", pod(webRS, "web-1-a"), "shop/web"),
			put("runs", pod(webRS, "web-1-a", ready(corev1.ConditionFalse, "10:00:05")), "shop/web"),
			put("ready", pod(webRS, "web-1-a", ready(corev1.ConditionTrue, "10:00:20")), "shop/web"),
			put("ready again, since another time", pod(webRS, "web-1-a", ready(corev1.ConditionTrue, "10:00:40")), "shop/web"),
			put("ready at another address", pod(webRS, "web-1-a", ready(corev1.ConditionTrue, "10:00:40"), func(p *corev1.Pod) {
				p.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.7"}}
			}), "shop/web"),
			put("resized in place", pod(webRS, "web-1-a", ready(corev1.ConditionTrue, "10:00:40"), func(p *corev1.Pod) {
				p.Spec.Containers[0] = container("app", "1")
			}), "shop/web"),
			put("as at first", pod(webRS, "web-1-a"), "shop/web"),
			put("terminating", pod(webRS, "web-1-a", terminating), "shop/web"),
			put("grace period cut short", pod(webRS, "web-1-a", func(p *corev1.Pod) { p.DeletionTimestamp = new(at("10:30:00")) })),
			gone("gone", pod(webRS, "web-1-a"), "shop/web"),
		}},
		"pods of others": {chain, []step{
			put("a DaemonSet's, labels match", pod(webRS, "ds", controlledBy("apps/v1", "DaemonSet"))),
			put("a bare one, labels match", pod(webRS, "bare", func(p *corev1.Pod) { p.OwnerReferences = nil })),
			gone("the bare one goes", pod(webRS, "bare")),
		}},
		"a pod is released and adopted": {append([]runtime.Object{api, apiRS}, chain...), []step{
			put("released", pod(webRS, "web-1-a", func(p *corev1.Pod) { p.OwnerReferences = nil }), "shop/web"),
			put("adopted by another", pod(apiRS, "web-1-a"), "shop/api"),
			put("moved at once", pod(webRS, "web-1-a"), "shop/api", "shop/web"),
		}},
		"a ReplicaSet is handed over with its pods": {append([]runtime.Object{api}, chain...), []step{
			put("handed over", adopted(webRS, api), "shop/api", "shop/web"),
			put("its pod", pod(webRS, "web-1-a", ready(corev1.ConditionTrue, "10:00:20")), "shop/api"),
		}},
		"pods first, then their ReplicaSet, then the Deployment": {nil, []step{
			put("pod", pod(webRS, "web-1-a")),
			put("another pod", pod(webRS, "web-1-b")),
			put("ReplicaSet", webRS),
			put("Deployment", web, "shop/web"),
			put("pod of the next ReplicaSet", pod(replicaSet(web, "web-2"), "web-2-a")),
			put("the next ReplicaSet", replicaSet(web, "web-2"), "shop/web"),
			put("a pod as usual", pod(replicaSet(web, "web-2"), "web-2-b"), "shop/web"),
		}},
		"the ReplicaSet goes before its pods": {chain, []step{
			gone("ReplicaSet", webRS, "shop/web"),
			gone("pod", pod(webRS, "web-1-a")),
		}},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, story.world...)
				c.start()
				end := c.lead(1, c.reconcile)
				c.looked()
				for _, s := range story.steps {
					s.do(c)
					check(t, s.what, c.looked(), s.want)
				}
				end()
				check(t, "errors", c.told(), []string(nil))
			})
		})
	}
}

// During a rollout the pods of both ReplicaSets belong to the Deployment, and the caches follow every change.
func TestARolloutAsSeenThroughTheWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := deployment("web")
		before, after := replicaSet(web, "web-1"), replicaSet(web, "web-2")
		c := newCluster(t, web, before, pod(before, "web-1-a"), pod(before, "web-1-b"))
		if c.set.Synced() {
			t.Error("synced before it was started")
		}
		c.start()
		if !c.set.Synced() {
			t.Error("not synced after it was started")
		}
		pods := func() []string {
			synctest.Wait()
			return names(c.set.Pods(c.set.Workload(annotations.DeploymentKey("shop", "web"))))
		}
		check(t, "before", pods(), []string{"web-1-a", "web-1-b"})
		c.put(after)
		c.put(pod(after, "web-2-a"))
		check(t, "surge", pods(), []string{"web-1-a", "web-1-b", "web-2-a"})
		c.put(pod(before, "web-1-a", terminating))
		check(t, "terminating", pods(), []string{"web-1-a", "web-1-b", "web-2-a"})
		c.remove(pod(before, "web-1-a"))
		c.remove(pod(before, "web-1-b"))
		check(t, "after", pods(), []string{"web-2-a"})
	})
}

// keep is what a cache keeps of a pod.
func keep(b testing.TB, pod *corev1.Pod) *keptPod {
	b.Helper()
	kept, err := leastWanted().slim(pod)
	if err != nil {
		b.Fatal(err)
	}
	return kept.(*keptPod)
}

func BenchmarkPodUpdateThatChangesNothing(b *testing.B) {
	set, _, _ := crowd(b)
	p := named[*keptPod](set.pods.Load().informer.GetStore(), cache.NewObjectName("shop", "web-0-0-0"))
	same := keep(b, whole(p))
	b.ReportAllocs()
	for b.Loop() {
		set.podUpdated(p, same)
	}
}

func BenchmarkPodBecomesReady(b *testing.B) {
	set, _, _ := crowd(b)
	p := named[*keptPod](set.pods.Load().informer.GetStore(), cache.NewObjectName("shop", "web-0-0-0"))
	changed := whole(p)
	ready(corev1.ConditionTrue, "10:00:20")(changed)
	after := keep(b, changed)
	b.ReportAllocs()
	for b.Loop() {
		set.podUpdated(p, after)
	}
}

func BenchmarkEnqueueOwnersOf20000Pods(b *testing.B) {
	set, _, pods := crowd(b)
	t := newTerm(nil, nil)
	defer t.ShutDown()
	set.current.Store(t)
	b.ReportAllocs()
	for b.Loop() {
		set.EnqueueOwners(pods)
	}
	if t.Len() != 10 {
		b.Fatalf("%d workloads enqueued", t.Len())
	}
}
