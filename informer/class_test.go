package informer

import (
	"testing"
	"testing/synctest"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// classed puts objects into a class.
func classed[T metav1.Object](class string) func(T) {
	return func(o T) {
		pairs := map[string]string{annotations.ClassKey: class}
		for key, value := range o.GetAnnotations() {
			pairs[key] = value
		}
		o.SetAnnotations(pairs)
	}
}

// newClusterOfClass makes a world whose Set is of a class.
func newClusterOfClass(t *testing.T, class string, objects ...runtime.Object) *cluster {
	c := newCluster(t, objects...)
	set, err := New(Config{Client: c.client, Kinds: c.kinds, Class: class, OnError: c.onError, OnNews: c.onNews})
	if err != nil {
		t.Fatal(err)
	}
	c.set = set
	return c
}

func deploymentKeys(names ...string) (keys []annotations.Key) {
	for _, name := range names {
		keys = append(keys, annotations.DeploymentKey("shop", name))
	}
	return keys
}

// TestEachClassHasItsWorkloads: each of several installations knows its own, with their pods, and what is no class is of the one without.
func TestEachClassHasItsWorkloads(t *testing.T) {
	classes := map[string]string{"night": "batch", "slip": "Batch!", "spaced": " batch "}
	for class, want := range map[string][]string{"": {"plain", "slip"}, "batch": {"night", "spaced"}, "other": nil} {
		t.Run(class, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClusterOfClass(t, class)
				for _, name := range []string{"night", "plain", "slip", "spaced"} {
					d := deployment(name)
					if of := classes[name]; of != "" {
						classed[*appsv1.Deployment](of)(d)
					}
					rs := replicaSet(d, name+"-1")
					c.put(d)
					c.put(rs)
					c.put(pod(rs, name+"-pod"))
				}
				c.start()
				check(t, "selected", c.set.Selected(), deploymentKeys(want...))
				var own []string
				for _, name := range []string{"night", "plain", "slip", "spaced"} {
					if c.set.Owns("shop", name+"-pod") {
						own = append(own, name)
					}
					key := annotations.DeploymentKey("shop", name)
					live, err := c.set.Live(t.Context(), key)
					if cached := c.set.Workload(key); err != nil || (cached.Annotations == nil) != (live.Annotations == nil) {
						t.Errorf("%s is %v in the cache and %v live (%v)", name, cached.Annotations, live.Annotations, err)
					} else if cached.Annotations != nil {
						check(t, "pods of "+name, names(c.set.Pods(cached)), []string{name + "-pod"})
					}
				}
				check(t, "whose pods are its own", own, want)
				c.stop()
				c.set.Wait()
			})
		})
	}
}

// TestAWorkloadChangesItsClass: it is looked at, so that the one installation forgets it and the other one begins.
func TestAWorkloadChangesItsClass(t *testing.T) {
	for class, isOwn := range map[string][]bool{"": {true, false, false, true}, "batch": {false, true, false, false}} {
		t.Run(class, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				web := deployment("web")
				c := newClusterOfClass(t, class, web)
				c.start()
				end := c.lead(1, c.reconcile)
				c.looked()
				for i, of := range []string{"", "batch", "other", ""} {
					next := deployment("web")
					if of != "" {
						classed[*appsv1.Deployment](of)(next)
					}
					before := i > 0 && isOwn[i-1]
					c.put(next)
					looked := len(c.looked()) > 0
					if want := i > 0 && before != isOwn[i]; looked != want {
						t.Errorf("in class %q: looked at %t, want %t", of, looked, want)
					}
					check(t, "selected in class "+of, len(c.set.Selected()) == 1, isOwn[i])
				}
				end()
				c.stop()
				c.set.Wait()
			})
		})
	}
}

// TestWhatAnotherInstallationScalesHasNoInnerOnesHere: two controllers would otherwise scale the same pods.
func TestWhatAnotherInstallationScalesHasNoInnerOnesHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ice := train("ice", classed[*unstructured.Unstructured]("batch"))
		inner := controlledByObject(statefulSet("ice-group"), ice, train1)
		c := newClusterOfClass(t, "", crd("v1", ".spec.workers.count"), ice, inner, podOf(inner, statefulSetVersion, "p"))
		c.start()
		end := c.lead(1, c.reconcile)
		check(t, "selected", c.set.Selected(), []annotations.Key(nil))
		check(t, "owned", c.set.Owns("shop", "p"), false)
		key := keyOf(statefulSetKind, "ice-group")
		if outer, copied, found := c.set.Outer(key); outer != keyOf(trainKind, "ice") || copied || !found {
			t.Errorf("the outer one is %v, copied: %t, found: %t", outer, copied, found)
		}
		if _, _, found := c.set.Outer(keyOf(trainKind, "ice")); found {
			t.Error("something is told of what another installation scales")
		}
		c.looked()
		c.put(train("ice", unannotated))
		check(t, "looks when the outer one is not annotated", c.looked(), []string{"statefulsets.apps/shop/ice-group", ofTrain})
		check(t, "selected when the outer one is not annotated", c.set.Selected(), []annotations.Key{key})
		end()
		c.stop()
		c.set.Wait()
		c.kinds.Wait()
	})
}
