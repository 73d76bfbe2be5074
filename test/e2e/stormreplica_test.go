package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stormReplica is a running `mini-hpa webhook`.
type stormReplica struct {
	t       *testing.T
	cmd     *exec.Cmd
	logFile string
	// hook is the webhook's own address, health serves /readyz and metrics /metrics.
	hook, health, metrics string
	done                  chan struct{}
	ended                 error
	followed              chan struct{}
	last                  stormMetrics // as last scraped; complete once followed is closed
}

// launch starts a replica and leads the API server's connections to it once it is ready. Cleanup ends it gracefully.
func (s *storm) launch(args ...string) *stormReplica {
	s.t.Helper()
	path, err := stormProgram()
	if err != nil {
		s.t.Fatal(err)
	}
	log, err := os.CreateTemp(s.t.TempDir(), "webhook-*.log")
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	r := &stormReplica{t: s.t, logFile: log.Name(), done: make(chan struct{}), followed: make(chan struct{})}
	r.cmd = exec.Command(path, append([]string{"webhook", "--kubeconfig", s.kubeconfig, "--webhook-bind-address", "127.0.0.1:0",
		"--metrics-bind-address", "127.0.0.1:0", "--health-probe-bind-address", "127.0.0.1:0"}, args...)...)
	r.cmd.Stdout, r.cmd.Stderr, r.cmd.SysProcAttr = log, log, dieWithParent()
	r.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { // memory is what the program itself makes of it
		return strings.HasPrefix(v, "GOMEMLIMIT=") || strings.HasPrefix(v, "GOGC=")
	})
	if err := r.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		r.ended = r.cmd.Wait()
		close(r.done)
	}()
	s.t.Cleanup(r.end)
	r.awaitAddresses()
	go r.follow()
	s.balancer.add(s.t.Context(), r)
	return r
}

// pair starts two replicas at the same moment and returns when both are ready.
func (s *storm) pair(args ...string) []*stormReplica {
	s.t.Helper()
	pair := []*stormReplica{s.launch(args...), s.launch(args...)}
	for _, r := range pair {
		s.awaitReady(r)
	}
	return pair
}

func (s *storm) awaitReady(r *stormReplica) {
	s.t.Helper()
	eventually(s.t, "a replica of the webhook is ready", func(context.Context) (bool, string) {
		r.alive()
		return s.balancer.leadsTo(r), "not ready"
	})
}

// awaitAddresses finds the ports that the replica chose in its log: one that is chosen here could be taken before it is there.
func (r *stormReplica) awaitAddresses() {
	r.t.Helper()
	eventually(r.t, "a replica of the webhook listens", func(context.Context) (bool, string) {
		r.alive()
		for _, line := range r.log() {
			switch {
			case line.Flag == "metrics-bind-address":
				r.metrics = line.Address
			case line.Flag == "health-probe-bind-address":
				r.health = line.Address
			case line.Msg == "the webhook is listening":
				r.hook = line.Address
			}
		}
		return r.metrics != "" && r.health != "" && r.hook != "", fmt.Sprint(r.log())
	})
}

// stormLine is what is read of a line of the log.
type stormLine struct{ Level, Msg, Flag, Address, Detail string }

func (r *stormReplica) log() []stormLine {
	text, err := os.ReadFile(r.logFile)
	if err != nil {
		r.t.Fatal(err)
	}
	var lines []stormLine
	for text := range bytes.Lines(text) {
		var line stormLine
		if json.Unmarshal(text, &line) == nil { // the last one may still be being written
			lines = append(lines, line)
		}
	}
	return lines
}

// end ends the replica, and fails the test if it does not end well.
func (r *stormReplica) end() {
	r.terminate()
	if log, err := os.ReadFile(r.logFile); err == nil && r.t.Failed() {
		r.t.Logf("the log of %s ends with:\n%s", filepath.Base(r.logFile), log[max(0, len(log)-4000):])
	}
}

// terminate sends SIGTERM, and waits for status 0.
func (r *stormReplica) terminate() {
	if r.hasEnded() && r.ended == nil {
		return // it was ended before
	}
	r.signal(syscall.SIGTERM)
	select {
	case <-r.done:
		<-r.followed
	case <-time.After(patience):
		r.t.Errorf("a replica of the webhook does not end within %s of SIGTERM", patience)
		_ = r.cmd.Process.Kill() // fails only if it has ended now
		<-r.done
	}
	if r.ended != nil {
		r.t.Errorf("a replica of the webhook ended with %v", r.ended)
	}
}

func (r *stormReplica) signal(s os.Signal) {
	if err := r.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.t.Errorf("%v: %v", s, err)
	}
}

func (r *stormReplica) hasEnded() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// alive fails the test if the replica has ended by itself.
func (r *stormReplica) alive() {
	r.t.Helper()
	if r.hasEnded() {
		text, _ := os.ReadFile(r.logFile) // only to be shown
		r.t.Fatalf("a replica of the webhook has ended: %v\n%s", r.ended, text)
	}
}

// follow scrapes the metrics until the replica has ended: the last time is within its very last moments.
func (r *stormReplica) follow() {
	defer close(r.followed)
	tick := time.NewTicker(stormProbe)
	defer tick.Stop()
	for {
		if now, err := r.scrape(); err == nil {
			r.last = now
		}
		select {
		case <-tick.C:
		case <-r.done:
			return
		}
	}
}

// shown is the certificate that the replica serves to a new connection.
func (r *stormReplica) shown(ctx context.Context, trusted *x509.CertPool) (*x509.Certificate, error) {
	config := &tls.Config{RootCAs: trusted, ServerName: "mini-hpa-webhook." + stormHome + ".svc", InsecureSkipVerify: trusted == nil}
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", r.hook)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// memory are VmRSS and VmHWM in MiB: what the process takes, and the most that it took.
func (r *stormReplica) memory() (now, most float64) {
	r.t.Helper()
	return memoryOf(r.t, r.cmd.Process.Pid)
}

func memoryOf(t *testing.T, pid int) (now, most float64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) float64 {
		found := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(text)
		if found == nil {
			t.Fatalf("no %s in:\n%s", name, text)
		}
		kB, _ := strconv.ParseFloat(string(found[1]), 64) // digits, by the expression
		return kB / 1024
	}
	return read("VmRSS"), read("VmHWM")
}

// scrape reads the metrics.
func (r *stormReplica) scrape() (stormMetrics, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + r.metrics + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return readStormMetrics(response.Body)
}
