package simulate

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
)

const (
	flapping = "simulate --load burst --set mini-hpa/tolerance=0 --set mini-hpa/scale-down-stabilization=0s" +
		" --compare mini-hpa/tolerance=0.1 --compare mini-hpa/scale-down-stabilization=5m"
	cured = "simulate --load burst --duration 12m"
	jvm   = "simulate --load step:from=1600,to=2600,at=5m --warm-up-cpu 1500 --set mini-hpa/max=40" +
		" --compare mini-hpa/max=40 --compare mini-hpa/warm-up=90s"
	target = "simulate --arrivals sine:low=5,high=60,period=1h --duration 2h" +
		" --compare 'mini-hpa/metrics=[{type: External, external: {metric: {name: backlog}, target: {type: AverageValue, averageValue: 300}}}]'"
	patient = "simulate --arrivals burst:high=5 --duration 2h --set mini-hpa/sleep-after=10m --compare mini-hpa/sleep-after=15m"
	sleepy  = "simulate --arrivals burst:high=5 --duration 2h"
	office  = "simulate --arrivals office.csv --interpolation step --start 2026-11-27T00:00:00Z --compare 'mini-hpa/schedule=Mon-Fri 07:55-18:00 min=1'"
)

// curves is where the files are that the page shows.
const curves = "testdata/simulate/"

// simulated is what a call writes; it must not fail.
func simulated(t *testing.T, line string, more ...string) string {
	t.Helper()
	code, stdout, stderr := call(t, append(words(strings.ReplaceAll(line, "office.csv", curves+"office.csv")), more...)...)
	if code != cli.ExitOK || stderr != "" {
		t.Fatalf("%s: exit code %d, standard error %q", line, code, stderr)
	}
	return strings.ReplaceAll(stdout, curves, "")
}

// words are those of a command line, in which single quotes hold together what has blanks.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all[len(all)-1] += part
			continue
		}
		all = append(all, strings.Fields(part)...)
		if strings.HasSuffix(part, " ") {
			all = append(all, "")
		}
	}
	return slices.DeleteFunc(all, func(word string) bool { return word == "" })
}

// TestSimulatePage keeps what the documentation shows true: its tables and its picture are made by the commands beside them.
func TestSimulatePage(t *testing.T) {
	page, err := template.New("page.md.tmpl").Funcs(template.FuncMap{
		"run":    func(line string, head, tail int) string { return excerpt(line, simulated(t, line), head, tail) },
		"file":   func(name string) string { return indented(t, curves+name) },
		"shapes": shapeRows,
		"sum":    func(line, name string, variant int) string { return summed(t, simulated(t, line), name, variant) },
	}).ParseFiles("testdata/simulate/page.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := page.Execute(&text, []string{flapping, cured, jvm, target, patient, sleepy, office}); err != nil {
		t.Fatal(err)
	}
	clitest.Golden(t, "../../../docs/simulate.md", text.String())
	svg := simulated(t, flapping, "-o", "svg")
	if len(svg) > 60_000 {
		t.Errorf("the picture has %d bytes", len(svg))
	}
	clitest.Golden(t, "../../../docs/flapping.svg", svg)
	if svg = simulated(t, office, "-o", "svg"); len(svg) > 60_000 {
		t.Errorf("the picture of a day has %d bytes", len(svg))
	}
	clitest.Golden(t, "../../../docs/office.svg", svg)
}

// indented is a file as code.
func indented(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return "    " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    ")
}

// summed is one value of the summary of a table.
func summed(t *testing.T, table, name string, variant int) string {
	t.Helper()
	_, row, found := strings.Cut(table, "\n  "+name+" ")
	values := strings.Fields(strings.SplitN(row, "\n", 2)[0])
	if !found || variant >= len(values) {
		t.Fatalf("no %q of variant %d in\n%s", name, variant, table)
	}
	return values[variant]
}

// TestReadmeSimulation holds the README to its command and to what that comes to.
func TestReadmeSimulation(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	words := func(text string) string {
		return strings.Join(strings.Fields(strings.ReplaceAll(text, "\\\n", " ")), " ")
	}
	table := simulated(t, flapping)
	for _, want := range []string{"bin/mini-hpa " + flapping,
		fmt.Sprintf("without guards the replicas change %s times, with the defaults once", summed(t, table, "changes of replicas", 0))} {
		if !strings.Contains(words(string(text)), want) {
			t.Errorf("the README lacks %q", want)
		}
	}
	if got := summed(t, table, "changes of replicas", 1); got != "1" {
		t.Errorf("with the defaults the replicas change %s times, the README says once", got)
	}
}

// excerpt is a command and the first and the last lines of what it writes, indented as code.
func excerpt(line, output string, head, tail int) string {
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	shown := strings.Split("$ mini-hpa "+strings.Replace(line, " --compare", " \\\n      --compare", 1), "\n")
	shown = append(append(shown, lines[:head]...), "  ...", "")
	shown = append(shown, lines[len(lines)-tail:]...)
	for i, text := range shown {
		shown[i] = strings.TrimRight("    "+text, " ")
	}
	return strings.Join(shown, "\n")
}

func shapeRows() string {
	var b strings.Builder
	for _, s := range simulate.Shapes() {
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | `%s` |\n", s.Name, s.Doc, s.Millicores, s.Messages)
	}
	return b.String()
}

func TestSimulateGolden(t *testing.T) {
	for name, line := range map[string]string{
		"table.txt":    "simulate --load step --duration 8m --all",
		"compared.txt": flapping,
		"lines.json":   "simulate --load step --duration 6m -o json",
		"queue.txt":    "simulate --arrivals spike:to=10,at=6m,for=1m --duration 15m",
		"queue.json":   "simulate --arrivals spike:to=10,at=20s,for=20s --duration 1m --service-rate 0.5 --source-delay 0s -o json",
		"queues.txt":   "simulate --arrivals spike:from=0,to=0.2,at=9h,for=5m --duration 25h --start 2026-11-27T00:00:00+01:00 --compare 'mini-hpa/schedule=Mon-Fri 08:00-18:00 min=2'",
		"queue.svg":    "simulate --arrivals burst --duration 1h --set 'mini-hpa/schedule=daily 00:20-00:40 min=2 max=5' --outage at=50m,for=5m -o svg",
		"compat.txt":   "simulate --load noise:seed=7 --duration 8m --hpa-compat --startup-cpu 500",
	} {
		t.Run(name, func(t *testing.T) {
			got := simulated(t, line)
			clitest.Golden(t, "testdata/simulate/"+name, got)
			if again := simulated(t, line); again != got {
				t.Error("the same call gives another answer")
			}
		})
	}
}

// TestTheTableShowsTheTimeOfTheSchedule: its hours are found in the rows, whatever zone --start is in and also where clocks are set.
func TestTheTableShowsTheTimeOfTheSchedule(t *testing.T) {
	const berlin, sydney = "mini-hpa/schedule=zone Europe/Berlin\n", "mini-hpa/schedule=zone Australia/Sydney\n"
	for name, tc := range map[string]struct {
		start, set, compare string
		from                string
		rows                []string
	}{
		"a start in UTC": {start: "2026-11-27T06:30:00Z", set: berlin + "daily 08:00-09:00 min=5",
			from: "from Fri 2026-11-27T07:30:00+01:00 in Europe/Berlin\n", rows: []string{`Nov 27 08:00:\d\d  .* 2 -> 5 `, `Nov 27 09:00:\d\d  .* 5 -> 2 `}},
		"a schedule in UTC": {start: "2026-11-27T07:30:00+01:00", set: "mini-hpa/schedule=daily 07:00-08:00 min=5",
			from: "from Fri 2026-11-27T06:30:00Z\n", rows: []string{`Nov 27 07:00:\d\d  .* 2 -> 5 `, `Nov 27 08:00:\d\d  .* 5 -> 2 `}},
		"the hour that comes twice": {start: "2026-10-25T01:30:00+02:00", set: berlin + "daily 02:00-03:00 min=5",
			from: "from Sun 2026-10-25T01:30:00+02:00 in Europe/Berlin\n", rows: []string{`Oct 25 02:00:\d\d \+02:00  .* 2 -> 5 `, `Oct 25 03:00:\d\d \+01:00  .* 5 -> 2 `}},
		"a line that ends in it": {start: "2026-10-25T01:00:00+02:00", set: berlin + "daily 01:30-02:30 min=5",
			from: "from Sun 2026-10-25T01:00:00+02:00 in Europe/Berlin\n", rows: []string{`Oct 25 01:30:\d\d \+02:00  .* 2 -> 5 `, `Oct 25 02:30:\d\d \+02:00  .* 5 -> 2 `,
				`Oct 25 02:00:\d\d \+01:00  .* 2 -> 5 `, `Oct 25 02:30:\d\d \+01:00  .* 5 -> 2 `}},
		"the second has one": {start: "2026-11-27T06:30:00Z", set: "mini-hpa/max=9", compare: berlin + "daily 08:00-09:00 min=5",
			from: "from Fri 2026-11-27T07:30:00+01:00 in Europe/Berlin\n", rows: []string{`Nov 27 08:00:\d\d  .* 2 -> 5 `}},
		"no schedule": {start: "2026-11-27T07:30:00+01:00", set: "mini-hpa/max=9", from: "from Fri 2026-11-27T07:30:00+01:00\n", rows: []string{`Nov 27 07:3\d:\d\d  .* 1 -> 2 `}},
		"zones that differ": {start: "2026-11-27T06:30:00Z", set: berlin + "daily 08:00-09:00 min=5", compare: sydney + "daily 19:00-20:00 min=6",
			from: "from Fri 2026-11-27T07:30:00+01:00 in Europe/Berlin\n", rows: []string{`Nov 27 08:00:\d\d \+01:00  .* 2 -> 5 `, `Nov 27 09:00:\d\d \+01:00  .* 2 -> 6 `}},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"simulate", "--load", "steady", "--duration", "3h30m", "--start", tc.start, "--set", tc.set, "--set", "mini-hpa/scale-down-stabilization=0s"}
			if tc.compare != "" {
				args = append(args, "--compare", tc.compare)
			}
			code, stdout, stderr := call(t, args...)
			if code != cli.ExitOK || !strings.Contains(stdout, tc.from) {
				t.Fatalf("exit code %d, %s, lacks %q:\n%s", code, stderr, tc.from, stdout)
			}
			rest := stdout
			for _, row := range tc.rows {
				at := regexp.MustCompile(row).FindStringIndex(rest)
				if at == nil {
					t.Fatalf("lacks %q, in this order:\n%s", tc.rows, stdout)
				}
				rest = rest[at[1]:]
			}
			if _, lines, _ := call(t, append(args, "-o", "json")...); !strings.Contains(lines, `"time":"`+tc.start+`"`) {
				t.Errorf("lines have another time than that of --start: %.300s", lines)
			}
		})
	}
}

func TestSimulateTakesAManifestAndACurve(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("web.yaml", "kind: Service\napiVersion: v1\n---\n"+strings.Replace(builtIn, `max: "10"`, `max: "3"`, 1))
	write("load.csv", "time,millicores\n0,500\n2m,500\n2m,5000\n4m,5000\n")
	got := simulated(t, "simulate -f web.yaml --load load.csv --record trace.jsonl")
	for _, part := range []string{"under the load load.csv for 4m\n", "max=3", "1 -> 3", "changes of replicas    1\n"} {
		if !strings.Contains(got, part) {
			t.Errorf("lacks %q:\n%s", part, got)
		}
	}
	if replayed := simulated(t, "replay trace.jsonl"); !strings.Contains(replayed, "1 -> 3") {
		t.Errorf("the trace comes to something else:\n%s", replayed)
	}
	if page := simulated(t, "simulate --load load.csv -o html"); !strings.HasPrefix(page, "<!doctype html>") || !strings.Contains(page, "load.csv") {
		t.Errorf("no page: %.100s", page)
	}
}

func TestSimulateReadsStandardInput(t *testing.T) {
	in := strings.NewReader("0,500\n60,5000\n")
	var out, messages strings.Builder
	code := program().Run(t.Context(), []string{"simulate", "--load", "-", "--interpolation=step"}, cli.Streams{In: in, Out: &out, Err: &messages})
	if code != cli.ExitOK || !strings.Contains(out.String(), "for 1m\n") {
		t.Errorf("exit code %d, %s\n%s", code, messages.String(), out.String())
	}
}

func TestSimulateRefuses(t *testing.T) {
	const hint = "Run \"mini-hpa simulate --help\" for what it takes.\n"
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	long := file("long.csv", "0,1\n337h,1\n")
	bad := file("bad.csv", "0,1\n60,much\n")
	none := file("none.yaml", "apiVersion: v1\nkind: Service\n")
	misspelt := file("misspelt.yaml", strings.NewReplacer("requests:", "request:", "limits:", "limit:").Replace(builtIn))
	unquoted := file("unquoted.yaml", strings.Replace(builtIn, `max: "10"`, "max: 10", 1))
	half := file("half.yaml", strings.Replace(builtIn, "containers:", "initContainers: [{name: proxy, restartPolicy: Always}]\n      containers:", 1))
	rival := file("rival.yaml", builtIn+"---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: old, namespace: default}\n"+
		"spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n")
	template := file("template.yaml", strings.Replace(builtIn, `max: "10"`, "max: {{ .Values.max }}", 1))
	const scaled = "mini-hpa simulate: cannot simulate deployment default/web annotated: it would not be scaled:\n  "
	ancient := file("ancient.yaml", strings.Replace(builtIn, "apps/v1", "apps/v1beta1", 1))
	twice := file("twice.yaml", strings.Replace(builtIn, `mini-hpa/max: "10"`, "mini-hpa/max: \"9\"\n    mini-hpa/max: \"10\"", 1))
	broken := file("broken.yaml", "kind: [\n")
	tests := map[string]struct {
		args []string
		want string
	}{
		"no load":                      {nil, "mini-hpa simulate: nothing to simulate: neither --load nor --arrivals is set; want a shape such as burst, or a file of time,millicores such as load.csv\n" + hint},
		"an unknown shape":             {[]string{"--load", "brst"}, `mini-hpa simulate: invalid value "brst" for --load: "brst" is not a shape; want one of steady, step, ramp, spike, sine, burst, noise; a file's name has to end in .csv` + "\n" + hint},
		"a bad parameter":              {[]string{"--load", "step:at=x"}, `mini-hpa simulate: invalid value "step:at=x" for --load: step: at: "x" is not a time; want seconds or a duration from 0s to 1000h, such as 90 or 1m30s; a step has from=500,to=4000,at=5m; a file's name has to end in .csv` + "\n" + hint},
		"a duration of parts":          {[]string{"--load", "step", "--duration", "1500ms"}, `mini-hpa simulate: invalid value "1500ms" for --duration: want a duration of whole seconds from 1s to 336h, such as 30m` + "\n" + hint},
		"an unknown key":               {[]string{"--load", "step", "--compare", "mini-hpa/mx=1"}, `mini-hpa simulate: invalid value "mini-hpa/mx=1" for --compare: want mini-hpa/KEY=VALUE with a KEY of docs/annotations.md, such as mini-hpa/target-cpu=70, each KEY once` + "\n" + hint},
		"two from one input":           {[]string{"--load", "-", "-f", "-"}, "mini-hpa simulate: --filename and --load cannot both be standard input\n" + hint},
		"two kinds of work":            {[]string{"--load", "step", "--arrivals", "step"}, "mini-hpa simulate: --load and --arrivals cannot be used together: CPU is asked for, or messages arrive\n" + hint},
		"a rate of CPU":                {[]string{"--load", "step", "--service-rate", "5"}, "mini-hpa simulate: --service-rate is for --arrivals\n" + hint},
		"a delay of CPU":               {[]string{"--load", "step", "--source-delay", "5s"}, "mini-hpa simulate: --source-delay is for --arrivals\n" + hint},
		"pods that serve nothing":      {[]string{"--arrivals", "step", "--service-rate", "0"}, `mini-hpa simulate: invalid value "0" for --service-rate: want a number from 0.001 to 1000000, such as 10 or 0.2` + "\n" + hint},
		"a start without a zone":       {[]string{"--arrivals", "step", "--start", "2026-11-27T00:00:00"}, `mini-hpa simulate: invalid value "2026-11-27T00:00:00" for --start: want a time from 2000 to 2099 with its zone, such as 2026-11-27T00:00:00Z or 2026-11-27T00:00:00+01:00` + "\n" + hint},
		"messages in millis":           {[]string{"--arrivals", "steady:load=500m"}, `mini-hpa simulate: invalid value "steady:load=500m" for --arrivals: steady: load: "500m" is not a rate; want messages per second from 0 to 1000000, such as 0.2; a steady has load=20; a file's name has to end in .csv` + "\n" + hint},
		"a bad curve of messages":      {[]string{"--arrivals", bad}, fmt.Sprintf("mini-hpa simulate: cannot read the arrivals %s: line 2: \"much\" is not a rate; want messages per second from 0 to 1000000, such as 0.2\n", cli.Quote(bad))},
		"too long a queue":             {[]string{"--arrivals", long}, "mini-hpa simulate: --arrivals lasts 337h; want --duration, at most 336h\n" + hint},
		"steps of arrivals":            {[]string{"--arrivals", "step", "--interpolation=linear"}, `mini-hpa simulate: --interpolation is for the points of a file; --arrivals "step" is a shape` + "\n" + hint},
		"two arrivals from one input":  {[]string{"--arrivals", "-", "-f", "-"}, "mini-hpa simulate: --filename and --arrivals cannot both be standard input\n" + hint},
		"messages that nothing counts": {[]string{"--arrivals", "step", "-f", file("web.yaml", builtIn)}, "mini-hpa simulate: cannot simulate: the messages that wait are the value of an External or Object metric, and there is only cpu (Resource); want exactly one in mini-hpa/metrics or mini-hpa/sources\n"},
		"a trace of two":               {[]string{"--load", "step", "--record", "x", "--compare", "mini-hpa/max=1"}, "mini-hpa simulate: --record and --compare cannot be used together: a trace is of one variant\n" + hint},
		"steps of a shape":             {[]string{"--load", "step", "--interpolation=linear"}, `mini-hpa simulate: --interpolation is for the points of a file; --load "step" is a shape` + "\n" + hint},
		"all of all":                   {[]string{"--load", "step", "--all", "-o", "json"}, "mini-hpa simulate: --all and --output json cannot be used together: only the table leaves evaluations out\n" + hint},
		"too long a curve":             {[]string{"--load", long}, "mini-hpa simulate: --load lasts 337h; want --duration, at most 336h\n" + hint},
		"an argument":                  {[]string{"x"}, `mini-hpa simulate: unexpected argument "x"; it takes flags only` + "\n" + hint},
		"no such file":                 {[]string{"--load", dir + "/no.csv"}, fmt.Sprintf("mini-hpa simulate: cannot read the load %s: no such file or directory\n", cli.Quote(dir+"/no.csv"))},
		"a bad curve":                  {[]string{"--load", bad}, fmt.Sprintf("mini-hpa simulate: cannot read the load %s: line 2: \"much\" is not a load; want millicores from 0 to 1000000000, such as 500\n", cli.Quote(bad))},
		"no such manifest":             {[]string{"--load", "step", "-f", dir + "/no.yaml"}, "mini-hpa simulate: cannot read the manifest:\n  " + dir + "/no.yaml: no such file or directory\n"},
		"no Deployment":                {[]string{"--load", "step", "-f", none}, fmt.Sprintf("mini-hpa simulate: cannot simulate the manifest %s: 0 workloads beside 1 other object; want exactly one (a Deployment, StatefulSet or ReplicaSet, or a custom resource with its CustomResourceDefinition)\n", cli.Quote(none))},
		"a misspelt field":             {[]string{"--load", "step", "-f", misspelt}, "mini-hpa simulate: cannot simulate deployment default/web annotated: it would not be scaled:\n  " + misspelt + ":21: error: Deployment default/web: spec.template.spec.containers[0].resources.requests[cpu]: Required value"},
		"another version":              {[]string{"--load", "step", "-f", ancient}, scaled + ancient + ":2: error: Deployment default/web: apiVersion: Invalid value: \"apps/v1beta1\": API servers have no Deployment of this version; write apiVersion: apps/v1 [InvalidField]\n"},
		"a key that is there twice":    {[]string{"--load", "step", "-f", twice}, fmt.Sprintf("mini-hpa simulate: cannot simulate the manifest %s, which cannot be applied:\n  %s:11: error: Deployment default/web: metadata.annotations[mini-hpa/max]: is here again, after line 10; of the two, kubectl takes the last one without a word, and kustomize refuses the file; keep one [InvalidField]\n", cli.Quote(twice), twice)},
		"a needle":                     {[]string{"--load", "spike:for=0"}, `mini-hpa simulate: invalid value "spike:for=0" for --load: spike: for is 0s; want at least 1s`},
		"a rollout without a time":     {[]string{"--load", "step", "--rollout", "surge=1"}, `mini-hpa simulate: invalid value "surge=1" for --rollout: at is missing; want at=TIME,surge=PODS,unavailable=PODS, such as at=10m,surge=25%,unavailable=1` + "\n" + hint},
		"a rollout that cannot begin":  {[]string{"--load", "step", "--rollout", "at=1m,surge=0,unavailable=0%"}, `mini-hpa simulate: invalid value "at=1m,surge=0,unavailable=0%" for --rollout: surge is 0 and unavailable is 0%, so that no pod could ever be replaced, and a Deployment with both is refused; want at=TIME,surge=PODS,unavailable=PODS, such as at=10m,surge=25%,unavailable=1` + "\n" + hint},
		"a rollout before the start":   {[]string{"--load", "step", "--rollout", "at=-1m"}, `mini-hpa simulate: invalid value "at=-1m" for --rollout: "at": "-1m" is not a time; want seconds or a duration from 0s to 1000h, such as 90 or 1m30s; want at=TIME,surge=PODS,unavailable=PODS, such as at=10m,surge=25%,unavailable=1` + "\n" + hint},
		"a rollout after the end":      {[]string{"--load", "step", "--rollout", "at=30m"}, `mini-hpa simulate: invalid value "at=30m" for --rollout: at is 30m, and the simulation ends at 30m; want a time before that, or a longer --duration` + "\n" + hint},
		"a rollout of negative pods":   {[]string{"--load", "step", "--rollout", "at=1m,surge=-1"}, `mini-hpa simulate: invalid value "at=1m,surge=-1" for --rollout: "surge": "-1" is neither a number of pods from 0 to 5000 nor a percent from 0% to 1000%; want at=TIME,surge=PODS,unavailable=PODS, such as at=10m,surge=25%,unavailable=1` + "\n" + hint},
		"an empty rollout":             {[]string{"--load", "step", "--rollout", ""}, `mini-hpa simulate: invalid value "" for --rollout: "": is not known; want at=TIME,surge=PODS,unavailable=PODS, such as at=10m,surge=25%,unavailable=1` + "\n" + hint},
		"an endless outage":            {[]string{"--load", "step", "--outage", "at=1m"}, `mini-hpa simulate: invalid value "at=1m" for --outage: for is missing; want at=TIME,for=TIME, such as at=10m,for=5m` + "\n" + hint},
		"an outage of no time":         {[]string{"--load", "step", "--outage", "at=1m,for=0s"}, `mini-hpa simulate: invalid value "at=1m,for=0s" for --outage: "for": "0s" is too short; want at least 1s; want at=TIME,for=TIME, such as at=10m,for=5m` + "\n" + hint},
		"an outage between seconds":    {[]string{"--load", "step", "--outage", "at=1.5s,for=9s"}, `mini-hpa simulate: invalid value "at=1.5s,for=9s" for --outage: "at": "1.5s" is not a whole number of seconds; want at=TIME,for=TIME, such as at=10m,for=5m` + "\n" + hint},
		"an outage after the end":      {[]string{"--load", "step", "--duration", "5m", "--outage", "at=6m,for=9s"}, `mini-hpa simulate: invalid value "at=6m,for=9s" for --outage: at is 6m, and the simulation ends at 5m; want a time before that, or a longer --duration` + "\n" + hint},
		"a template":                   {[]string{"--load", "step", "-f", template}, "mini-hpa simulate: cannot read the manifest " + cli.Quote(template) + ": it is a template, to be filled in first, as in: helm template"},
		"an unquoted value":            {[]string{"--load", "step", "-f", unquoted}, scaled + unquoted + `:10: error: Deployment default/web: metadata.annotations[mini-hpa/max]: Invalid value: 10: must be a string; put it in quotes: "10" [InvalidAnnotations]` + "\n"},
		"a sidecar without a request":  {[]string{"--load", "step", "-f", half}, scaled + half + `:18: error: Deployment default/web: spec.template.spec.initContainers[0].resources.requests[cpu]: Required value: `},
		"another autoscaler":           {[]string{"--load", "step", "-f", rival}, scaled + rival + `:7: error: Deployment default/web: metadata.annotations: Forbidden: HorizontalPodAutoscaler "old" (`},
		"not YAML":                     {[]string{"--load", "step", "-f", broken}, "mini-hpa simulate: cannot read the manifest:\n  " + broken + ":1: cannot be parsed: "},
		"bad annotations":              {[]string{"--load", "step", "--set", "mini-hpa/max=x"}, "mini-hpa simulate: cannot simulate deployment default/web --set: it would not be scaled:\n  metadata.annotations[mini-hpa/max]: "},
		"nowhere to record":            {[]string{"--load", "step", "--record", dir + "/no/trace"}, "mini-hpa simulate: cannot record: open "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, append([]string{"simulate"}, test.args...)...)
			if want := map[bool]int{true: cli.ExitFailure, false: cli.ExitUsage}[name == "nowhere to record"]; code != want || stdout != "" {
				t.Errorf("exit code %d, standard output %q", code, stdout)
			}
			if !strings.HasPrefix(stderr, test.want) {
				t.Errorf("standard error (-want +got):\n%s", cmp.Diff(test.want, stderr))
			}
		})
	}
}

// TestSimulateTellsNoMoreThanAnybodyReads, and how much more there is.
func TestSimulateTellsNoMoreThanAnybodyReads(t *testing.T) {
	t.Chdir(t.TempDir())
	for want, text := range map[string]string{
		" (and 900 more of the same file)": strings.Repeat("---\n\"\n", 1000),
		"  (and 900 more)":                 strings.Replace(builtIn, "containers:", "volumes: ["+strings.Repeat("[],", 1000)+"]\n      containers:", 1),
	} {
		if err := os.WriteFile("web.yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, messages := call(t, "simulate", "-f", "web.yaml", "--load", "step")
		if lines := strings.Count(messages, "\n"); code != cli.ExitUsage || lines > maxRefused+3 || !strings.Contains(messages, want+"\n") {
			t.Errorf("exit code %d, %d lines without %q: %s", code, lines, want, messages[max(len(messages)-300, 0):])
		}
	}
}

// TestSimulateReadsAsLintDoes: what another field says wrongly is no matter, --set puts an unquoted value right, a LimitRange beside the
// Deployment counts, and quantities that would take hours are bounded.
func TestSimulateReadsAsLintDoes(t *testing.T) {
	t.Chdir(t.TempDir())
	limits := "---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: usual, namespace: default}\nspec: {limits: [{type: Container, defaultRequest: {cpu: 500m}}]}\n"
	for name, tt := range map[string]struct{ text, more, want, warning string }{
		"an unknown field":        {strings.Replace(builtIn, "spec:\n  selector", "spec:\n  future: 1\n  selector", 1), "", "8 -> 10", ""},
		"an unquoted value":       {strings.Replace(builtIn, `max: "10"`, "max: ten", 1), "--set mini-hpa/max=7", "4 -> 7", ""},
		"a LimitRange":            {strings.NewReplacer("requests:", "request:", "limits:", "limit:").Replace(builtIn) + limits, "", "At its target a pod carries 250m", "LimitRange \"usual\""},
		"a quantity without end":  {strings.Replace(builtIn, "      containers:", "      volumes: [{name: v, emptyDir: {sizeLimit: 1e-999999999}}]\n      containers:", 1), "", "8 -> 10", ""},
		"a list with one of them": {"apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(builtIn[strings.Index(builtIn, "apiVersion"):]), "\n", "\n  "), "", "8 -> 10", ""},
	} {
		if err := os.WriteFile("web.yaml", []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, messages := call(t, strings.Fields("simulate -f web.yaml --load step:to=8000,at=1m --duration 4m "+tt.more)...)
		if code != cli.ExitOK || !strings.Contains(out, tt.want) || (messages == "") != (tt.warning == "") || !strings.Contains(messages, tt.warning) {
			t.Errorf("%s: exit code %d, lacks %q or %q:\n%s\n%s", name, code, tt.want, tt.warning, messages, out)
		}
	}
}

func TestSimulateSaysWhatWasNotMeasured(t *testing.T) {
	t.Chdir(t.TempDir())
	const resources = `          requests: {cpu: "1", memory: 256Mi}
          limits: {cpu: "2"}`
	if err := os.WriteFile("web.yaml", []byte(strings.Replace(builtIn, resources, `          limits: {cpu: "2"}`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"simulate -f web.yaml --load step --metrics-delay 20s":                                                "time above target      1m55s\n",
		"simulate --load step --set mini-hpa/target-cpu= --set mini-hpa/target-memory=90 --metrics-delay 20s": "time above target      not measured\ntime above tolerance   not measured\n",
	} {
		code, got, _ := call(t, strings.Fields(line)...)
		if got = strings.ReplaceAll(got, "\n  ", "\n"); code != cli.ExitOK || !strings.Contains(got, want) {
			t.Errorf("%s: exit code %d, lacks %q:\n%s", line, code, want, got)
		}
	}
}

// What nobody scales stays, and the table, the picture and the sums say so.
func TestSimulateKnowsTheMode(t *testing.T) {
	const line = "simulate --load step:at=1m,to=1500 --duration 12m --set mini-hpa/mode="
	tests := map[string]struct{ parts, lacks []string }{
		"paused":  {[]string{"--set: mini-hpa/mode is paused: nothing is decided", "changes of replicas    0\n", "time above target      11m\n", "replica-hours          0.20\n"}, []string{"cpu utilization"}},
		"observe": {[]string{"--set: mini-hpa/mode is observe: it is decided, but replicas stay", "1 (would be 3)  cpu utilization 150%", "changes of replicas    0\n", "time above target      11m\n", "replica-hours          0.20\n"}, []string{"->", "1:35"}},
		"auto":    {[]string{"1 -> 3", "changes of replicas    1\n"}, []string{"mini-hpa/mode is"}},
	}
	for mode, tt := range tests {
		got := simulated(t, line+mode)
		for _, part := range tt.parts {
			if !strings.Contains(got, part) {
				t.Errorf("%s lacks %q:\n%s", mode, part, got)
			}
		}
		for _, part := range tt.lacks {
			if strings.Contains(got, part) {
				t.Errorf("%s has %q:\n%s", mode, part, got)
			}
		}
		svg := simulated(t, line+mode, "-o", "svg")
		if marked := strings.Contains(svg, "1 → 3"); marked != (mode == "auto") {
			t.Errorf("the picture of %s: marked is %v", mode, marked)
		}
	}
	if lines := simulated(t, line+"paused -o json"); !strings.HasPrefix(lines, `{"summary":{"changes":0,`) {
		t.Errorf("lines of a paused Deployment: %s", lines)
	}
}

// TestSimulateDrawsAnOutage: it is named, and there is no usage in it.
func TestSimulateDrawsAnOutage(t *testing.T) {
	const line = "simulate --load steady -o svg --duration 20m"
	plain, outage := simulated(t, line), simulated(t, line+" --outage at=5m,for=5m")
	if strings.Contains(plain, "no metrics") || !strings.Contains(outage, ">no metrics</text>") {
		t.Error("the outage is not named, or there is one where none is")
	}
	if a, b := strings.Count(plain, `<path d="M`), strings.Count(outage, `<path d="M`); b != a+1 {
		t.Errorf("%d lines without an outage, %d with one; want one more, as the usage is in two parts", a, b)
	}
}

func TestSimulateTellsOfWarnings(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("web.yaml", []byte(strings.Replace(builtIn, "mini-hpa/min:", "mini-hpa/mim:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := call(t, "simulate", "-f", "web.yaml", "--load", "steady", "--duration", "1m")
	if code != cli.ExitOK || !strings.HasPrefix(stderr, "mini-hpa simulate: annotated: warning: ") || !strings.Contains(stderr, "mini-hpa/mim") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

// TestSimulateTellsWhatLintTells: annotations that nothing reads, fractions of bytes, and fields of what is beside the Deployment.
func TestSimulateTellsWhatLintTells(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yaml")
	text := strings.Replace(builtIn, "containers:", "initContainers: [{name: proxy, restartPolicy: Always, resources: {requests: {cpu: 100m, memory: 500m}}}]\n      containers:", 1) +
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {mini-hpa/max: '9'}}\n" +
		"---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: l}\nspec: {limits: [{type: Container, default: {cpu: 1x}}]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := call(t, "simulate", "--load", "step", "-f", file)
	for _, want := range []string{
		"warning: Service web: metadata.labels[mini-hpa/max]: mini-hpa/ keys have no effect among the labels",
		`warning: LimitRange l: spec.limits[0].default[cpu]: Invalid value: "1x"`,
		`annotated: warning: spec.template.spec.initContainers[0].resources.requests[memory]: "500m" of memory is no whole number of bytes`,
	} {
		if !strings.Contains(stderr, want) || code != cli.ExitOK {
			t.Errorf("exit code %d, %q lacks %q", code, stderr, want)
		}
	}
}
