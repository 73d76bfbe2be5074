package informer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func TestPodsThatAnotherCustomKindLeadsTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ice := train("ice")
		wagon := controlledByObject(car("wagon"), ice, train1)
		c := newClusterOf(t, trainsAndCars, crd("v1", ".spec.workers.count"), carCRD(), ice, wagon, podOf(wagon, car1, "p"))
		c.start()
		key := keyOf(trainKind, "ice")
		check(t, "selected", c.set.Selected(), []annotations.Key{key})
		check(t, "pods", names(c.set.Pods(c.set.Workload(key))), []string{"p"})
		c.stop()
		c.set.Wait()
	})
}

// unannotated is a train that nobody selects.
func unannotated(o *unstructured.Unstructured) { o.SetAnnotations(nil) }

// lonelyTrain makes a train of a namespace whose pods only its selector leads to.
func lonelyTrain(namespace string, edits ...func(*unstructured.Unstructured)) *unstructured.Unstructured {
	return inNamespace(namespace, train("ice", append([]func(*unstructured.Unstructured){running("train=ice")}, edits...)...))
}

// relisted returns how often pods were listed once more, since the last call.
func relisted(c *cluster) int {
	news := slices.DeleteFunc(c.heard(), func(news string) bool { return !strings.HasPrefix(news, "pods are listed once more") })
	return len(news)
}

// TestWhatIsKeptOfPodsOnlyGrows, so that nobody who annotates and un-annotates his workloads has all pods of the cluster listed each time.
func TestWhatIsKeptOfPodsOnlyGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, crd("v1", ".spec.workers.count"))
		c.start()
		end := c.lead(1, c.reconcile)
		for range 5 {
			for _, namespace := range []string{"bank", "shop"} {
				c.put(lonelyTrain(namespace))
				time.Sleep(5 * time.Minute)
				c.put(lonelyTrain(namespace, unannotated))
				time.Sleep(5 * time.Minute)
			}
		}
		check(t, "lists for a kind and two namespaces", relisted(c), 3)
		end()
		c.stop()
		c.set.Wait()
	})
}

// TestListsOfPodsArePaced: the first few come at once, and then one a minute.
func TestListsOfPodsArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, crd("v1", ".spec.workers.count"))
		c.start()
		const namespaces = 15
		for i := range namespaces {
			c.put(lonelyTrain(fmt.Sprintf("n%d", i)))
			time.Sleep(2 * lonelyAfter)
		}
		if n := relisted(c); n < 5 || n > relistBurst+5 {
			t.Errorf("%d lists of pods in five minutes", n)
		}
		time.Sleep(5 * time.Minute)
		check(t, "namespaces whose labels are kept in the end", len(c.set.pods.Load().wants.labels), namespaces)
		c.stop()
		c.set.Wait()
	})
}

// TestPodsOfASelectorAreCounted, whosever they are, once somebody has asked: at first more of them has to be kept.
func TestPodsOfASelectorAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bare := func(name string) runtime.Object { return without(pod(replicaSet(deployment("gone"), "gone"), name)) }
		web := replicaSet(deployment("web"), "web-1")
		c := newCluster(t, web, pod(web, "owned"), bare("bare"))
		c.start()
		app := labels.SelectorFromSet(labels.Set{"app": "web"})
		counted := func(namespace string) []string {
			pods, known := c.set.Counted(namespace, app)
			if !known {
				return nil
			}
			return append([]string{}, slices.Sorted(slices.Values(names(pods)))...)
		}
		c.heard()
		check(t, "before anybody has asked", counted("shop"), []string(nil))
		check(t, "in another namespace", counted("bank"), []string(nil))
		time.Sleep(time.Minute)
		synctest.Wait()
		check(t, "afterwards", counted("shop"), []string{"bare", "owned"})
		check(t, "in a namespace without pods", counted("bank"), []string{})
		c.put(bare("another"))
		synctest.Wait()
		check(t, "after another one came", counted("shop"), []string{"another", "bare", "owned"})
		if n := relisted(c); n == 0 || n > 2 {
			t.Errorf("%d lists of pods for two namespaces", n)
		}
		check(t, "pods of no namespace", counted(""), []string(nil))
		c.stop()
		c.set.Wait()
	})
}

// without takes the owner from a pod.
func without(p *corev1.Pod) *corev1.Pod {
	p.OwnerReferences = nil
	return p
}
