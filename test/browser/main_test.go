package browser

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/child"
)

// program is the built mini-hpa, and shared the browser of all tests.
var (
	program string
	shared  *chromium
	missing error
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mini-hpa-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	path, err := installed()
	if missing = err; err == nil {
		if program, err = build(dir); err == nil {
			shared, err = startChromium(path, dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer shared.stop()
	}
	defer endCluster()
	return m.Run()
}

// needChromium is the browser. Where it is missing the test is skipped, but not where CI=true.
func needChromium(t *testing.T) *chromium {
	t.Helper()
	switch {
	case missing == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
	return shared
}

func build(dir string) (string, error) {
	path := filepath.Join(dir, "mini-hpa")
	cmd := exec.Command("go", "build", "-tags", "grpcnotrace", "-trimpath", "-o", path, "./cmd/mini-hpa")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mini-hpa: %w\n%s", err, out)
	}
	return path, nil
}

// dashboard is a running "mini-hpa dashboard".
type dashboard struct {
	// first is the URL that it has printed, base the address without the token.
	first, base string
}

// serve starts one, which ends with the test.
func serve(t *testing.T, kubeconfig string, args ...string) *dashboard {
	t.Helper()
	needChromium(t)
	log := filepath.Join(t.TempDir(), "dashboard.log")
	cmd := exec.Command(program, append([]string{"dashboard"}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig) // not a flag, which would be in the commands of pictures
	process, err := child.Start("dashboard", cmd, log)
	must(t, err)
	t.Cleanup(func() {
		if !process.Stop(patience) {
			t.Error("the dashboard does not end by itself")
		}
		if t.Failed() {
			t.Logf("the dashboard has said:\n%s", process.Tail())
		}
	})
	d := &dashboard{}
	for began := time.Now(); d.first == ""; {
		if err := process.Fallen(); err != nil || time.Since(began) > patience {
			t.Fatalf("the dashboard has printed no URL: %v\n%s", err, process.Tail())
		}
		if file, err := os.Open(log); err == nil {
			if line := bufio.NewScanner(file); line.Scan() && strings.HasPrefix(line.Text(), "http://127.0.0.1:") {
				d.first = line.Text()
			}
			_ = file.Close()
		}
		<-time.After(20 * time.Millisecond)
	}
	d.base, _, _ = strings.Cut(d.first, "/?")
	return d
}

// open opens the first URL in a new tab.
func (d *dashboard) open(t *testing.T) *tab {
	t.Helper()
	b := newTab(t)
	b.open(d.first)
	b.await("the page is there without its token", "location.pathname === '/' && location.search === '' && document.readyState === 'complete'")
	return b
}

// cluster is the real control plane of the tests that need one, started once.
var cluster = sync.OnceValues(func() (*world, error) { return startWorld(context.Background()) })

// started says that there is one to end.
var started bool

func endCluster() {
	if !started {
		return
	}
	if w, err := cluster(); err == nil {
		w.stop()
	}
}
