package scaler

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// write is one change of the replicas.
type write struct {
	Time time.Time
	To   int32
}

// day is a workload's usage over a while: load, outage of the metrics, somebody else's rescale, recovery.
func day(c *cluster) {
	for i, milliCPU := range []int64{400, 2200, 2200, 700, -1, -1, 600, 480, 200, 100, 100, 900, 60, 50, 40} {
		c.milliCPU = milliCPU
		if c.samplesErr = nil; i == 5 {
			c.samplesErr = errors.New("metrics API is down")
		}
		if i == 7 {
			two := int32(2)
			c.deployment.Spec.Replicas = &two
		}
		c.reconcile(time.Duration(15+20*i) * time.Second)
	}
}

func TestWhatIsRecordedReplaysToTheSameWrites(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10", "scale-down-policies": "3 pods/60s"})
	dir := t.TempDir()
	recorder, err := trace.NewRecorder(dir, trace.DefaultLimits(), func(annotations.Key) bool { return true },
		func(workload annotations.Key, err error) { t.Errorf("%s: %v", workload, err) })
	if err != nil {
		t.Fatal(err)
	}
	c.scaler.traces = recorder
	var want []write
	c.scaling = func() { want = append(want, write{Time: c.now}) }
	day(c)
	if err := recorder.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i].To = c.writes[i]
	}
	got := replayed(t, filepath.Join(dir, "default", "web_20260101T120000.000Z.trace.jsonl"), 15)
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 4 {
		t.Errorf("%d writes (-controller +replay):\n%s", len(want), diff)
	}
}

// TestWhatIsRecordedReplaysToTheSameDecisions: also where others write, under mini-hpa's name or another, where writes fail or are left
// to rest, and after a restart.
func TestWhatIsRecordedReplaysToTheSameDecisions(t *testing.T) {
	conflict := apierrors.NewConflict(deployments, "web", errors.New("changed"))
	for name, happens := range map[string]func(c *cluster, look int){
		"nothing else": func(*cluster, int) {},
		"another installation adds": func(c *cluster, look int) {
			if look == 4 {
				c.overwrite(annotations.FieldManager, "scale", 5)
			}
		},
		"another installation adds and removes": func(c *cluster, look int) {
			if look%4 == 3 {
				c.overwrite(annotations.FieldManager, "scale", []int32{3, 7, 2, 6, 4}[look/4%5])
			}
		},
		"a manifest is applied": func(c *cluster, look int) {
			if look == 9 {
				c.running = *c.deployment.Spec.Replicas
				c.overwrite("kubectl", "", 1)
			}
		},
		"a manifest is applied again and again": func(c *cluster, look int) {
			if look > 5 && look%2 == 0 {
				c.running = *c.deployment.Spec.Replicas
				c.overwrite("argocd", "", 1)
			}
		},
		"both": func(c *cluster, look int) {
			switch look {
			case 3, 11:
				c.overwrite(annotations.FieldManager, "scale", 4)
			case 5, 6, 7, 12:
				c.overwrite("kubectl", "", 2)
			}
		},
		"writes fail": func(c *cluster, look int) {
			if c.scaleErr = nil; look > 3 && look < 8 {
				c.scaleErr = errors.New("the API server has stored something else")
			}
		},
		"writes meet conflicts": func(c *cluster, look int) {
			if c.scaleErr = nil; look%3 == 1 {
				c.scaleErr = conflict
			}
		},
		"the controller restarts": func(c *cluster, look int) {
			if look == 0 {
				c.overwrite(annotations.FieldManager, "scale", 2)
				c.podAge, c.milliCPU = 40*time.Second, 1500 // in the middle of a scale-out
			}
		},
		"another autoscaler for a while": func(c *cluster, look int) {
			c.surroundings.Autoscalers = nil
			if look > 4 && look < 8 {
				c.surroundings.Autoscalers = []annotations.Autoscaler{{Kind: "HorizontalPodAutoscaler", Name: "web"}}
			}
		},
		"only watched": func(c *cluster, look int) {
			if look == 0 {
				c.annotate(map[string]string{"target-cpu": "50", "max": "10", "mode": "observe", "scale-up-policies": "2 pods/60s"})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10", "scale-up-policies": "2 pods/60s", "scale-down-policies": "1 pod/30s",
				"scale-down-stabilization": "30s"})
			traces := &kept{}
			c.scaler.traces = traces
			var want []int32
			for look := range 40 {
				c.milliCPU = []int64{500, 900, 1500, 400, 100, 700, 60}[look/3%7]
				happens(c, look)
				before := len(traces.seen)
				if c.reconcile(time.Duration(7+look%4*9) * time.Second); len(traces.seen) > before {
					want = append(want, int32(gathered(t, c.registry, "mini_hpa_desired_replicas")))
				}
				c.running = 0
			}
			policy, _, problems := annotations.DefaultDefaults().Parse(c.deployment.Annotations)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			var replay *trace.Replay
			var got []int32
			for i, s := range traces.seen {
				if traces.fresh[i] {
					replay = trace.NewReplay(policy, recommend.DefaultRules())
				}
				got = append(got, replay.Next(s).Desired)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("decisions (-controller +replay):\n%s", diff)
			}
		})
	}
}

// kept is Traces that were written and read again.
type kept struct {
	seen  []recommend.Snapshot
	fresh []bool
}

// Trace is Traces'.
func (k *kept) Trace(_ *annotations.Workload, s recommend.Snapshot, fresh bool) {
	var text bytes.Buffer
	w, err := trace.NewWriter(&text, annotations.OfDeployment(&appsv1.Deployment{}))
	if err == nil {
		err = w.Write(s)
	}
	if err != nil {
		panic(err)
	}
	r, err := trace.NewReader(&text)
	if err != nil {
		panic(err)
	}
	back, err := r.Next()
	if err != nil {
		panic(err)
	}
	k.seen, k.fresh = append(k.seen, back), append(k.fresh, fresh)
}

// replayed returns the changes that replaying a file of so many observations asks for.
func replayed(t *testing.T, path string, observations int) []write {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r, err := trace.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	policy, _, problems := annotations.DefaultDefaults().Parse(r.Workload().Annotations)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	replay := trace.NewReplay(policy, recommend.DefaultRules())
	var writes []write
	for {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		observations--
		if o := replay.Next(s); o.Desired != o.Current {
			writes = append(writes, write{Time: o.Time, To: o.Desired})
		}
	}
	if observations != 0 {
		t.Errorf("%d observations are missing", observations)
	}
	return writes
}
