package informer

import (
	"testing"
	"testing/synctest"

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
