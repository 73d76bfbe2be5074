package sources

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

const file = `
version: v1
defaults: {timeout: 100ms}
sources:
- name: prom
  type: queries
  url: https://prom
  namespaces: [shop]
  queries:
  - {name: pools, query: up, unit: requests}
  - {name: service, query: 'up{a="$service"}', parameters: {service: {type: name, default: $workload}}}
  - {name: pool, query: 'up{a="$pool"}', parameters: {pool: {type: name}}}
  - {name: silent, query: up, empty: "0"}
  - {name: below, query: up}
  - {name: many, query: up}
  - {name: slow, query: up}
- {name: rabbit, type: depth, allow: {queue: ["$namespace.*"]}}
- {name: others, type: depth, namespaces: [billing], allow: {queue: ["*"]}}
- {name: closed, type: queries, url: nowhere, namespaces: ["*"], queries: [{name: any, query: up}]}
- {name: forgotten, type: depth, allow: {queue: ["*"]}}
`

type settings struct {
	URL string `json:"url"`
}

func (settings) Check(*catalog.Entry, *field.Path) field.ErrorList { return nil }

// server answers by what a question is called.
type server struct {
	mu    sync.Mutex
	asked []string
	open  int
}

func (s *server) Ask(ctx context.Context, all []metrics.Question, answer func(int, metrics.Answer, error)) {
	s.mu.Lock()
	s.asked = append(s.asked, fmt.Sprintf("%s %s {%s}", all[0].Namespace, all[0].Metric, all[0].Parameters))
	s.mu.Unlock()
	switch all[0].Metric {
	case "silent":
		answer(0, metrics.Answer{}, nil)
	case "below":
		answer(0, answerOf("-3"), nil)
	case "many":
		a := answerOf("1")
		a.External = append(a.External, a.External[0])
		answer(0, a, nil)
	case "slow":
		<-ctx.Done()
	case "":
		a := answerOf("873")
		a.Hint = metrics.Hint{Limit: 12, Because: "12 partitions", Active: new(true), Target: new(resource.MustParse("5")), Settling: metav1.Duration{Duration: time.Minute}}
		answer(0, a, nil)
	default:
		answer(0, answerOf("12500m"), nil)
	}
}

func (s *server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

func answerOf(value string) metrics.Answer {
	return metrics.Answer{External: []externalmetricsv1beta1.ExternalMetricValue{{Value: resource.MustParse(value)}}}
}

// call runs the command with files and kinds of the test's own, and a clock that stands still.
func (s *server) call(t *testing.T, files map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	open := func(e *catalog.Entry, _ sources.Env) (sources.Client, error) {
		if set, ok := e.Settings.(*settings); ok && set.URL == "nowhere" {
			return nil, &sources.Fault{Told: "cannot be set up", Err: errors.New("open /secret: no such file\x1b[2J")}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open++
		return s, nil
	}
	c := Command()
	c.Task = func() cli.Task {
		return &task{file: usual, namespace: "default", now: func() time.Time { return time.Unix(0, 0) },
			read: func(path string) ([]byte, error) {
				text, ok := files[path]
				if !ok {
					return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
				}
				return []byte(text), nil
			},
			kinds: []sources.Kind{
				{Type: catalog.Type{Name: "queries", Queries: true, Settings: func() catalog.Settings { return &settings{} }}, Open: open},
				{Type: catalog.Type{Name: "depth", Parameters: []catalog.Parameter{{Name: "queue", Kind: catalog.KindWord, Allowed: true}}}, Open: open},
				{Type: catalog.Type{Name: "workload", Entryless: true, PerWorkload: true}, Open: open},
			}}
	}
	var out, err bytes.Buffer
	code = clitest.Run(t.Context(), c, args, cli.Streams{In: strings.NewReader(files["-"]), Out: &out, Err: &err})
	if s.open != 0 {
		t.Errorf("%d clients are still open", s.open)
	}
	return code, out.String(), err.String()
}

func TestCheck(t *testing.T) {
	s := &server{}
	code, stdout, stderr := s.call(t, map[string]string{usual: file}, "check", "-n", "shop", "rabbit queue=shop.mail target=5", "prom pool pool=llama", "rabbit queue=billing.mail", "nothing a=b")
	want := `  ok    prom pool pool=llama             12500m           0s
  ok    prom pools                       12500m requests  0s
  skip  prom service                     it is about a workload; --workload names one
  skip  prom pool                        key "pool" is missing: this query of source "prom" needs it
  ok    prom silent                      0, no value, which counts as 0  0s
  FAIL  prom below                       answered with -3, which is below 0
  FAIL  prom many                        answered with 2 values; there must be one
  FAIL  prom slow                        did not answer in 100ms
  ok    rabbit queue=shop.mail target=5  873, for at most 12 replicas: 12 partitions, active, target 5, not active counts after 1m0s  0s
  FAIL  rabbit queue=billing.mail        queue "billing.mail" is not what namespace "shop" may ask of source "rabbit"; allowed is "shop.*"
  skip  rabbit                           key "queue" is missing: source "rabbit" needs it
  skip  others                           namespace "shop" may not ask it; --namespace names another
  FAIL  closed any                       cannot be set up: open /secret: no such file\x1b[2J
  skip  forgotten                        namespace "shop" may not ask it; --namespace names another
  FAIL  nothing a=b                      source "nothing" is none that namespace "shop" may ask; must be one of "prom", "rabbit", "closed", "workload"
`
	if diff := cmp.Diff(want, stdout); diff != "" || code != cli.ExitFailure {
		t.Errorf("exit code %d, %s", code, diff)
	}
	if want := "mini-hpa sources: warning: no namespace may ask source \"forgotten\": the file says none, and its allow does not keep them apart\n5 sources in \"/etc/mini-hpa/sources.d/sources.yaml\": 10 questions asked, 6 failed\n"; stderr != want {
		t.Errorf("standard error %s", stderr)
	}
}

func TestCheckForAWorkload(t *testing.T) {
	s := &server{}
	code, stdout, stderr := s.call(t, map[string]string{"-": "{version: v1, sources: [{name: a, type: queries, url: x, namespaces: ['*'], queries: [{name: q, query: $namespace$s, parameters: {s: {type: name, default: $workload}}}]}]}"},
		"check", "--sources", "-", "-n", "shop", "--workload", "web")
	if stdout != "  ok  a q  12500m  0s\n" || code != cli.ExitOK || stderr != "1 source in \"-\": 1 question asked, 0 failed\n" {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	if diff := cmp.Diff([]string{`shop q {$namespace="shop" s="web"}`}, s.asked); diff != "" {
		t.Error(diff)
	}
}

func TestCalls(t *testing.T) {
	const hint = "Run \"mini-hpa sources --help\" for what it takes.\n"
	files := map[string]string{"bad": "version: v1\nsources:\n- {name: A, type: depth}\n- {name: b, type: dept}\n", "empty": ""}
	tests := map[string]struct {
		args []string
		want string
	}{
		"nothing":           {nil, "mini-hpa sources: nothing to do; want check\n" + hint},
		"another":           {[]string{"chekc"}, "mini-hpa sources: cannot do \"chekc\" (did you mean \"check\"?); want check\n" + hint},
		"no namespace":      {[]string{"check", "-n", ""}, "mini-hpa sources: invalid value \"\" for --namespace: want the name of a namespace (a DNS label)\n" + hint},
		"a line":            {[]string{"check", "a b c"}, "mini-hpa sources: line \"a b c\" has the word \"c\"; after the source there may be one query, then keys with values\n" + hint},
		"a word behind":     {[]string{"check", "a x=y b"}, "mini-hpa sources: line \"a x=y b\" has the word \"b\"; after the source there may be one query, then keys with values\n" + hint},
		"a line of nothing": {[]string{"check", "# a"}, "mini-hpa sources: line \"# a\" has 0 lines with words; want one\n" + hint},
		"a key":             {[]string{"check", "A=b"}, "mini-hpa sources: line \"A=b\" key \"A\" must be a lower-case letter, then up to 31 letters of a-z and A-Z, digits and \"-\"\n" + hint},
		"no file":           {[]string{"check", "--sources", "none"}, "mini-hpa sources: \"none\" cannot be used: file does not exist\n"},
		"an empty file":     {[]string{"check", "--sources", "empty"}, "mini-hpa sources: \"empty\" cannot be used: is empty; must be a mapping with \"version: v1\"\n"},
		"a bad file": {[]string{"check", "--sources", "bad"}, `mini-hpa sources: "bad" cannot be used: sources[0].name: Invalid value: "A": must be 1 to 63 of the characters a-z, 0-9 and "-", with none of these at its ends
  sources[0].allow[queue]: Required value: must have globs of the values that may be asked for, such as "$namespace.*"
  sources[1].type: Invalid value: "dept": did you mean "depth"? It must be one of "queries", "depth"
`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := (&server{}).call(t, files, tt.args...)
			if diff := cmp.Diff(tt.want, stderr); diff != "" || stdout != "" || code != cli.ExitUsage {
				t.Errorf("exit code %d, %s%s", code, stdout, diff)
			}
		})
	}
}

func TestCommandHasAllKinds(t *testing.T) {
	if got, want := len(Command().Task().(*task).kinds), len(sources.Kinds()); got != want {
		t.Errorf("%d kinds, want %d", got, want)
	}
}
