//go:build unix

package sources

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/await"
	"github.com/mini-hpa/mini-hpa/test/child"
	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

// installed returns the path of a server's program. Where it is missing the test is skipped, but not where CI=true.
func installed(t *testing.T, debian string, patterns ...string) string {
	t.Helper()
	for _, pattern := range patterns {
		if path, err := exec.LookPath(pattern); err == nil {
			return path
		}
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	need(t, fmt.Errorf("%s is not installed: apt-get install %s", strings.Join(patterns, ", "), debian))
	return ""
}

// need skips the test if something is missing, but not where CI=true.
func need(t *testing.T, missing error) {
	t.Helper()
	switch {
	case missing == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

// served is a server's process.
type served struct {
	*child.Process
	log string
}

// launch starts a server and returns when it is ready. It ends with the test.
func launch(t *testing.T, name string, ready func(ctx context.Context) error, command *exec.Cmd) *served {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	process, err := child.Start(name, command, log)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{process, log}
	t.Cleanup(process.Kill)
	if err := await.Within(t.Context(), 2*time.Minute, 50*time.Millisecond, func(ctx context.Context) error {
		if err := process.Fallen(); err != nil {
			return await.Final(err)
		}
		return ready(ctx)
	}); err != nil {
		t.Fatalf("%s is not ready: %v\n%s", name, err, process.Tail())
	}
	return s
}

// freePorts are ports of the loopback that nobody has, nor gets while their server is not there.
func freePorts(t *testing.T, count int) []string {
	t.Helper()
	var ports []string
	for range count {
		port, err := controlplane.FreePort("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}

// accepts says whether something listens at an address.
func accepts(ctx context.Context, address string) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return connection.Close()
}

// proxy is a gate in front of a server in another process.
func proxy(t *testing.T, to string) (*gate, string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{Listener: listener}
	t.Cleanup(g.vanish)
	go func() {
		for {
			from, err := g.Accept()
			if err != nil {
				return
			}
			go join(from, to)
		}
	}()
	return g, listener.Addr().String()
}

// join hands on what comes from one side to the other.
func join(from net.Conn, address string) {
	to, err := net.Dial("tcp", address)
	if err != nil {
		_ = from.Close()
		return
	}
	go func() {
		defer func() { _, _ = from.Close(), to.Close() }()
		buffer := make([]byte, 4096)
		for {
			n, err := to.Read(buffer)
			if err != nil {
				return
			}
			if _, err := from.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	defer func() { _, _ = from.Close(), to.Close() }()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
