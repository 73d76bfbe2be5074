package trace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

func web(target string) *annotations.Workload {
	return annotations.OfDeployment(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web",
		Annotations: map[string]string{"mini-hpa/max": "10", "mini-hpa/target-cpu": target}}})
}

// shelf is a directory of recorded traces.
type shelf struct {
	t      *testing.T
	dir    string
	limits Limits
	told   []string
	// gone are workloads that do not exist any more, by name.
	gone map[string]bool
	r    *Recorder
}

func newShelf(t *testing.T, limits Limits) *shelf {
	return (&shelf{t: t, dir: filepath.Join(t.TempDir(), "traces"), limits: limits}).open()
}

func (s *shelf) open() *shelf {
	s.t.Helper()
	var err error
	s.r, err = NewRecorder(s.dir, s.limits, s.exists, func(workload annotations.Key, err error) {
		text := "works"
		if err != nil {
			text = err.Error()
		}
		s.told = append(s.told, workload.NamespacedName().String()+": "+text)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return s
}

func (s *shelf) exists(workload annotations.Key) bool { return !s.gone[workload.Name] }

func (s *shelf) close() *shelf {
	s.t.Helper()
	if err := s.r.Close(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return s
}

// files returns the paths below the directory, with the seconds of the observations in each.
func (s *shelf) files() map[string][]string {
	s.t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		name, _ := filepath.Rel(s.dir, path)
		found[name], err = readAll(f, longestLine)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

func (s *shelf) want(files map[string][]string) {
	s.t.Helper()
	if diff := cmp.Diff(files, s.files()); diff != "" {
		s.t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestEachFileIsReplayableAlone(t *testing.T) {
	s := newShelf(t, DefaultLimits())
	scaled := web("50")
	scaled.Replicas = 3
	s.r.Trace(web("50"), bare(0, 2), true)
	s.r.Trace(scaled, bare(15, 3), false)    // other replicas are no other workload
	s.r.Trace(web("60"), bare(30, 3), false) // other annotations
	s.r.Trace(web("60"), bare(45, 3), true)  // forgotten
	s.r.Trace(web("60"), bare(45, 3), true)  // and again at the same moment
	s.r.Trace(web("60"), bare(44, 3), false) // the clock was set back
	s.close().want(map[string][]string{
		"shop/web_20260101T120000.000Z.trace.jsonl": {"00", "15"},
		"shop/web_20260101T120030.000Z.trace.jsonl": {"30"},
		"shop/web_20260101T120045.000Z.trace.jsonl": {"45"},
		"shop/web_20260101T120045.001Z.trace.jsonl": {"45"},
		"shop/web_20260101T120044.000Z.trace.jsonl": {"44"},
	})
	if len(s.told) > 0 {
		t.Errorf("told %q, want nothing", s.told)
	}
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	s := newShelf(t, DefaultLimits())
	s.r.Trace(web("50"), bare(0, 2), true)
	s.close()
	for path, want := range map[string]fs.FileMode{"": 0o700, "shop": 0o700, "shop/web_20260101T120000.000Z.trace.jsonl": 0o600} {
		info, err := os.Stat(filepath.Join(s.dir, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: mode %v, error %v; want %v", path, info.Mode(), err, want)
		}
	}
}

// sizes are how many bytes an observation of bare and the header of web take.
func sizes(t *testing.T) (line, head int64) {
	t.Helper()
	text, err := encode(slimSnapshot(bare(10, 2)))
	if err != nil {
		t.Fatal(err)
	}
	first, err := encode(headerOf(web("50")))
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(text)), int64(len(first))
}

func TestFilesAreBounded(t *testing.T) {
	line, head := sizes(t)
	two := head + 2*line // bytes of a file with two observations
	cases := map[string]struct {
		limits Limits
		want   map[string][]string
	}{
		"in size and number": {Limits{File: two, Files: 2, Total: 1 << 20, AllFiles: 100}, map[string][]string{
			"shop/web_20260101T120014.000Z.trace.jsonl": {"14", "15"}, "shop/web_20260101T120016.000Z.trace.jsonl": {"16"}}},
		"in total": {Limits{File: two, Files: 100, Total: two + head + line, AllFiles: 100}, map[string][]string{
			"shop/web_20260101T120014.000Z.trace.jsonl": {"14", "15"}, "shop/web_20260101T120016.000Z.trace.jsonl": {"16"}}},
		"in number over all": {Limits{File: two, Files: 100, Total: 1 << 20, AllFiles: 1}, map[string][]string{
			"shop/web_20260101T120016.000Z.trace.jsonl": {"16"}}},
		"below one observation": {Limits{File: 1, Files: 1, Total: 1 << 20, AllFiles: 100}, map[string][]string{
			"shop/web_20260101T120016.000Z.trace.jsonl": {"16"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, c.limits)
			for second := range 7 {
				s.r.Trace(web("50"), bare(10+second, 2), second == 0)
			}
			s.close().want(c.want)
		})
	}
}

// TestNamesThatComeAndGoThrowOutNoOthers: what is of workloads that are gone makes room first.
func TestNamesThatComeAndGoThrowOutNoOthers(t *testing.T) {
	line, head := sizes(t)
	for name, limits := range map[string]Limits{
		"too many files": {File: 1 << 20, Files: 2, Total: 1 << 30, AllFiles: 10},
		"too many bytes": {File: 1 << 20, Files: 2, Total: 10*(head+line+10) + 10*line, AllFiles: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, limits)
			comeAndGone := make([]string, 40)
			s.gone = map[string]bool{} // which the recorder reads from now on: nobody may write to it any more
			for i := range comeAndGone {
				comeAndGone[i] = fmt.Sprintf("web-%02d", i)
				s.gone[comeAndGone[i]] = true
			}
			neighbor := web("50")
			neighbor.Namespace = "bank"
			s.r.Trace(neighbor, bare(10, 2), true)
			s.r.Trace(web("50"), bare(10, 2), true)
			s.r.Trace(web("60"), bare(11, 2), false)
			for i, name := range comeAndGone {
				d := web("50")
				d.Name = name
				s.r.Trace(d, bare(12+i, 2), true)
			}
			s.r.Trace(neighbor, bare(59, 2), false)
			found := s.close().files()
			for path, want := range map[string][]string{
				"bank/web_20260101T120010.000Z.trace.jsonl":    {"10", "59"},
				"shop/web_20260101T120010.000Z.trace.jsonl":    {"10"},
				"shop/web_20260101T120011.000Z.trace.jsonl":    {"11"},
				"shop/web-39_20260101T120051.000Z.trace.jsonl": {"51"},
			} {
				if diff := cmp.Diff(want, found[path]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", path, diff)
				}
			}
			if len(found) < 8 || len(found) > 12 {
				t.Errorf("%d files, want about 10", len(found))
			}
		})
	}
}

// TestTracesOfTheGoneGoFirst: names of one namespace that come and go throw out no trace of a living workload of another that has many more,
// nor what that keeps of its own that are gone. Among the living the namespace that has the most gives first.
func TestTracesOfTheGoneGoFirst(t *testing.T) {
	line, head := sizes(t)
	for name, limits := range map[string]Limits{
		"too many files": {File: 1 << 20, Files: 6, Total: 1 << 30, AllFiles: 100},
		"too many bytes": {File: 1 << 20, Files: 6, Total: 95 * (line + head), AllFiles: 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			living := map[string]bool{}
			s, err := newStore(t.TempDir(), limits, func(w annotations.Key) bool { return living[w.Name] })
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			second := 0
			put := func(namespace, name string) {
				d := web("50")
				d.Namespace, d.Name = namespace, name
				second++
				o := bare(0, 2)
				o.Time = o.Time.Add(time.Duration(second) * time.Second)
				if err := s.write(observed{workload: d, snapshot: slimSnapshot(o)}); err != nil {
					t.Fatal(err)
				}
			}
			kept := func() map[string]int {
				n := map[string]int{}
				for _, f := range s.files {
					n[namespaceOf(f.path)]++
				}
				return n
			}
			put("shop", "gone")
			for i := range 79 {
				name := fmt.Sprint("web-", i)
				living[name] = true
				put("shop", name)
			}
			for i := range 500 {
				put("tenant", fmt.Sprint("x-", i)) // deleted before the next one comes
			}
			if n := kept(); n["shop"] != 80 || n["tenant"] < 2 {
				t.Fatalf("files after the churn: %v, want all 80 of the shop", n)
			}
			for i := range 30 {
				name := fmt.Sprint("y-", i)
				living[name] = true
				put("bank", name)
			}
			if n := kept(); n["bank"] != 30 || n["tenant"] > 0 || n["shop"] < 60 || n["shop"] > 79 {
				t.Errorf("files when all are living: %v, want those of the shop to make room", n)
			}
		})
	}
}

// TestNamesThatFailAreForgotten when they are gone.
func TestNamesThatFailAreForgotten(t *testing.T) {
	gone := &store{exists: func(annotations.Key) bool { return false }}
	r := &Recorder{store: gone, failing: map[annotations.Key]bool{}}
	for i := range 10_500 {
		r.note(annotations.DeploymentKey("shop", fmt.Sprint("web-", i)), true)
	}
	if len(r.failing) >= 1000 {
		t.Errorf("%d workloads that are gone are remembered", len(r.failing))
	}
}

func TestFilesOfDeletedWorkloadsAndOfEarlierProcessesCount(t *testing.T) {
	line, head := sizes(t)
	s := newShelf(t, Limits{File: 1 << 20, Files: 2, Total: 3 * (head + line), AllFiles: 100})
	other := web("50")
	other.Namespace = "gone"
	s.r.Trace(other, bare(10, 2), true)
	s.close().open()
	foreign := filepath.Join(s.dir, "notes_20260101T120000.000Z.trace.jsonl") // ours are in a namespace
	if err := os.WriteFile(foreign, []byte(headLine), 0o600); err != nil {
		t.Fatal(err)
	}
	s.r.Trace(web("50"), bare(11, 2), true)
	s.r.Trace(web("50"), bare(12, 2), true)
	s.close().open()
	s.r.Trace(web("50"), bare(13, 2), false) // the new process remembers nothing of it
	s.close().want(map[string][]string{
		"gone/web_20260101T120010.000Z.trace.jsonl": {"10"},
		"shop/web_20260101T120012.000Z.trace.jsonl": {"12"},
		"shop/web_20260101T120013.000Z.trace.jsonl": {"13"},
		filepath.Base(foreign):                      nil,
	})
	s.open().r.Trace(web("50"), bare(14, 2), false)
	s.r.Trace(web("50"), bare(15, 2), false)
	s.close()
	if _, err := os.Stat(filepath.Join(s.dir, "gone")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory of a namespace without files is left: %v", err)
	}
}

func TestAFileThatIsTakenAwayIsBegunAnew(t *testing.T) {
	s := newShelf(t, DefaultLimits()).close()
	written, err := newStore(s.dir, s.limits, s.exists)
	if err != nil {
		t.Fatal(err)
	}
	for second := range 3 {
		if second == 1 {
			err = os.RemoveAll(filepath.Join(s.dir, "shop"))
		}
		o := observed{workload: web("50"), snapshot: slimSnapshot(bare(10+second, 2))}
		if err := errors.Join(err, written.write(o)); err != nil {
			t.Fatal(err)
		}
	}
	s.want(map[string][]string{"shop/web_20260101T120011.000Z.trace.jsonl": {"11", "12"}})
	if len(written.files) != 1 || written.total != written.files[0].size {
		t.Errorf("counted: %d files, %d bytes", len(written.files), written.total)
	}
}

func TestFailuresAreToldOnTransition(t *testing.T) {
	line, head := sizes(t)
	s := newShelf(t, Limits{File: 1 << 20, Files: 2, Total: head + line + 50, AllFiles: 100})
	big := bare(11, 2)
	big.MetricsError = strings.Repeat("x", 100)
	s.r.Trace(web("50"), bare(10, 2), true)
	s.r.Trace(web("60"), big, false)
	s.r.Trace(web("60"), big, false)
	s.r.Trace(web("60"), bare(12, 2), false)
	s.r.Trace(web("60"), bare(13, 2), false)
	evil := web("50")
	evil.Namespace = ".."
	s.r.Trace(evil, bare(10, 2), true)
	s.close()
	if len(s.told) != 3 || !strings.HasPrefix(s.told[0], "shop/web: an observation of ") || s.told[1] != "shop/web: works" ||
		s.told[2] != `../web: "web" in ".." is not the name of an object` {
		t.Errorf("told %q", s.told)
	}
}

func TestADiskThatHangsHoldsNobodyUp(t *testing.T) {
	hang := make(chan struct{})
	r := &Recorder{queue: make(chan observed, 1), stop: make(chan struct{}), done: make(chan struct{}), failing: map[annotations.Key]bool{}}
	go func() { <-hang; close(r.done) }()
	for range 5 {
		r.Trace(web("50"), bare(10, 2), false)
	}
	if lost := r.dropped.Load(); lost != 4 {
		t.Errorf("%d lost, want 4", lost)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("closing: %v", err)
	}
	close(hang)
}

func TestTheDirectoryMustBeUsable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewRecorder(file, DefaultLimits(), nil, nil); err == nil || !strings.Contains(err.Error(), "cannot record into ") {
		t.Errorf("error %v", err)
	}
}

// volume is a file system whose lost+found is root's, as that of a volume is. Root itself may read any, so that no real one would do.
type volume struct{ fstest.MapFS }

func (v volume) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "lost+found" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return v.MapFS.ReadDir(name)
}

func TestADirectoryOfOthersIsPassedBy(t *testing.T) {
	const name = "web_20260101T120010.000Z.trace.jsonl"
	s := &store{}
	err := s.scan(volume{fstest.MapFS{"app/" + name: {}, "lost+found/" + name: {}, "shop/" + name: {}}})
	if err != nil || len(s.files) != 2 {
		t.Errorf("%d files, error %v", len(s.files), err)
	}
}

func TestLongNames(t *testing.T) {
	d := web("50")
	d.Name = strings.Repeat("a", 253)
	s := newShelf(t, DefaultLimits())
	s.r.Trace(d, bare(10, 2), true)
	for name := range s.close().files() {
		if base := filepath.Base(name); len(base) > 255 || !recorded.MatchString(name) {
			t.Errorf("file %q of %d bytes", base, len(base))
		}
	}
	if len(s.told) > 0 || len(s.files()) != 1 {
		t.Errorf("told %q, %d files", s.told, len(s.files()))
	}
}

// TestNothingElseIsWritten fills objects with what must not get into a trace.
func TestNothingElseIsWritten(t *testing.T) {
	const secret = "hunter2"
	containers := []corev1.Container{{Name: "app", Image: secret, Args: []string{secret}, Env: []corev1.EnvVar{{Name: "PASSWORD", Value: secret}},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("100m")}}}}
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: map[string]string{"app": "web"},
		Annotations: map[string]string{"mini-hpa/max": "10", "kubectl.kubernetes.io/last-applied-configuration": secret}}
	d := &appsv1.Deployment{ObjectMeta: meta}
	d.Spec.Template.ObjectMeta = meta
	d.Spec.Template.Spec = corev1.PodSpec{Containers: containers, InitContainers: containers, NodeName: secret}
	s := bare(10, 1)
	s.Pods = []*podspec.Pod{new(podspec.ReadPod(&corev1.Pod{ObjectMeta: meta, Spec: d.Spec.Template.Spec,
		Status: corev1.PodStatus{Phase: "Running", Message: secret, Conditions: []corev1.PodCondition{{Type: "Ready", Status: "True", Message: secret}}}}))}
	s.PodMetrics = []*sample.Pod{{Namespace: meta.Namespace, Name: meta.Name, Containers: []sample.Container{{Name: "app"}}}}
	var text strings.Builder
	w, err := NewWriter(&text, annotations.OfDeployment(d))
	if err == nil {
		err = w.Write(s)
	}
	if err != nil || strings.Contains(text.String(), secret) {
		t.Errorf("error %v, written:\n%s", err, text.String())
	}
	for _, part := range []string{`"mini-hpa/max":"10"`, `"app":"web"`, `"cpu":"100m"`, `"phase":"Running"`} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("%s is missing in\n%s", part, text.String())
		}
	}
}

// TestWhatIsWrittenDecidesTheSame writes recorded traces anew and compares the decisions on both.
func TestWhatIsWrittenDecidesTheSame(t *testing.T) {
	// A sidecar with a request, a custom metric, an external one.
	for _, file := range []string{"testdata/0001.trace.jsonl.gz", "testdata/1000.trace.jsonl.gz", "testdata/1002.trace.jsonl.gz"} {
		in, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		var again strings.Builder
		r, err := NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		w, err := NewWriter(&again, r.Workload())
		if err != nil {
			t.Fatal(err)
		}
		policy := policyOf(t, r.Workload().Annotations)
		replay, want := NewReplay(policy, recommend.DefaultRules()), []Outcome(nil)
		for s, err := r.Next(); !errors.Is(err, io.EOF); s, err = r.Next() {
			if err := errors.Join(err, w.Write(s)); err != nil {
				t.Fatal(err)
			}
			want = append(want, replay.Next(s))
		}
		second, err := NewReader(strings.NewReader(again.String()))
		if err != nil {
			t.Fatal(err)
		}
		replay = NewReplay(policy, recommend.DefaultRules())
		for i := range want {
			s, err := second.Next()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[i], replay.Next(s)); diff != "" {
				t.Fatalf("%s, observation %d (-read +written and read):\n%s", file, i, diff)
			}
		}
	}
}
