//go:build linux

package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/procfs"
)

const exposition = `# HELP apiserver_request_total [STABLE] Counter of apiserver requests
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",group="apps",resource="deployments",subresource="scale",verb="GET"} 3996
apiserver_request_total{code="409",group="apps",resource="deployments",subresource="scale",verb="GET"} 4
apiserver_request_total_of_something_else{resource="pods"} 7
go_goroutines 12
workqueue_depth{name="mini-hpa"} 1.5e+02
`

func TestSeriesOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]float64{"apiserver_request_total": 4000, "go_goroutines": 12, "workqueue_depth": 150, "go": 0} {
		found, err := seriesOf(exposition, name)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, s := range found {
			sum += s.value
		}
		if sum != want {
			t.Errorf("%s adds up to %v, want %v", name, sum, want)
		}
	}
	found, _ := seriesOf(exposition, "apiserver_request_total")
	if got := found[0].labels["subresource"]; got != "scale" {
		t.Errorf("subresource is %q, want scale", got)
	}
	if _, err := seriesOf("broken{a=\"b\"} many\n", "broken"); err == nil {
		t.Error("a value that is no number is taken")
	}
}

// TestAgesOf: ten workloads, one looked at each second, are between zero and ten seconds old; all at once every ten seconds, as old as
// the last time.
func TestAgesOf(t *testing.T) {
	t.Parallel()
	began := time.Now()
	var even, pulse []point
	for i := range 40 {
		at := began.Add(time.Duration(i) * time.Second)
		even = append(even, point{at, float64(i)})
		pulse = append(pulse, point{at, float64(i / 10 * 10)})
	}
	for name, story := range map[string]struct {
		seen     []point
		p50, p99 time.Duration
	}{
		"one after the other": {even, 5 * time.Second, 9 * time.Second},
		"all at once":         {pulse, 5 * time.Second, 10 * time.Second},
	} {
		got := spreadOf(agesOf(story.seen, 10))
		if (got.P50-story.p50).Abs() > time.Second || (got.P99-story.p99).Abs() > time.Second {
			t.Errorf("%s: %s, want about p50 %s and p99 %s", name, got, story.p50, story.p99)
		}
	}
}

func TestAboveIdle(t *testing.T) {
	t.Parallel()
	idle := usage{Requests: map[string]float64{"GET leases": 10}, APIServer: 2, Etcd: 1}
	used := usage{Requests: map[string]float64{"GET leases": 10.2, "GET scale": 40}, Lists: 40, Items: 80, Controller: 1, APIServer: 5, Etcd: 0.75}
	want := usage{Requests: map[string]float64{"GET scale": 40}, Lists: 40, Items: 80, Controller: 1, APIServer: 3, Etcd: -0.25}
	got := used.above(idle)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("above idle (-want +got):\n%s", diff)
	}
	if got.total() != 80 {
		t.Errorf("%v requests, want 80: 40 counted by resource and 40 passed on", got.total())
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	run := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	of := func(lists float64, mib int64, d time.Duration) round {
		return round{Rest: usage{Lists: lists}, RSS: mib << 20, Steps: []step{{FromSample: spread{d, d, d}}}}
	}
	here := setting{run, "abc", "a machine", "1.2.3"}
	later := here
	later.Run = run.Add(time.Hour)
	hpa := of(4000, 100, 9*time.Second)
	hpa.Rest.Requests = map[string]float64{"GET scale": 4000, "GET noise": 0.4}
	text := table([]result{
		{Name: tunedHPA, Workloads: 1000, Pods: 2, setting: here, Rounds: []round{hpa}},
		{Name: miniHPA, Workloads: 1000, Pods: 2, setting: here, Rounds: []round{of(9, 90, time.Second), of(8, 50, 3*time.Second), of(7, 40, 2*time.Second)}},
		{Name: miniHPA, Workloads: 100, Pods: 2, setting: here, Rounds: []round{of(2, 1, 0), of(4, 1, 0)}},
		{Name: miniHPABefore, Workloads: 100, Pods: 2, setting: here, Program: "2700b80", Rounds: []round{of(2, 1, 0), of(4, 1, 0)}},
		{Name: miniHPA, Workloads: 10, Pods: 2, setting: here, Flags: []string{"--workers=5"}},
		{Name: defaultHPA, Workloads: 10, Pods: 2, setting: later},
	})
	for _, want := range []string{
		"### 100 workloads, 200 pods", "### 1000 workloads, 2000 pods",
		"| | HPA, tuned | mini-hpa | mini-hpa : HPA tuned |",
		"| API requests per minute at rest | 8000 | 8 | 1 : 1000.0 |",
		"| of them GET scale | 4000 | 0 | none measurable |\n| of them metrics LISTs | 4000 | 8 | 1 : 500.0 |",
		"| controller RSS | 100 MiB | 50 MiB | 1 : 2.0 |",
		"| readable sample to write, p99 | 9.00 s | 2.00 s | 1 : 4.5 |",
		"200 pods\n\n25 November 2026; commit abc, Kubernetes 1.2.3; a machine; medians of 2.\n\n| | mini-hpa | mini-hpa of 2700b80 |",
		"| of them metrics LISTs | 3 |",
		"25 November 2026; commit abc, Kubernetes 1.2.3; a machine; HPA, tuned: medians of 1; mini-hpa: medians of 3.",
		"medians of 0, with --workers=5; HPA, default flags: 25 November 2026; commit abc, Kubernetes 1.2.3; a machine; medians of 0; not in one run.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
	if strings.Index(text, "### 100 ") > strings.Index(text, "### 1000 ") {
		t.Error("small sizes do not come first")
	}
}

func TestBookKeepsWhatIsMeasuredLast(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "results.json")
	for rss := range int64(3) {
		b, err := openBook(path)
		if err != nil {
			t.Fatal(err)
		}
		of := setting{Run: time.Unix(min(rss, 1), 0)} // the last two are of one run
		if err := b.add(result{Name: miniHPA, Workloads: 100, Pods: 2, setting: of, Rounds: []round{{RSS: rss, Steps: make([]step, 1)}}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{`{"Results":[{"Name":"mini-hpa","RSS":1}]}`, `{"Results":[{"Name":"mini-hpa","Rounds":[{"Step":{}}]}]}`} {
		old := filepath.Join(t.TempDir(), "old.json")
		if err := os.WriteFile(old, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openBook(old); err == nil || !strings.Contains(err.Error(), "result 1 lacks rounds or their steps") {
			t.Errorf("%s is taken: %v", text, err)
		}
	}
	b, err := openBook(path)
	if err != nil || len(b.Results) != 1 || len(b.Results[0].Rounds) != 2 || b.Results[0].Rounds[0].RSS != 1 || b.Results[0].Rounds[1].RSS != 2 {
		t.Errorf("results: %+v (%v), want those of the later run only", b.Results, err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--n=0":                        "--n must be from 1 to 20000, got 0",
		"--contenders=keda":            `got "keda"`,
		"--contenders=mini-hpa-before": `one is not without the other, got "" with the contenders ["mini-hpa-before"]`,
		"--before=mini-hpa":            `one is not without the other, got "mini-hpa" with`,
		"--pods=51":                    "--pods must be from 1 to 50, got 51",
		"--rounds=0":                   "--rounds must be from 1 to 20, got 0",
		"--rest=1s":                    "--rest must be from 10s to 1h, got 1s",
		"--redis=0":                    "--redis must be from 1 to 20000, got 0",
		"--n=100,1000":                 "",
	} {
		_, err := parse([]string{args})
		if got := errorText(err); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: error %q, want %q", args, got, want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestOwnCPUAndMemory(t *testing.T) {
	t.Parallel()
	before, err := cpuOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	after := before
	for began := time.Now(); after <= before && err == nil && time.Since(began) < time.Minute; { // which burns some
		after, err = cpuOf(os.Getpid())
	}
	if err != nil || after <= before {
		t.Errorf("CPU seconds went from %v to %v (%v)", before, after, err)
	}
	rss, rssErr := statusOf(os.Getpid(), func(s procfs.ProcStatus) uint64 { return s.VmRSS })
	p, err := launch("sleep", []string{"100"}, filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	peak, peakErr := p.peak()
	if err := errors.Join(rssErr, peakErr, p.forgetPeak()); err != nil || rss < 1<<20 || peak == 0 {
		t.Errorf("RSS %d, peak of another process %d (%v)", rss, peak, err)
	}
	p.Kill()
	if _, err := p.rss(); err == nil {
		t.Error("a process that is gone has memory")
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	if err := writePage(path, &book{Results: []result{{Name: miniHPA, Workloads: 100, Pods: 2}, {Name: tunedHPA, Workloads: 100, Pods: 2, Rounds: []round{{RSS: 1 << 30}}},
		{Name: miniHPA, Workloads: 1000, Pods: 5}}, Fairness: &fairness{Crowd: 4000, Few: 10}, Churn: &churn{Created: 30_000},
		Backlogs: &backlogs{Brokers: []asked{{Name: "kafka", Workloads: 3000, Requests: 80}}, Faults: []faulty{{What: "a broker is slow"}}}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), "unknown") {
		t.Errorf("the page (%v):\n%s", err, text)
	}
	for _, want := range []string{"### 100 workloads", "### A crowd of 4000, and 10 in another namespace", "30000 workloads in 0s",
		"### 3000 workloads that wait for brokers", "| kafka | 3000 | 80 |", "| a broker is slow |"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page has no %q:\n%s", want, text)
		}
	}
}

// TestAnswers: what is said without a silence is one round.
func TestAnswers(t *testing.T) {
	t.Parallel()
	began := time.Now()
	var said []time.Time
	for _, seconds := range []int{0, 1, 2, 15, 30, 32} {
		said = append(said, began.Add(time.Duration(seconds)*time.Second))
	}
	if diff := cmp.Diff([]time.Duration{2 * time.Second, 0, 2 * time.Second}, answers(said)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestWire: it notes when a server answers after a silence, counts requests, and can be cut.
func TestWire(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	w := &wire{}
	address, err := w.before(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address, nil)
		if err != nil {
			return err
		}
		answer, err := server.Client().Do(request)
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}
	err = errors.Join(ask(), ask())
	w.mu.Lock()
	if err != nil || w.gets != 2 || len(w.said) < 2 {
		t.Errorf("%d requests, answers at %v: %v", w.gets, w.said, err)
	}
	w.mu.Unlock()
	w.set(0, true)
	if ask() == nil {
		t.Error("there is an answer over a wire that is cut")
	}
	w.set(0, false)
	if err := ask(); err != nil {
		t.Error(err)
	}
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	minutes := func(step float64) []holding {
		all := make([]holding, 10)
		for i := range all {
			all[i].Heap = 30 + step*float64(i)
		}
		return all
	}
	for name, story := range map[string]struct {
		churn churn
		want  string
	}{
		"all is gone":         {churn{Before: holding{Series: 131, Goroutines: 193}, After: holding{Series: 131, Goroutines: 194}, During: minutes(0.1)}, ""},
		"a series is left":    {churn{After: holding{Series: 1}}, "is left"},
		"a workload is left":  {churn{After: holding{Workloads: 1}}, "is left"},
		"goroutines are left": {churn{Before: holding{Goroutines: 193}, After: holding{Goroutines: 293}}, "is left"},
		"the heap grows":      {churn{During: minutes(1)}, "the heap grows"},
	} {
		if got := errorText(story.churn.leftovers()); story.want == "" && got != "" || !strings.Contains(got, story.want) {
			t.Errorf("%s: error %q, want %q", name, got, story.want)
		}
	}
}

// TestAPeakIsOfTheProgramAlone, and not of what the process held from which it was started.
func TestAPeakIsOfTheProgramAlone(t *testing.T) {
	const held = 256 << 20
	own := bytes.Repeat([]byte{1}, held)
	cmd := exec.CommandContext(t.Context(), "sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	enough := make(chan struct{})
	close(enough)
	if most := peakUntil(enough, cmd.Process.Pid); most == 0 || most > held/2 {
		t.Errorf("sleep has held %d bytes", most)
	}
	_, _ = cmd.Process.Kill(), cmd.Wait() // which says that it was killed
	runtime.KeepAlive(own)
}

func TestTheSameRows(t *testing.T) {
	const told = "shop        web    cpu: 96%/50%   1    5    5    5   8    LIMITED   4m (4->5)   needs 8,  mini-hpa/max is 5"
	for name, test := range map[string]struct {
		computed string
		same     bool
	}{
		"but for what only memory knows": {"shop   web   cpu: 96%/50%   1   5   5   5   8   OK   -   -", true},
		"another number":                 {"shop   web   cpu: 96%/50%   1   5   5   4   8   OK   -   -", false},
		"another target":                 {"shop   web   cpu: 95%/50%   1   5   5   5   8   OK   -   -", false},
	} {
		err := sameRows(view{rows: rowsOf([]string{told})}, view{rows: rowsOf([]string{test.computed})})
		if (err == nil) != test.same {
			t.Errorf("%s: %v", name, err)
		}
	}
}
