package scaler

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// settled is a workload that this controller has known for a while.
func settled(t *testing.T) *cluster {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "100", "scale-up-policies": "2 pods/60s"})
	return c.reconcile(time.Minute).wantWrites()
}

const second = `Warning SecondInstallation somebody else acts as mini-hpa: the replicas went from 3 to 4 under the field manager "mini-hpa", and this ` +
	`controller has not written them. Of two installations in one cluster remove one, or give each a class (--class) or namespaces (--namespace) of its own`

func TestTwoInstallationsGrantAPolicyOnce(t *testing.T) {
	c := settled(t)
	c.milliCPU = 2200
	c.overwrite(annotations.FieldManager, "scale", 3)
	c.reconcile(31 * time.Second).wantWrites().wantEvents()
	c.overwrite(annotations.FieldManager, "scale", 4)
	c.reconcile(time.Second).wantWrites().wantEvents(second)
	c.overwrite(annotations.FieldManager, "scale", 5)
	c.reconcile(time.Minute).wantWrites().wantEvents()
	c.reconcile(time.Second).wantWrites(7)
	if n := testutil.ToFloat64(c.scaler.telemetry.namesakes); n != 3 {
		t.Errorf("%v writes of somebody else's counted, want 3", n)
	}
}

// TestAConflictIsNoSuccess: two controllers decide on the same samples at the same moment, and one of them is first.
func TestAConflictIsNoSuccess(t *testing.T) {
	c := settled(t)
	c.milliCPU = 1500
	var events []string
	for _, replicas := range []int32{3, 5, 7, 9} {
		c.scaleErr = apierrors.NewConflict(deployments, "web", errors.New("changed"))
		c.reconcile(time.Second)
		c.overwrite(annotations.FieldManager, "scale", replicas)
		c.scaleErr = nil
		c.reconcile(2 * time.Minute).wantWrites()
		for len(c.events.Events) > 0 {
			events = append(events, <-c.events.Events)
		}
	}
	if len(events) != 1 || !strings.Contains(events[0], "SecondInstallation") || !strings.Contains(events[0], "from 5 to 7") {
		t.Errorf("Events %q, want one at the third of them: the first may have been a proxy that tries twice", events)
	}
}

func TestWhatLooksLikeASecondInstallation(t *testing.T) {
	for name, happens := range map[string]func(c *cluster){
		"the last write of a former leader": func(c *cluster) {
			c.scaler.Forget()
			c.reconcile(20 * time.Second)
			c.overwrite(annotations.FieldManager, "scale", 3)
		},
		"the first writes of a successor": func(c *cluster) {
			for i := range int32(20) {
				c.overwrite(annotations.FieldManager, "scale", 2+i)
				c.reconcile(time.Second)
			}
		},
		"a policy that changes what is written": func(c *cluster) {
			c.milliCPU, c.scaleErr = 2200, errors.New("the API server has stored 2 replicas instead of 3")
			c.reconcile(time.Second)
			c.milliCPU, c.scaleErr = 500, nil
			c.overwrite(annotations.FieldManager, "scale", 2)
		},
		"nothing but a new version": func(c *cluster) { c.overwrite(annotations.FieldManager, "scale", 1) },
		"a user of kubectl":         func(c *cluster) { c.overwrite("kubectl", "scale", 3) },
	} {
		t.Run(name, func(t *testing.T) {
			c := settled(t)
			happens(c)
			for c.reconcile(time.Second); len(c.events.Events) > 0; {
				if event := <-c.events.Events; strings.Contains(event, "SecondInstallation") {
					t.Error(event)
				}
			}
		})
	}
}

// TestTwoThatDisagreeDoNotFight: administrators may have given them different defaults.
func TestTwoThatDisagreeDoNotFight(t *testing.T) {
	c := settled(t)
	c.milliCPU, c.running = 1500, 1
	c.reconcile(0).wantWrites(3)
	for range 20 {
		c.overwrite(annotations.FieldManager, "scale", 1)
		c.now = c.now.Add(time.Second)
		c.reconcile(0)
	}
	if len(c.writes) > 3 {
		t.Errorf("%d writes in 20 s, want 3 at most: %v", len(c.writes), c.writes)
	}
}

// TestAPatchThatIsLate is the own one: its answer was lost, others have written something else, and only then is it carried out.
func TestAPatchThatIsLate(t *testing.T) {
	for name, story := range map[string]struct {
		late  time.Duration
		again bool // it is decided on again, and tried, before it is carried out
		want  string
	}{
		"at once":        {0, false, "Normal SuccessfulRescale New size: 3"},
		"after a change": {time.Second, false, "Normal SuccessfulRescale New size: 3"},
		"after some":     {20 * time.Second, false, "Normal SuccessfulRescale New size: 3"},
		"tried again":    {time.Second, true, "Normal SuccessfulRescale New size: 3"},
		"much too late":  {2 * time.Minute, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := settled(t)
			c.milliCPU = 2200
			others := func() { c.change(func() {}); c.deployment = c.live }
			c.scaling = others
			c.reconcile(time.Second).reconcile(time.Second) // so that the next write is a patch
			c.scaling, c.live, c.scaleErr = nil, nil, errors.New("read: connection reset by peer")
			c.reconcile(time.Second).wantConditions("1", "2", "")
			c.told()
			if !story.again {
				c.milliCPU = 500
			}
			for end := c.now.Add(story.late); c.now.Before(end); c.reconcile(time.Second) {
				others()
				c.live = nil
				if c.scaleErr = nil; story.again {
					c.scaleErr = apierrors.NewConflict(deployments, "web", errors.New("other replicas"))
				}
			}
			c.scaleErr = nil
			c.overwrite(annotations.FieldManager, "scale", 3)
			c.milliCPU = 500
			c.reconcile(time.Second)
			told := c.told()
			if story.want == "" && len(told) > 0 || story.want != "" && (len(told) != 1 || !strings.HasPrefix(told[0], story.want)) {
				t.Errorf("told %q, want %q", told, story.want)
			}
			if n := testutil.ToFloat64(c.scaler.telemetry.namesakes); (n > 0) != (story.want == "") {
				t.Errorf("%v writes of somebody else's counted", n)
			}
			c.milliCPU = 2200
			c.reconcile(time.Second)
			if len(c.writes) > 0 {
				t.Errorf("wrote %v: the policy was granted twice", c.writes)
			}
		})
	}
}
