package sources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// fileOfTwo has two sources, the second with this URL.
func fileOfTwo(url string) string {
	entry := func(name, url string) string {
		return "- {name: " + name + ", type: http, url: \"" + url + "\", namespaces: [\"*\"], queries: [{name: open, path: /open}]}\n"
	}
	return "version: v1\nsources:\n" + entry("one", "http://one.example") + entry("two", url)
}

// TestTheFileIsReadAgain when it changes: what has not changed stays the same source, and a file that is not right changes nothing.
func TestTheFileIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		text, failure := fileOfTwo("http://two.example"), error(nil)
		read := func(string) ([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			return []byte(text), failure
		}
		core, logged := observer.New(zapcore.WarnLevel)
		telemetry := NewTelemetry(prometheus.NewRegistry())
		var changes atomic.Int32
		s := NewSet(SetConfig{Path: "/sources.yaml", Connect: true, Telemetry: telemetry, OnChange: func() { changes.Add(1) },
			Env: Env{Log: zap.New(core), ReadFile: read}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.Run(ctx)
		}()
		first := s.Sources()
		if len(first) != 3 || s.Catalog().Entry("two") == nil {
			t.Fatalf("sources %v", first)
		}
		type state struct {
			Changes, Lines int
			Error          float64
			One, Two       bool // the same source as at first
			Sources        int  // with that of the watched pods, which needs no entry
		}
		now := func() state {
			time.Sleep(lookedAgain)
			synctest.Wait()
			sources := s.Sources()
			return state{int(changes.Load()), logged.Len(), testutil.ToFloat64(telemetry.file), sources["one"] == first["one"], sources["two"] == first["two"], len(sources)}
		}
		var got []state
		step := func(next string, err error) {
			mu.Lock()
			text, failure = next, err
			mu.Unlock()
			got = append(got, now(), now())
		}
		step(text, nil)
		step(fileOfTwo("http://three.example"), nil)
		step("version: v1\nsources: [{}]", nil)
		step(text, errors.New("gone"))
		step(fileOfTwo("http://two.example"), nil)
		step("version: v1\nsources: []\n", nil)
		want := []state{
			{0, 0, 0, true, true, 3}, {0, 0, 0, true, true, 3},
			{1, 0, 0, true, false, 3}, {1, 0, 0, true, false, 3},
			{1, 1, 1, true, false, 3}, {1, 1, 1, true, false, 3},
			{1, 2, 1, true, false, 3}, {1, 2, 1, true, false, 3},
			{2, 2, 0, true, false, 3}, {2, 2, 0, true, false, 3},
			{3, 2, 0, false, false, 1}, {3, 2, 0, false, false, 1},
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		cancel()
		<-done
	})
}

// TestAFileThatIsWrongFromTheStart: nothing is known until it is right, and the process goes on.
func TestAFileThatIsWrongFromTheStart(t *testing.T) {
	core, logged := observer.New(zapcore.ErrorLevel)
	s := NewSet(SetConfig{Path: "/sources.yaml", Connect: true, Env: Env{Log: zap.New(core), ReadFile: func(string) ([]byte, error) { return nil, os.ErrNotExist }}})
	if s.Catalog() != nil || len(s.Sources()) > 0 || logged.Len() != 1 {
		t.Errorf("catalog %v, sources %v, log %v", s.Catalog(), s.Sources(), logged.All())
	}
}

// TestAWebhookAsksNobody: it knows the file, has no clients, and reads none of the files that it names.
func TestAWebhookAsksNobody(t *testing.T) {
	var read []string
	text := strings.ReplaceAll(fileOfTwo("https://two.example"), "type: http,", "type: http, auth: {bearerTokenFile: /token}, tls: {caFile: /ca},")
	s := NewSet(SetConfig{Path: "/sources.yaml", Env: Env{Log: zap.NewNop(), ReadFile: func(path string) ([]byte, error) {
		read = append(read, path)
		return []byte(strings.ReplaceAll(text, "http://", "https://")), nil
	}}})
	if s.Catalog().Entry("one") == nil || len(s.Sources()) > 0 || !slices.Equal(read, []string{"/sources.yaml"}) {
		t.Errorf("sources %v, read %v", s.Sources(), read)
	}
}

// TestGlobsThatDoNotKeepNamespacesApart are told once: a file may mean it.
func TestGlobsThatDoNotKeepNamespacesApart(t *testing.T) {
	core, logged := observer.New(zapcore.WarnLevel)
	NewSet(SetConfig{Path: "/sources.yaml", Connect: true, Env: Env{Log: zap.New(core), ReadFile: func(string) ([]byte, error) {
		return []byte(`{version: v1, sources: [{name: jobs, type: nats, servers: ["nats:4222"], namespaces: ["*"], allow: {stream: [JOBS], consumer: ["$namespace-*"]}}]}`), nil
	}}})
	if logged.Len() != 1 || fmt.Sprint(logged.All()[0].ContextMap()) != "map[allow:[consumer] source:jobs]" {
		t.Errorf("%v", logged.All())
	}
}

// TestWithoutAFile there is what needs no entry.
func TestWithoutAFile(t *testing.T) {
	s := NewSet(SetConfig{Env: environment()})
	if s.Catalog() == nil {
		t.Error("nothing is known")
	}
	s.Run(t.Context()) // returns
}
