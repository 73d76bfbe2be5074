package scaler

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

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
	recorder, err := trace.NewRecorder(dir, trace.DefaultLimits(), func(types.NamespacedName) bool { return true },
		func(workload types.NamespacedName, err error) { t.Errorf("%s: %v", workload, err) })
	if err != nil {
		t.Fatal(err)
	}
	c.scaler.Traces = recorder
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
	policy, _, problems := annotations.Parse(r.Workload().Annotations)
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
