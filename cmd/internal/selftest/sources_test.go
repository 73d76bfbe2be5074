package selftest

import (
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// asked is how the sources of a controller stand.
type asked struct {
	all  []sources.Status
	file string
}

func (a asked) Status() (all []sources.Status, fileError string) { return a.all, a.file }

// nobody is a controller without workloads.
type nobody struct{}

func (nobody) Standing(func(annotations.Key) bool) []annotations.Key { return nil }
func (nobody) Status(annotations.Key) (s scaler.Status, known bool)  { return s, false }
func (nobody) Chronicle(annotations.Key) []scaler.Entry              { return nil }
func (nobody) Show(annotations.Key) (shown scaler.Shown, known bool) { return shown, false }

// TestSelftestOfSources tells how each stands for the controller that leads, and which it does not have.
func TestSelftestOfSources(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	request := func(result string) sources.Request {
		return sources.Request{Asked: now.Add(-4 * time.Second), Took: 12 * time.Millisecond, Questions: 41, Result: result}
	}
	file := filepath.Join(t.TempDir(), "sources.yaml")
	const text = "version: v1\nsources:\n- {name: cache, type: redis, addresses: [a:1], namespaces: [shop], allow: {list: [a]}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		asked
		args []string
		want []string
		bars string // what no line begins with
	}{
		"answers": {asked: asked{all: []sources.Status{{Name: "cache", Last: request("ok"), Answered: now}}}, args: []string{"--sources", file},
			want: []string{`ok   the file of sources "` + file + `": it is right`, `ok   source "cache": asked 4s ago, with 41 questions, and answered in 12ms`}},
		"fails": {asked: asked{all: []sources.Status{{Name: "cache", Last: request("failed"), Answered: now.Add(-time.Minute), Failure: "refused the credentials (id 1\x1b of the log)", Resting: 2}}},
			want: []string{`FAIL source "cache": refused the credentials (id 1\x1b of the log), asked 4s ago, it last answered 1m0s ago, it is left alone for 2 namespaces; ` + askThere}},
		"never answered":     {asked: asked{all: []sources.Status{{Name: "cache", Failure: "is not set up"}}}, want: []string{`FAIL source "cache": is not set up, it has never answered; `}},
		"not asked":          {asked: asked{all: []sources.Status{{Name: "cache"}}}, want: []string{`skip source "cache": no workload has asked it yet; ` + askThere}},
		"none":               {want: []string{`skip the sources: the controller has none (--sources)`}},
		"left out":           {args: []string{"--state-port", "0"}, bars: "skip the sources: "},
		"a file alone":       {args: []string{"--state-port", "0", "--sources", file}, want: []string{`ok   the file of sources "` + file + `": it is right`}, bars: "skip the sources: "},
		"a file of before":   {args: []string{"--sources", file}, want: []string{`FAIL source "cache": the controller does not have it; `}},
		"a file that is not": {asked: asked{file: "it\nis wrong"}, args: []string{"--sources", file + "x"}, want: []string{`FAIL the controller's file of sources: it\nis wrong; `, `FAIL the file of sources "` + file + `x": no such file or directory; `}},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInstallation(t)
			in.holder = host + "_1"
			served := httptest.NewServer(state.Handler(func() state.Head { return state.Head{Time: now, Leading: true, Identity: in.holder} }, func() state.Teller { return nobody{} }, c.asked))
			defer served.Close()
			_, port, err := net.SplitHostPort(served.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			code, stdout, _ := call(t, append([]string{"selftest", "--kubeconfig", in.kubeconfig(), "--service-account", "mini-hpa/mini-hpa",
				"--leader-elect-resource-name", "mini-hpa", "--state-port", port}, c.args...)...)
			failures := strings.Count(stdout, "\nFAIL ")
			for _, want := range c.want {
				if !strings.Contains(stdout, "\n"+want) {
					t.Errorf("want %s", want)
				}
				if strings.HasPrefix(want, "FAIL") {
					failures--
				}
			}
			if c.bars != "" && strings.Contains(stdout, "\n"+c.bars) {
				t.Errorf("want no %s", c.bars)
			}
			if (code == cli.ExitOK) == strings.Contains(stdout, "\nFAIL ") || failures != 0 || t.Failed() {
				t.Errorf("exit code %d:\n%s", code, stdout)
			}
		})
	}
}
