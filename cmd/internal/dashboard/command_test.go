package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/doctor"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// browser is one that has opened the URL that the command has printed.
type browser struct {
	t    *testing.T
	base string
	key  string
	http.Client
}

// start runs the command and opens the URL.
func start(t *testing.T, args ...string) *browser {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- clitest.Run(ctx, Command(), args, cli.Streams{Out: write, Err: t.Output()})
		_ = write.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if c := <-code; c != cli.ExitOK {
			t.Errorf("exit code %d", c)
		}
	})
	lines := bufio.NewReader(read)
	url, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, base: strings.TrimSpace(strings.SplitN(url, "/?", 2)[0]), Client: http.Client{Jar: jar}}
	first := b.open(strings.TrimPrefix(strings.TrimSpace(url), b.base))
	defer first.Body.Close()
	if body, err := io.ReadAll(first.Body); err != nil || first.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), "<!doctype html>") {
		t.Fatalf("%s: %d %s %v", url, first.StatusCode, body, err)
	}
	b.key = strings.TrimPrefix(first.Request.URL.Fragment, "key=")
	return b
}

func (b *browser) get(path string) (int, string) {
	b.t.Helper()
	answer := b.open(path)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func (b *browser) open(path string) *http.Response {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.base+path, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.key != "" {
		query := request.URL.Query()
		query.Set("key", b.key)
		request.URL.RawQuery = query.Encode()
	}
	answer, err := b.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer
}

// await reads a stream until a message is as wanted.
func await[T any](b *browser, path string, wanted func(T) bool) T {
	b.t.Helper()
	answer := b.open(path)
	defer answer.Body.Close()
	stop := time.AfterFunc(time.Minute, func() { _ = answer.Body.Close() })
	defer stop.Stop()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	last := ""
	for lines.Scan() {
		text, found := strings.CutPrefix(lines.Text(), "data: ")
		if !found {
			continue
		}
		var message T
		if err := json.Unmarshal([]byte(text), &message); err != nil {
			b.t.Fatalf("%s: %v", text, err)
		}
		if last = text; wanted(message) {
			return message
		}
	}
	b.t.Fatalf("%s never said it; the last message: %s", path, last)
	panic("not reached")
}

// one is a message about one workload.
type one struct {
	Head head `json:"head"`
	View struct {
		Row         *struct{ State string }
		Problem     string
		Sections    []cli.Section
		Annotations map[string]string
		Past        [][]float64
	} `json:"view"`
}

// TestItIsComputedHere: where nobody leads, the table says so, and the page of a workload explains as explain does.
func TestItIsComputedHere(t *testing.T) {
	server := clitest.NewAPIServer(t, map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"})
	none := ""
	server.Lease = &coordinationv1.Lease{TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &none}}
	kubeconfig := filepath.Join(t.TempDir(), "the kubeconfig")
	if err := os.Link(server.Kubeconfig(), kubeconfig); err != nil {
		t.Fatal(err)
	}
	b := start(t, "--kubeconfig", kubeconfig, "--controller=default/mini-hpa")
	all := await(b, pathStream, func(m table) bool { return len(m.Rows) == 1 })
	if all.Head.Args != "'--kubeconfig="+kubeconfig+"'" || all.Head.Lease != "default/mini-hpa" {
		t.Errorf("commands would ask another cluster: %q, %q", all.Head.Args, all.Head.Lease)
	}
	if !all.Head.Vacant || all.Head.Told || !strings.Contains(all.Head.Source, "nothing will be scaled") || all.Head.Scope != "default" || !strings.Contains(string(all.Rows[0]), `"state":"DOWN"`) {
		t.Errorf("%+v %s", all.Head, all.Rows)
	}
	web := await(b, pathStream+"/w/default/deployments.apps/web", func(m one) bool { return m.View.Row != nil })
	if text, _ := json.Marshal(web.View.Sections); web.View.Problem != "" || !strings.Contains(string(text), "scale from 2 to 6 replicas") || web.View.Annotations[annotations.Max] != "10" || len(web.View.Past) == 0 {
		t.Errorf("%+v", web.View)
	}
	if status, body := b.get("/try/default/deployments.apps/web?mini-hpa/max=5"); status != http.StatusOK || !strings.Contains(body, "less than two minutes have been seen") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := b.get("/try/default/deployments.apps/web?x=5"); status != http.StatusBadRequest {
		t.Errorf("%d %s", status, body)
	}
	about := await(b, pathStream+pathSystem, func(m aboutSystem) bool { return m.View.Vacancy != "" })
	if about.View.Head != nil || about.View.Lease == nil || about.View.WebhookError == "" {
		t.Errorf("%+v", about)
	}
	if gone := await(b, pathStream+"/w/default/deployments.apps/other", func(m one) bool { return m.View.Problem != "" }); !strings.Contains(gone.View.Problem, "it is not there") {
		t.Errorf("%+v", gone)
	}
}

// aboutSystem is a message about the controller.
type aboutSystem struct {
	View system `json:"view"`
}

// TestTheLeaderIsAsked, and what keeps a workload from being scaled is told as text.
func TestTheLeaderIsAsked(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	const hostile = "<img src=x onerror=alert(1)>\x1b[31m"
	m := clitest.One{Shown: scaler.Shown{Status: scaler.Status{Kind: "Deployment", Group: "apps", Namespace: "default", Name: "web", State: scaler.StateInvalid, Why: hostile}, Problems: []string{hostile}, ProblemEvent: "InvalidAnnotations"}}
	leading := httptest.NewServer(state.Handler(func() state.Head {
		return state.Head{Leading: true, Identity: host + "_1", Time: time.Now(), Version: "v1"}
	}, func() state.Teller { return m }, nil))
	t.Cleanup(leading.Close)
	_, port, err := net.SplitHostPort(leading.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server := clitest.NewAPIServer(t, nil)
	server.Lease = &coordinationv1.Lease{TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}, Spec: coordinationv1.LeaseSpec{
		HolderIdentity: new(host + "_1"), LeaseDurationSeconds: new(int32(3600)), RenewTime: new(metav1.NewMicroTime(time.Now()))}}
	kubeconfig := server.Kubeconfig()
	b := start(t, "--kubeconfig", kubeconfig, "--controller=default/mini-hpa", "--state-port="+port, "-A")
	all := await(b, pathStream, func(m table) bool { return len(m.Rows) == 1 })
	if !all.Head.Told || all.Head.Leader != host || !strings.Contains(string(all.Rows[0]), `alert(1)\u003e\u001b[31m`) {
		t.Errorf("%+v %s", all.Head, all.Rows)
	}
	web := await(b, pathStream+"/w/default/deployments.apps/web", func(m one) bool { return m.View.Problem != "" })
	if !strings.Contains(web.View.Problem, hostile) {
		t.Errorf("%q", web.View.Problem)
	}
	about := await(b, pathStream+pathSystem, func(m aboutSystem) bool { return m.View.Head != nil })
	if v := about.View; v.Head.Version != "v1" || v.Lease == nil || v.Vacancy != "" || v.WebhookError == "" {
		t.Errorf("%+v", v)
	}
	// What doctor finds is told with the user's rights, and what a terminal must not be shown is an escape.
	status, text := b.get(pathDoctor)
	var found findings
	if err := json.Unmarshal([]byte(text), &found); err != nil || status != http.StatusOK || found.Problem != "" {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	for _, want := range []doctor.Line{{Word: doctor.WordOK, Text: `the metrics API answers: metrics.k8s.io/v1beta1 has samples of 2 pods in namespace "default"`},
		{Word: doctor.WordOK, Text: "1 workload looked at; " + all.Head.Source},
		{Word: doctor.WordFail, Text: "default deploy/web is INVALID: <img src=x onerror=alert(1)>\\x1b[31m; next: mini-hpa explain --kubeconfig=" + kubeconfig + " -n default deploy/web"}} {
		if !slices.ContainsFunc(found.Lines, func(l doctor.Line) bool {
			return l.Word == want.Word && strings.HasPrefix(l.Text, strings.TrimSuffix(want.Text, "0s ago"))
		}) {
			t.Errorf("%v is not in %s", want, text)
		}
	}
	// What was known stays when the leader is gone.
	leading.Close()
	gone := await(b, pathStream, func(m table) bool { return !m.Head.Told })
	if len(gone.Rows) != 0 && !strings.Contains(gone.Head.Source, "computed here") {
		t.Errorf("%+v", gone)
	}
}

// TestWhereItMayListen: elsewhere than on loopback it takes a second flag.
func TestWhereItMayListen(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"open to others":     {[]string{"--bind-address=0.0.0.0:0"}, `invalid value "0.0.0.0:0" for --bind-address: it is open to other machines; want an address of loopback such as 127.0.0.1:0, or --i-know, too`},
		"by IPv6":            {[]string{"--bind-address=[::]:0"}, "it is open to other machines"},
		"every address":      {[]string{"--bind-address=:0"}, "want an IP address with a port"},
		"a name":             {[]string{"--bind-address=localhost:0"}, "want an IP address with a port"},
		"nothing is served":  {[]string{"--bind-address=0"}, "want an IP address with a port"},
		"an argument":        {[]string{"web"}, "unexpected argument"},
		"an open port of us": {[]string{"--bind-address=127.0.0.1:x"}, "want an IP address with a port"},
	} {
		if code, _, stderr := clitest.Call(t, Command(), c.args...); code != cli.ExitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, %s", name, code, stderr)
		}
	}
}
