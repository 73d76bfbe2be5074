package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// TestClocksOfNodesThatAreOff: the samples of all pods, or of about half of them, are stamped by clocks that are ahead or behind. The
// replicas go out, in and stay as with right clocks, and a clock that is more than a minute off is told once.
func TestClocksOfNodesThatAreOff(t *testing.T) {
	t.Parallel()
	w := isolated(t, samplePeriod)
	for i, fault := range []loadsim.Fault{{Ahead: 10 * time.Minute, Skewed: 0.5}, {Ahead: 20 * time.Second, Skewed: 1}, {Ahead: -40 * time.Second, Skewed: 1}} {
		w.load.SetFault(fault)
		ns := w.namespace(t, fmt.Sprint("-", i))
		d := w.deploy(t, ns, "web", 2, loadFor(2), map[string]string{"target-cpu": "50", "max": "20", "scale-down-stabilization": "0s", "scale-up-policies": "1000%/15s"})
		c := w.controller(t, ns)
		w.awaitLeader(t, ns)
		w.samples(t, 3)
		d.setLoad(loadFor(4))
		d.await(4)
		w.samples(t, 3)
		d.setLoad(loadFor(8))
		d.await(8)
		w.samples(t, 3)
		d.setLoad(loadFor(5))
		d.await(5)
		w.samples(t, 5)
		d.wantTurns(2, 8, 5)
		told := 0
		for _, event := range d.events() {
			if strings.Contains(event, "NodeClockOff") {
				told++
			}
		}
		if off := fault.Ahead.Abs() > time.Minute; off != (told > 0) {
			t.Errorf("%s ahead: %d Events NodeClockOff", fault.Ahead, told)
		}
		c.running()
	}
}
