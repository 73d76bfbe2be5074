package informer

import (
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func keyOf(kind schema.GroupKind, name string) annotations.Key {
	return annotations.Key{Kind: kind, Namespace: "shop", Name: name}
}

// by is a ReplicaSet with the annotations of the Deployment controller, which has made it, and those of others.
func by(rs *appsv1.ReplicaSet, others ...string) *appsv1.ReplicaSet {
	rs = rs.DeepCopy()
	of := func(manager, fields string) {
		rs.ManagedFields = append(rs.ManagedFields, metav1.ManagedFieldsEntry{Manager: manager, FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{` + fields + `}}`)})
	}
	of("kube-controller-manager", `"f:annotations":{".":{},"f:mini-hpa/max":{},"f:mini-hpa/target-cpu":{}},"f:ownerReferences":{".":{}}`)
	for _, key := range others {
		of("kubectl-annotate", `"f:annotations":{"f:`+key+`":{}}`)
	}
	return rs
}

func TestWhatMakesOtherKindsBeLookedAt(t *testing.T) {
	db, lone := statefulSet("db"), alone("cache")
	db0 := podOf(db, statefulSetVersion, "db-0")
	web := deployment("web")
	copied := replicaSet(web, "web-1")
	copied.Annotations = web.Annotations
	former := copied.DeepCopy()
	former.Annotations = map[string]string{"mini-hpa/max": "3", "mini-hpa/target-cpu": "50"}
	made := func(rs *appsv1.ReplicaSet) *appsv1.ReplicaSet {
		rs = rs.DeepCopy()
		rs.Annotations["deployment.kubernetes.io/revision"] = "1"
		return rs
	}
	const ofDB, ofCache = "statefulsets.apps/shop/db", "replicasets.apps/shop/cache"

	for name, story := range map[string]struct {
		world []runtime.Object
		steps []step
	}{
		"a StatefulSet comes, changes and goes": {nil, []step{
			put("created", db, ofDB),
			put("resync", db),
			put("its pod", db0, ofDB),
			put("the pod is ready", podOf(db, statefulSetVersion, "db-0", ready(corev1.ConditionTrue, "10:00:20")), ofDB),
			put("scaled by somebody", statefulSet("db", func(s *appsv1.StatefulSet) { s.Spec.Replicas = new(int32(3)) }), ofDB),
			put("status", statefulSet("db", func(s *appsv1.StatefulSet) { s.Spec.Replicas, s.Status.Replicas = new(int32(3)), 3 })),
			gone("deleted", db, ofDB),
		}},
		"pods before their StatefulSet": {nil, []step{
			put("pod", db0), put("StatefulSet", db, ofDB), put("the pod goes on", podOf(db, statefulSetVersion, "db-0", terminating), ofDB),
		}},
		"annotated and un-annotated while it runs": {[]runtime.Object{statefulSet("db", bare), db0}, []step{
			put("annotated", db, ofDB), put("un-annotated", statefulSet("db", bare), ofDB), put("its pod", podOf(db, statefulSetVersion, "db-0", terminating)),
		}},
		"a ReplicaSet that nothing controls": {nil, []step{
			put("created", lone, ofCache), put("its pod", pod(lone, "cache-a"), ofCache),
			put("adopted by a Deployment", controlledByObject(alone("cache"), web, appsv1.SchemeGroupVersion.WithKind("Deployment")), ofCache),
			put("its pod goes on", pod(lone, "cache-a", terminating)),
			put("released", lone, ofCache), gone("deleted", lone, ofCache),
		}},
		"a ReplicaSet to which a Deployment has copied its annotations": {[]runtime.Object{web}, []step{
			put("created", copied), put("its pod", pod(copied, "web-1-a"), "shop/web"), put("the Deployment is no longer selected", deployment("web", unselected), "shop/web"),
			put("another pod", pod(copied, "web-1-b")),
		}},
		"a ReplicaSet that somebody else has annotated, too": {[]runtime.Object{web}, []step{
			put("created", by(copied)), put("it keeps former annotations", by(former, "example.com/note")),
			put("annotated", by(former, "mini-hpa/max"), "replicasets.apps/shop/web-1"), put("its status", by(former, "mini-hpa/max")),
			put("its pod", pod(copied, "web-1-a"), "shop/web"),
			put("the Deployment is no longer selected", deployment("web", unselected), "replicasets.apps/shop/web-1", "shop/web"),
			put("annotated no more", copied, "replicasets.apps/shop/web-1"),
		}},
		"a ReplicaSet whose Deployment is deleted without it": {[]runtime.Object{web, made(copied)}, []step{
			put("released", made(alone("web-1"))), put("its pod", pod(copied, "web-1-a")), gone("the Deployment is deleted", web, "shop/web"),
			put("adopted by the next Deployment", made(copied)), put("which comes", web, "shop/web"),
		}},
		"the same name in three kinds": {nil, []step{
			put("StatefulSet", statefulSet("web"), "statefulsets.apps/shop/web"), put("Deployment", web, "shop/web"), put("ReplicaSet", alone("web"), "replicasets.apps/shop/web"),
			put("a pod of the Deployment", pod(copied, "web-1-a")), put("its ReplicaSet", copied, "shop/web"),
			put("a pod of the StatefulSet", podOf(statefulSet("web"), statefulSetVersion, "web-0"), "statefulsets.apps/shop/web"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, story.world...)
				c.start()
				end := c.lead(1, c.reconcile)
				c.looked()
				c.heard()
				for _, s := range story.steps {
					s.do(c)
					looks := c.looked()
					if len(c.heard()) > 0 && len(looks) == 2 && looks[0] == looks[1] {
						looks = looks[:1] // pods were listed once more, and it was looked at before and after that
					}
					check(t, s.what, looks, s.want)
				}
				end()
				check(t, "errors", c.told(), []string(nil))
			})
		})
	}
}

// TestPodsAreListedOnceMoreForTheFirstStatefulSet, and it is not looked at on half of its pods.
func TestPodsAreListedOnceMoreForTheFirstStatefulSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := statefulSet("db")
		c := newCluster(t, statefulSet("db", bare), podOf(db, statefulSetVersion, "db-0"), podOf(db, statefulSetVersion, "db-1"),
			statefulSet("queue", bare), podOf(statefulSet("queue"), statefulSetVersion, "queue-0"))
		c.start()
		end := c.lead(1, c.reconcile)
		check(t, "listed at first", c.listed("pods"), 1)
		p := named[*keptPod](c.set.pods.Load().informer.GetStore(), cache.NewObjectName("shop", "db-0"))
		if p.facts != nil || p.owner != nil || p.uid != "" {
			t.Errorf("kept of a pod that nobody asks for: %v", p)
		}

		key := keyOf(statefulSetKind, "db")
		c.block("pods")
		c.put(db)
		synctest.Wait()
		check(t, "selected while pods are listed", c.set.Selected(), []annotations.Key(nil))
		if w := c.set.Workload(key); w != nil {
			t.Errorf("it is there while pods are listed: %v", w)
		}
		c.unblock()
		c.looked()
		check(t, "listed for the first StatefulSet", c.listed("pods"), 1)
		check(t, "told", c.heard()[1:], []string{"pods are listed once more, to keep more of the pods of each StatefulSet.apps"})
		check(t, "selected", c.set.Selected(), []annotations.Key{key})
		check(t, "pods", names(c.set.Pods(c.set.Workload(key))), []string{"db-0", "db-1"})
		check(t, "owned", c.set.Owns("shop", "db-0"), true)
		check(t, "owned by one that is not selected", c.set.Owns("shop", "queue-0"), false)

		c.put(statefulSet("queue"))
		check(t, "looks", c.looked(), []string{"statefulsets.apps/shop/queue"})
		check(t, "listed for the second", c.listed("pods"), 0)
		check(t, "pods of the second", names(c.set.Pods(c.set.Workload(keyOf(statefulSetKind, "queue")))), []string{"queue-0"})
		end()
		c.stop()
		c.set.Wait()
	})
}

func TestOneListOfPodsIsEnoughAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := statefulSet("db")
		c := newCluster(t, db, podOf(db, statefulSetVersion, "db-0"), podOf(statefulSet("db", func(s *appsv1.StatefulSet) { s.UID = "another" }), statefulSetVersion, "db-1"))
		c.start()
		check(t, "lists", c.listed("pods"), 1)
		check(t, "told", c.heard(), []string{noTrains})
		check(t, "pods", names(c.set.Pods(c.set.Workload(keyOf(statefulSetKind, "db")))), []string{"db-0"})
	})
}

// TestARoleWithoutStatefulSets is one that was written before they were scaled: that is reported, and Deployments are scaled.
func TestARoleWithoutStatefulSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, deployment("web"))
		forbidden := apierrors.NewForbidden(appsv1.Resource("statefulsets"), "", nil)
		c.client.PrependReactor("list", "statefulsets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, forbidden })
		c.start()
		end := c.lead(1, c.reconcile)
		check(t, "looks", c.looked(), []string{"shop/web"})
		if told := c.told(); len(told) == 0 {
			t.Error("nothing was told")
		}
		end()
	})
}

// TestASelectorHelpsWithoutStatefulSets: what cannot be read is not known, so that the pods below may be those of a custom resource.
func TestASelectorHelpsWithoutStatefulSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ice := train("ice", running("train=ice"))
		group := controlledByObject(statefulSet("ice-group", bare), ice, train1)
		c := newCluster(t, crd("v1", ".spec.workers.count"), ice, group,
			podOf(group, statefulSetVersion, "p", func(p *corev1.Pod) { p.Labels = map[string]string{"train": "ice"} }))
		forbidden := apierrors.NewForbidden(appsv1.Resource("statefulsets"), "", nil)
		c.client.PrependReactor("list", "statefulsets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, forbidden })
		c.start()
		w := c.set.Workload(keyOf(trainKind, "ice"))
		check(t, "pods", names(c.set.Pods(w)), []string{"p"})
		check(t, "by selector", c.set.BySelector(w), true)
		check(t, "owned", c.set.Owns("shop", "p"), true)
		c.stop()
		c.set.Wait()
	})
}

func TestLiveOfAnyKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, statefulSet("db"), alone("cache"), deployment("db"))
		c.start()
		for _, key := range []annotations.Key{keyOf(statefulSetKind, "db"), keyOf(replicaSetKind, "cache"), keyOf(deploymentKind, "db")} {
			live, err := c.set.Live(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			check(t, key.String(), live, c.set.Workload(key))
		}
		for _, key := range []annotations.Key{keyOf(statefulSetKind, "cache"), keyOf(schema.GroupKind{Kind: "Train"}, "db")} {
			if live, err := c.set.Live(t.Context(), key); live != nil || err != nil || c.set.Workload(key) != nil {
				t.Errorf("%s, which does not exist: %v, %v", key, live, err)
			}
		}
		c.mute("statefulsets")
		c.put(statefulSet("db", func(s *appsv1.StatefulSet) { s.Spec.Replicas = new(int32(4)) }))
		c.set.Doubt(keyOf(statefulSetKind, "db"), "1004")
		time.Sleep(2 * time.Second)
		check(t, "replicas", c.set.Workload(keyOf(statefulSetKind, "db")).Replicas, int32(4))
		check(t, "told", c.told(), []string{"watching statefulsets: nothing came of version 1004 of statefulset shop/db; listed again, and 1 of 1 had changed"})
		c.stop()
		c.set.Wait()
	})
}
