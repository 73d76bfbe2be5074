package sources

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
	"github.com/mini-hpa/mini-hpa/test/await"
	"github.com/mini-hpa/mini-hpa/test/child"
)

// freeAddress is one of the loopback interface at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// serve starts a server, waits until it listens at the address, and ends it with the test.
func serve(t *testing.T, address string, command *exec.Cmd) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	server, err := child.Start(filepath.Base(command.Path), command, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		const grace = 10 * time.Second
		if !server.Stop(grace) {
			t.Errorf("%s had to be killed", command.Path)
		}
	})
	dialer := net.Dialer{Timeout: time.Second}
	eventually(t, func(ctx context.Context) error {
		if err := server.Fallen(); err != nil {
			return await.Final(err)
		}
		connection, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return connection.Close()
	})
}

// eventually waits until something is so.
func eventually(t *testing.T, ask func(context.Context) error) {
	t.Helper()
	if err := await.Within(t.Context(), time.Minute, 100*time.Millisecond, ask); err != nil {
		t.Fatal(err)
	}
}

// asker asks the one source of a file.
type asker struct {
	t       *testing.T
	source  metrics.Source
	catalog *catalog.Catalog
	name    string
}

func newAsker(t *testing.T, file string) *asker {
	t.Helper()
	c, err := catalog.Parse([]byte(file), sources.Types())
	if err != nil {
		t.Fatal(err)
	}
	e := c.Entries()[0]
	source, err := sources.Open(e, sources.Env{Log: zap.NewNop(), ReadFile: sources.ReadFile}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return &asker{t, source, c, e.Name}
}

// ask is what a workload gets: the number, or an error.
func (a *asker) ask(ctx context.Context, query string, given map[string]string) (string, error) {
	a.t.Helper()
	parameters, problems := a.catalog.Resolve(catalog.Workload{Namespace: "shop", Kind: "Deployment", Name: "web"}, catalog.Asked{Source: a.name, Query: query, Given: given})
	if len(problems) > 0 {
		a.t.Fatal(problems)
	}
	answer, err := a.source.Ask(ctx, metrics.Question{Source: a.name, Namespace: "shop", Metric: query, Parameters: parameters})
	if err != nil {
		return "", err
	}
	return answer.External[0].Value.String(), nil
}
