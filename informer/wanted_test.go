package informer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

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
