package scaler

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// change is what somebody else does to the Deployment that is live, besides giving it another version. The watch does not tell of it.
func (c *cluster) change(do func()) {
	if c.live == nil {
		c.live = c.deployment.DeepCopy()
	}
	version, _ := strconv.Atoi(c.live.ResourceVersion)
	c.live = c.live.DeepCopy()
	c.live.ResourceVersion = strconv.Itoa(version + 1)
	do()
}

// told are the Events since the last call.
func (c *cluster) told() []string {
	var told []string
	for len(c.events.Events) > 0 {
		told = append(told, <-c.events.Events)
	}
	return told
}

func (c *cluster) wantConditions(want ...string) {
	c.t.Helper()
	if diff := cmp.Diff(want, c.conditions); diff != "" {
		c.t.Errorf("versions that writes were for (-want +got):\n%s", diff)
	}
}

// TestAWatchThatTellsNothing: what a conflict was about is read live, and the write is made. The memory is doubted as soon as
// it has been behind for longer than a watch may be late.
func TestAWatchThatTellsNothing(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	c.change(func() {})
	c.reconcile(time.Second).wantWrites().wantEvents().wantConditions("1")
	c.reconcile(time.Second).wantWrites(5).wantConditions("1", "2")
	if told := c.told(); len(told) != 1 || !strings.HasPrefix(told[0], "Normal SuccessfulRescale New size: 5") {
		t.Errorf("told %q", told)
	}
	c.milliCPU = 500
	for range 4 {
		c.reconcile(time.Second).wantWrites(5)
		if c.lastFailure != nil || c.lastWait <= 0 || c.lastWait > lateWatch {
			t.Errorf("looks again after %s, error %v; want it within %s", c.lastWait, c.lastFailure, lateWatch)
		}
	}
	c.wantDoubts().reconcile(time.Second).wantDoubts()
	c.reconcile(time.Second).wantDoubts("3")
	// It goes on, on what is live, for as long as nothing comes of that.
	c.now = c.now.Add(tick) // after which the policies allow it
	c.milliCPU = 900
	c.change(func() { c.live.Annotations["mini-hpa/max"] = "7" })
	c.reconcile(time.Second).wantWrites(5, 7).wantDoubts("3", "4")
	c.deployment, c.live = c.live, nil
	c.milliCPU = 500
	lives := c.lives
	c.reconcile(time.Second).reconcile(time.Minute).reconcile(time.Minute)
	if c.lives != lives {
		t.Errorf("%d live reads after the watch has told", c.lives-lives)
	}
}

func (c *cluster) wantDoubts(want ...string) *cluster {
	c.t.Helper()
	if diff := cmp.Diff(want, c.doubts); diff != "" {
		c.t.Errorf("doubts (-want +got):\n%s", diff)
	}
	return c
}

// TestOthersWriteAllTheTime: labels, say, faster than a write takes. After two conflicts the write depends on the replicas alone.
func TestOthersWriteAllTheTime(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	c.scaling = func() { c.change(func() {}); c.deployment = c.live }
	c.reconcile(time.Second).wantWrites()
	c.reconcile(time.Second).wantWrites()
	c.reconcile(time.Second).wantWrites(5).wantConditions("1", "2", "")
	c.deployment = c.live
	c.now = c.now.Add(tick) // after which the policies allow it
	c.milliCPU = 900
	c.reconcile(time.Second).wantWrites(5).wantConditions("1", "2", "", "5") // the next write is made as usual
	if c.doubts != nil {
		t.Errorf("doubted %q, while the watch tells everything", c.doubts)
	}
	if got := counterValue(t, c, "mini_hpa_scale_conflicts_total"); got != 3 {
		t.Errorf("%v conflicts counted, want 3", got)
	}
}

func counterValue(t *testing.T, c *cluster, name string) float64 {
	t.Helper()
	families, err := c.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}

// TestWhatIsTrueLiveIsDecidedOn, also if that is to leave the workload alone, or if the replicas are no longer what they were.
func TestWhatIsTrueLiveIsDecidedOn(t *testing.T) {
	four := int32(4)
	for name, story := range map[string]struct {
		change func(c *cluster)
		want   []int32
	}{
		"max":      {func(c *cluster) { c.live.Annotations["mini-hpa/max"] = "3" }, []int32{3}},
		"paused":   {func(c *cluster) { c.live.Annotations["mini-hpa/mode"] = "paused" }, nil},
		"observe":  {func(c *cluster) { c.live.Annotations["mini-hpa/mode"] = "observe" }, nil},
		"left":     {func(c *cluster) { c.live.Annotations = nil }, nil},
		"another":  {func(c *cluster) { c.live.UID = "u2" }, nil},
		"replicas": {func(c *cluster) { c.live.Spec.Replicas = &four }, []int32{8, 10}}, // by the policies
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, selected())
			c.milliCPU = 2200
			c.change(func() { story.change(c) })
			c.reconcile(time.Second).wantWrites()
			for range 20 {
				c.reconcile(time.Second)
			}
			c.wantWrites(story.want...)
		})
	}
}

// TestConflictsThatGoOn are told once, as an Event and in what is shown of the workload, and counted.
func TestConflictsThatGoOn(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	c.scaleErr = apierrors.NewConflict(deployments, "web", errors.New("changed"))
	for range 30 {
		c.reconcile(time.Second).wantEvents()
	}
	if got := standings(t, c.scaler.telemetry.board); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "AbleToScale") }) {
		t.Errorf("shown %q: a conflict passes", got)
	}
	c.reconcile(time.Second)
	told := c.told()
	if len(told) != 1 || !strings.HasPrefix(told[0], "Warning FailedRescale New size: 5; reason: cpu utilization 220%") ||
		!strings.HasSuffix(told[0], `; error: "turned away 31 times in 30s: Operation cannot be fulfilled on deployments.apps \"web\": changed"`) {
		t.Errorf("told %q", told)
	}
	for range 60 {
		c.reconcile(time.Second).wantEvents()
	}
	if got := standings(t, c.scaler.telemetry.board); !slices.Contains(got, "condition AbleToScale = 0") {
		t.Errorf("shown %q, want AbleToScale = 0", got)
	}
	c.scaleErr = nil
	c.reconcile(time.Second).wantWrites(5)
	<-c.events.Events
	c.wantEvents()
}

// TestAskedToComeLater: an API server that has much to do is not asked for more, and that is not told at once.
func TestAskedToComeLater(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	c.scaleErr = apierrors.NewTooManyRequests("too many requests", 3600)
	for range 30 {
		c.reconcile(time.Second).wantEvents()
	}
	c.reconcile(time.Second)
	if told := c.told(); len(told) != 1 || !strings.HasSuffix(told[0], `; error: "turned away 31 times in 30s: too many requests"`) {
		t.Errorf("told %q", told)
	}
	if c.lives > 0 {
		t.Errorf("%d live reads", c.lives)
	}
	if seconds, asked := apierrors.SuggestsClientDelay(c.lastFailure); !asked || seconds != 3600 {
		t.Errorf("error %v does not say how long to wait", c.lastFailure)
	}
}

// TestALiveReadThatFails is tried again like a write.
func TestALiveReadThatFails(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	c.change(func() {})
	c.reconcile(time.Second)
	c.liveErr = errors.New("no answer")
	if c.reconcile(time.Second).wantWrites(); c.lastFailure == nil || c.lastFailure.Error() != "reading deployment default/web, which others change: no answer" {
		t.Errorf("error %v", c.lastFailure)
	}
	c.liveErr = nil
	c.reconcile(time.Second).wantWrites(5)
}

// TestAPatchThatIsRefused: by a role that does not grant it, or a policy. What others have written does not keep the workload from
// being scaled for ever: an update, on what is live, does as soon as nobody is faster.
func TestAPatchThatIsRefused(t *testing.T) {
	for name, refusal := range map[string]error{
		"by a role":   apierrors.NewForbidden(deployments, "web", errors.New("cannot patch")),
		"by a policy": apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "patch", deployments, "web", "at most 4", 0, true),
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, selected())
			c.milliCPU = 2200
			others := 4 // writes of others, each just before one of ours
			c.scaling = func() {
				if others--; others >= 0 {
					c.change(func() {})
				}
				c.scaleErr = nil
				if c.conditions[len(c.conditions)-1] == "" {
					c.scaleErr = refusal
				}
			}
			for range 4 {
				c.reconcile(time.Second).wantWrites()
			}
			c.reconcile(time.Second).wantWrites(5).wantConditions("1", "2", "", "4", "5")
			if told := c.told(); len(told) != 2 || !strings.Contains(told[0], "FailedRescale") || !strings.Contains(told[1], "SuccessfulRescale") {
				t.Errorf("told %q, want what is missing, and the write", told)
			}
			c.now = c.now.Add(tick) // after which the policies allow it
			c.milliCPU, others = 900, 4
			for range 5 {
				c.reconcile(time.Second)
			}
			c.wantWrites(5, 9)
			if told := c.told(); len(told) != 1 || !strings.Contains(told[0], "SuccessfulRescale") {
				t.Errorf("told %q, want only the write: what is missing is known", told)
			}
		})
	}
}

// TestAllWritesAreRefused: after conflicts as well they are made as usual then, and no live reads.
func TestAllWritesAreRefused(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	c.scaleErr = apierrors.NewConflict(deployments, "web", errors.New("changed"))
	c.reconcile(time.Second).reconcile(time.Second).wantEvents()
	c.scaleErr = apierrors.NewForbidden(deployments, "web", errors.New("no"))
	c.reconcile(time.Second).reconcile(time.Second)
	if told := c.told(); len(told) != 1 || !strings.Contains(told[0], "FailedRescale") {
		t.Errorf("told %q", told)
	}
	lives := c.lives
	for range 10 {
		c.reconcile(time.Minute).wantEvents()
	}
	if c.lives != lives {
		t.Errorf("%d live reads of a workload that nobody else writes", c.lives-lives)
	}
}
