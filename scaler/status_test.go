package scaler

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// row is a status as a table shows it.
func (c *cluster) row() string {
	c.t.Helper()
	s, ok := c.scaler.Status(web)
	if !ok {
		return "unknown"
	}
	number := func(n *int32) string {
		if n == nil {
			return "-"
		}
		return fmt.Sprint(*n)
	}
	last := "-"
	if s.LastScale != nil {
		last = fmt.Sprintf("%s (%d->%d)", c.now.Sub(s.LastScale.Time), s.LastScale.From, s.LastScale.To)
	}
	var targets []string
	for _, target := range s.Targets {
		targets = append(targets, target.String())
	}
	return fmt.Sprintf("%s | %s..%s %d %d %s | %s | %s | %s", strings.Join(targets, ", "), number(s.Min), number(s.Max), s.Replicas, s.Ready, number(s.Wants), s.State, last, s.Why)
}

// TestStatus: a story for each state that can be told from a workload.
func TestStatus(t *testing.T) {
	sleeper := map[string]string{"min": "0", "max": "10", "metrics": "- {type: External, external: {metric: {name: backlog}, target: {type: AverageValue, averageValue: 10}}}"}
	stories := map[State]struct {
		pairs map[string]string
		play  func(c *cluster)
		want  string
	}{
		StateOK: {selected(), func(c *cluster) { c.reconcile(tick) }, "cpu: 50%/50% | 1..10 1 1 1 | OK | - | "},
		StateBlind: {selected(), func(c *cluster) {
			c.samplesErr = errors.New("the metrics API is away")
			c.reconcile(tick)
		}, "cpu: ?/50% | 1..10 1 1 - | BLIND | - | the metrics API is away"},
		StateInvalid: {map[string]string{"target-cpu": "fifty", "max": "0.5"}, func(c *cluster) { c.reconcile(tick) },
			` | -..- 1 1 - | INVALID | - | [mini-hpa/max]: Invalid value: "0.5": must be a whole number of replicas from 0 to 2147483647, in digits only; and 1 more`},
		StateConflict: {selected(), func(c *cluster) {
			c.surroundings = annotations.Surroundings{Autoscalers: []annotations.Autoscaler{{Kind: annotations.KindHPA, Name: "web"}}}
			c.reconcile(tick)
		}, ` | -..- 1 1 - | CONFLICT | - | HorizontalPodAutoscaler "web" already scales this Deployment`},
		StateDenied: {selected(), func(c *cluster) {
			c.milliCPU, c.scaleErr = 2200, apierrors.NewForbidden(deployments, "web", errors.New("not you"))
			c.reconcile(tick)
		}, `cpu: 220%/50% | 1..10 1 1 5 | DENIED | - | scaling deployment default/web from 1 to 5: deployments.apps "web" is forbidden: not you`},
		StateStarved: {selected(), func(c *cluster) {
			c.milliCPU, c.unscheduled = 2200, "0/3 nodes are available"
			c.reconcile(2 * time.Minute).reconcile(tick)
		}, `cpu: 220%/50% | 1..10 5 1 5 | STARVED | 2m15s (1->5) | 4 of 5 replicas do not come, because no node takes their pods: "0/3 nodes are available"`},
		StateOverwritten: {selected(), func(c *cluster) {
			c.milliCPU = 2200
			c.reconcile(tick)
			c.milliCPU = 500
			c.overwrite("kubectl-client-side-apply", "", 1)
			c.reconcile(tick)
		}, `OVERWRITTEN | 30s (1->5) | replicas were set from 5 to 1 by field manager "kubectl-client-side-apply" 15s ago`},
		StateLimited: {map[string]string{"target-cpu": "50", "max": "1"}, func(c *cluster) {
			c.milliCPU = 2200
			c.reconcile(tick)
		}, "cpu: 220%/50% | 1..1 1 1 5 | LIMITED | - | needs 5, mini-hpa/max is 1"},
		StateHolding: {selected(), func(c *cluster) {
			c.milliCPU = 2200
			c.reconcile(tick)
			c.milliCPU = 100
			c.reconcile(tick)
		}, "cpu: 10%/50% | 1..10 5 5 1 | HOLDING | 30s (1->5) | needs 1; 5 is the highest recommendation of the last 5m0s; it ends in 4m45s"},
		StateRamping: {selected(), func(c *cluster) {
			c.milliCPU = 4900
			c.reconcile(0)
		}, "cpu: 490%/50% | 1..10 5 5 10 | RAMPING | 0s (1->5) | needs 10; 4 pods/15s, 100%/15s: no further than 5 now"},
		StateWaiting: {selected(), func(c *cluster) {
			c.milliCPU, c.podAge = -1, time.Second
			c.reconcile(tick)
		}, "cpu: ?/50% | 1..10 1 1 - | WAITING | - | "},
		StateObserve: {map[string]string{"target-cpu": "50", "max": "10", "mode": "observe"}, func(c *cluster) {
			c.milliCPU = 4900
			c.reconcile(tick)
		}, "cpu: 490%/50% | 1..10 1 1 10 | OBSERVE | - | would set 5 replicas"},
		StatePaused: {map[string]string{"target-cpu": "50", "max": "10", "mode": "paused"}, func(c *cluster) { c.reconcile(tick) },
			"cpu: ?/50% | 1..10 1 1 - | PAUSED | - | "},
		StateOff: {selected(), func(c *cluster) {
			c.overwrite("kubectl", "scale", 0)
			c.reconcile(tick)
		}, "cpu: ?/50% | 1..10 0 0 - | OFF | - | "},
		StateAsleep: {sleeper, func(c *cluster) {
			c.answers = map[string]any{"backlog": int64(0)}
			c.overwrite(annotations.FieldManager, "scale", 0)
			c.reconcile(tick)
		}, "backlog: 0/10 | 0..10 0 0 0 | ASLEEP | - | "},
	}
	for _, state := range States()[1:] {
		t.Run(string(state), func(t *testing.T) {
			story, told := stories[state]
			if !told {
				t.Fatal("there is no story of it")
			}
			c := newCluster(t, story.pairs)
			story.play(c)
			if got := c.row(); !strings.Contains(got, story.want) {
				t.Errorf("got  %s\nwant %s", got, story.want)
			}
		})
	}
}

// TestWhatIsShownIsWhatWasDecided: the decision that is made again when somebody asks is the one that was made, with what the controller remembers.
func TestWhatIsShownIsWhatWasDecided(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	c.reconcile(tick)
	c.milliCPU = 100
	c.reconcile(tick)
	shown, ok := c.scaler.Show(web)
	if !ok || shown.Decision == nil || shown.Snapshot == nil {
		t.Fatalf("nothing is shown: %+v", shown)
	}
	d := shown.Decision
	if d.Current != 5 || d.Desired != 5 || d.Able != recommend.AbleDownStabilized || !d.Time.Equal(noon.Add(tick)) {
		t.Errorf("shown %d -> %d (%s) as of %s; want 5 held at 5 by the window", d.Current, d.Desired, d.Able, d.Time)
	}
	explained, err := Explain(t.Context(), c.scaler.observer, web)
	if err != nil || explained.Decision.Desired >= 5 {
		t.Errorf("from outside it is %d (%v), so the story shows nothing: want a scale-in", explained.Decision.Desired, err)
	}
	want := map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"}
	if diff := cmp.Diff(want, shown.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	history := []Entry{{Time: noon, Reason: EventSuccessfulRescale, From: 1, To: 5, Message: "New size: 5; reason: cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old)"}}
	if diff := cmp.Diff(history, shown.Chronicle); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// TestItIsShownHowSourcesWereAsked: those that a metric names, and answered.
func TestItIsShownHowSourcesWereAsked(t *testing.T) {
	c := newCluster(t, map[string]string{"max": "10", "metrics": `[{"type":"External","external":{"metric":{"name":"backlog"},"target":{"type":"AverageValue","averageValue":"10"}}},
		{"type":"External","external":{"metric":{"name":"later"},"target":{"type":"AverageValue","averageValue":"10"}}}]`})
	c.answers, c.answered = map[string]any{"backlog": int64(40)}, noon.Add(-time.Second)
	c.reconcile(tick)
	shown, _ := c.scaler.Show(web)
	want := map[string]metrics.Reply{"backlog": {Asked: c.answered, Took: time.Second, Together: 2}}
	if diff := cmp.Diff(want, shown.Replies); diff != "" {
		t.Errorf("replies (-want +got):\n%s", diff)
	}
}

// TestWhatIsGoneIsNotShown: nor what was there under the same name before.
func TestWhatIsGoneIsNotShown(t *testing.T) {
	c := newCluster(t, selected())
	if got := c.row(); got != "unknown" {
		t.Errorf("shown before the first look: %s", got)
	}
	c.milliCPU = 2200
	c.reconcile(tick)
	c.deployment = c.deployment.DeepCopy()
	c.deployment.UID = "u2"
	if got := c.row(); got != "unknown" {
		t.Errorf("shown with what was known of another object: %s", got)
	}
	c.deployment = nil
	c.reconcile(tick)
	if keys := c.scaler.Standing(func(annotations.Key) bool { return true }); len(keys)+len(c.scaler.Chronicle(web)) > 0 {
		t.Errorf("%v is listed, with %v", keys, c.scaler.Chronicle(web))
	}
}

// TestAskingDuringLooks is for the race detector.
func TestAskingDuringLooks(t *testing.T) {
	c := newCluster(t, selected())
	c.milliCPU = 2200
	c.reconcile(0)
	w, pods := c.Workload(web), c.Pods(c.Workload(web))
	c.scaler.observer.Workloads = frozen{w, pods}
	c.scaler.observer.Now = func() time.Time { return noon }
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			for range 200 {
				if _, ok := c.scaler.Show(web); !ok {
					t.Error("it is not known")
				}
			}
		})
	}
	for range 200 {
		if _, err := c.scaler.Reconcile(t.Context(), web); err != nil {
			t.Error(err)
		}
	}
	asking.Wait()
}

// frozen is a cluster in which nothing changes.
type frozen struct {
	workload *annotations.Workload
	pods     []*podspec.Pod
}

func (f frozen) Workload(annotations.Key) *annotations.Workload { return f.workload }

func (f frozen) Pods(*annotations.Workload) []*podspec.Pod { return f.pods }

// TestTargets: how what a metric measures is shown beside what it is held at.
func TestTargets(t *testing.T) {
	external := func(target string) string {
		return "- {type: External, external: {metric: {name: backlog}, target: {" + target + "}}}"
	}
	for name, story := range map[string]struct {
		pairs map[string]string
		want  string
	}{
		"a percentage":                {map[string]string{"target-cpu": "70", "max": "10"}, "cpu: 50%/70%"},
		"an amount":                   {map[string]string{"target-cpu": "250m", "max": "10"}, "cpu: 500m/250m"},
		"of one container":            {map[string]string{"target-cpu": "70", "container": "app", "max": "10"}, "cpu of app: 50%/70%"},
		"memory, which has no sample": {map[string]string{"target-memory": "1Gi", "max": "10"}, "memory: ?/1Gi"},
		"a total":                     {map[string]string{"metrics": external("type: Value, value: 100"), "max": "10"}, "backlog: 40/100"},
		"a total for each pod":        {map[string]string{"metrics": external("type: AverageValue, averageValue: 100"), "max": "10"}, "backlog: 40/100"},
		"several":                     {map[string]string{"target-cpu": "50", "metrics": external("type: Value, value: 1k"), "max": "10"}, "cpu: 50%/50%, backlog: 40/1k"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, story.pairs)
			c.answers, c.answered = map[string]any{"backlog": int64(40)}, c.now
			c.reconcile(tick)
			if got, _, _ := strings.Cut(c.row(), " | "); got != story.want {
				t.Errorf("got %q, want %q", got, story.want)
			}
		})
	}
}
