package replay

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// traceText is a trace of so many observations, 15 s apart, of a workload of two pods of which nothing is measured but
// for the last observation, at which somebody has set the replicas beyond the maximum.
func traceText(annotations string, observations int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"workload":{"kind":"Deployment","metadata":{"namespace":"shop","name":"web","annotations":{%s}}}}`+"\n", annotations)
	for i := range observations {
		replicas := 2
		if i == observations-1 {
			replicas = 12
		}
		at := time.Date(2026, 1, 1, 12, 0, 15*i, 0, time.UTC).Format(time.RFC3339)
		fmt.Fprintf(&b, `{"time":%q,"replicas":%d,"statusReplicas":%d}`+"\n", at, replicas, replicas)
	}
	return b.String()
}

const ordinary = `"mini-hpa/max":"10","mini-hpa/target-cpu":"50"`

// traceFiles writes traces into a directory of the test's own, which becomes the current one.
func traceFiles(t *testing.T, texts map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range texts {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReplayAsJSON(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := io.WriteString(w, traceText(ordinary, 1)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	step := `"steps":[{"stage":"bounds","from":12,"to":10,"reason":"TooManyReplicas","detail":"current number of replicas 12 above mini-hpa/max 10"}],` +
		`"reason":"current number of replicas 12 above mini-hpa/max 10"`
	last := `{"time":"2026-01-01T12:00:15Z","current":12,"desired":10,"active":"FailedGetResourceMetric","able":"SucceededRescale","limited":"",` + step
	alone := `{"time":"2026-01-01T12:00:00Z","current":12,"desired":10,"active":"","able":"SucceededRescale","limited":"",` + step
	tests := map[string]struct {
		args []string
		want []string // empty is any line about the first moment
	}{
		"one file":           {[]string{"a"}, []string{"", last + "}"}},
		"compressed":         {[]string{"b.gz"}, []string{alone + "}"}},
		"several files":      {[]string{"b.gz", "a"}, []string{alone + `,"file":"b.gz"}`, "", last + `,"file":"a"}`}},
		"standard input":     {[]string{"-"}, []string{alone + "}"}},
		"as the HPA":         {[]string{"b.gz", "--hpa-compat"}, []string{alone + "}"}},
		"other annotations":  {[]string{"b.gz", "--set", "mini-hpa/max=12", "--set", "mini-hpa/min=11"}, []string{""}},
		"without annotation": {[]string{"bad", "--set", "mini-hpa/min="}, []string{alone + "}"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			traceFiles(t, map[string]string{"a": traceText(ordinary, 2), "b.gz": packed.String(), "bad": traceText(ordinary+`,"mini-hpa/min":"99"`, 1)})
			var out, errs bytes.Buffer
			code := program().Run(t.Context(), append([]string{"replay", "-o", "json"}, test.args...),
				cli.Streams{In: strings.NewReader(traceText(ordinary, 1)), Out: &out, Err: &errs, Bridge: func(*zap.Logger) {}})
			got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			for i := range got {
				if i < len(test.want) && test.want[i] == "" && strings.HasPrefix(got[i], `{"time":"2026-01-01T12:00:00Z","current":`) {
					got[i] = ""
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" || code != cli.ExitOK || errs.Len() > 0 {
				t.Errorf("exit code %d, standard error %q, lines (-want +got):\n%s", code, errs.String(), diff)
			}
		})
	}
}

func TestReplayOfWhatCannotBeRead(t *testing.T) {
	const hint = "Run \"mini-hpa replay --help\" for what it takes.\n"
	cut := traceText(ordinary, 3)
	tests := map[string]struct {
		args   []string
		lines  int // on standard output
		stderr string
	}{
		"nothing":  {nil, 0, "mini-hpa replay: nothing to replay; want at least one FILE, or - for standard input\n" + hint},
		"no file":  {[]string{"nowhere"}, 0, "mini-hpa replay: cannot read \"nowhere\": no such file or directory\n"},
		"cut off":  {[]string{"cut"}, 2, "mini-hpa replay: cannot read \"cut\": line 4: the line is cut off: unexpected end of JSON input\n"},
		"stdin":    {[]string{"-"}, 0, "mini-hpa replay: cannot read standard input: line 1: the trace is empty; want a header {\"workload\": <object>}\n"},
		"the rest": {[]string{"nowhere", "good", "cut"}, 3, "mini-hpa replay: cannot read \"nowhere\": no such file or directory\n  cannot read \"cut\": line 4: the line is cut off: unexpected end of JSON input\n"},
		"invalid annotations": {[]string{"bad"}, 0, "mini-hpa replay: cannot replay \"bad\": line 1: the workload's annotations are invalid:\n" +
			"  metadata.annotations[mini-hpa/max]: Invalid value: \"10\": must be at least mini-hpa/min (99)\n"},
		"invalid by --set": {[]string{"good", "--set=mini-hpa/target-cpu="}, 0, "mini-hpa replay: cannot replay \"good\": line 1: with --set, the workload's annotations are invalid:\n" +
			"  metadata.annotations[mini-hpa/target-cpu]: Required value: there is no metric to scale on"},
		"--set of nothing":         {[]string{"good", "--set=target-cpu=5"}, 0, "mini-hpa replay: invalid value \"target-cpu=5\" for --set: want mini-hpa/KEY=VALUE with a KEY of docs/annotations.md, such as mini-hpa/target-cpu=70, each KEY once\n" + hint},
		"--set without a value":    {[]string{"good", "--set=mini-hpa/max"}, 0, "mini-hpa replay: invalid value \"mini-hpa/max\" for --set: want mini-hpa/KEY=VALUE "},
		"--set twice":              {[]string{"good", "--set=mini-hpa/max=1", "--set=mini-hpa/max=2"}, 0, "mini-hpa replay: invalid value \"mini-hpa/max=2\" for --set: want "},
		"flags against each other": {[]string{"good", "--min-sync-period=1m"}, 0, "mini-hpa replay: invalid value \"1m\" for --min-sync-period: want at most --sync-period (15s)\n" + hint},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			traceFiles(t, map[string]string{"good": traceText(ordinary, 1), "cut": cut[:len(cut)-20], "bad": traceText(ordinary+`,"mini-hpa/min":"99"`, 1)})
			var out, errs bytes.Buffer
			code := program().Run(t.Context(), append([]string{"replay", "-o", "json"}, test.args...),
				cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Bridge: func(*zap.Logger) {}})
			if lines := strings.Count(out.String(), "\n"); code != cli.ExitUsage || lines != test.lines {
				t.Errorf("exit code %d, %d lines on standard output; want %d, %d", code, lines, cli.ExitUsage, test.lines)
			}
			if !strings.HasPrefix(errs.String(), test.stderr) {
				t.Errorf("standard error\n%s\nwant\n%s", errs.String(), test.stderr)
			}
		})
	}
}

func TestReplayTables(t *testing.T) {
	const source = "../../../scaler/trace/testdata/0005.trace.jsonl.gz"
	const unannotated = "testdata/replay/unannotated.trace.jsonl"
	for name, args := range map[string][]string{
		"table":    {source},
		"compared": {source, "--set", "mini-hpa/target-cpu=40", "--set", "mini-hpa/max=8"},
		"unset":    {source, "--set", "mini-hpa/min=", "--all"},
		"first":    {unannotated, "--set", "mini-hpa/max=10", "--set", "mini-hpa/target-cpu=50"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, append([]string{"replay"}, args...)...)
			if code != cli.ExitOK || stderr != "" {
				t.Errorf("exit code %d, standard error %q", code, stderr)
			}
			clitest.Golden(t, filepath.Join("testdata", "replay", name+".txt"), stdout)
		})
	}
}

func TestReplayAsAPage(t *testing.T) {
	const source = "../../../scaler/trace/testdata/0005.trace.jsonl.gz"
	tests := map[string]struct {
		args  []string
		code  int
		parts []string
	}{
		"as recorded": {[]string{source}, cli.ExitOK, []string{"default/load", "2 → 3", ">7m30s<", "cpu utilization 23% above target 20%"}},
		"compared": {[]string{source, "--set", "mini-hpa/target-cpu=40"}, cli.ExitOK,
			[]string{"--set mini-hpa/target-cpu=40", "would have decided there and then", ">7m30s, with --set 0s<", "decided on with --set"}},
		"what can be read": {[]string{"nowhere", "testdata/replay/unannotated.trace.jsonl", "--set=mini-hpa/max=10", "--set=mini-hpa/target-cpu=1"}, cli.ExitUsage,
			[]string{"shop/web", "12 → 10"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, _ := call(t, append([]string{"replay", "-o", "html"}, test.args...)...)
			for _, part := range append(test.parts, "<svg", "</html>") {
				if !strings.Contains(stdout, part) {
					t.Errorf("%q is missing", part)
				}
			}
			if code != test.code || strings.Contains(stdout, "NaN") {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
		})
	}
	if code, stdout, _ := call(t, "replay", "-o", "html", "nowhere"); code != cli.ExitUsage || stdout != "" {
		t.Errorf("nothing to draw: exit code %d, standard output %q", code, stdout)
	}
}

// TestReplayOfWhatWaits: how much waits, and a gap where nobody knows, have a panel of their own.
func TestReplayOfWhatWaits(t *testing.T) {
	trace := traceText(`"mini-hpa/max":"20","mini-hpa/sources":"rabbit queue=orders target=500"`, 0)
	for i, waits := range []string{`"externalMetrics":{"rabbit@messages":[{"value":"5k"}]}`, `"errors":{"rabbit@messages":"it is gone"}`, `"externalMetrics":{"rabbit@messages":[{"value":"250"}]}`} {
		trace += fmt.Sprintf(`{"time":"2026-01-01T12:0%d:00Z","replicas":10,"statusReplicas":10,%s}`+"\n", i, waits)
	}
	traceFiles(t, map[string]string{"a": trace})
	code, svg, stderr := call(t, "replay", "-o", "svg", "a")
	if code != cli.ExitOK || stderr != "" || !strings.HasPrefix(svg, "<svg") {
		t.Fatalf("exit code %d, standard error %q, standard output %.60q", code, stderr, svg)
	}
	for _, want := range []string{">value of rabbit@messages<", ">5000<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
	if gaps := strings.Count(svg, `class="area-line"`); gaps > 0 {
		t.Errorf("%d lines lead over what is not known:\n%s", gaps, svg)
	}
}

// TestThePictureOfTheGuide is that of a trace that make demo-queue has left.
func TestThePictureOfTheGuide(t *testing.T) {
	guide, err := filepath.Abs("../../../docs/queue.svg")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("testdata/replay")
	code, svg, stderr := call(t, "replay", "-o", "svg", "worker.trace.jsonl.gz")
	if code != cli.ExitOK || stderr != "" {
		t.Errorf("exit code %d, standard error %q", code, stderr)
	}
	clitest.Golden(t, guide, svg)
}

func TestAnEndlessReplayCanBeEnded(t *testing.T) {
	traceFiles(t, map[string]string{"a": traceText(ordinary, 2)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code := program().Run(ctx, []string{"replay", "-o", "json", "a"}, cli.Streams{Out: &out, Err: &errs})
	if code != cli.ExitFailure || out.Len() > 0 || errs.String() != "mini-hpa replay: was told to end before it was done\n" {
		t.Errorf("exit code %d, standard output %q, standard error %q", code, out.String(), errs.String())
	}
}
