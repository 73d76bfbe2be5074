package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

// controller is a running `mini-hpa controller`.
type controller struct {
	t *testing.T
	// program is what runs, with these variables besides the test's.
	program string
	env     []string
	cmd     *exec.Cmd
	logFile string
	// address serves /metrics, health serves /healthz and /readyz.
	address, health string
	done            chan struct{}
	ended           error
	expectKill      bool
}

// controller starts one for a namespace; the test ends it gracefully and looks at its exit status.
func (w *world) controller(t *testing.T, namespace string, args ...string) *controller {
	t.Helper()
	c := newController(t)
	c.lead(w, append([]string{"--namespace", namespace, "--leader-elect-resource-namespace", namespace}, args...)...)
	return c
}

// newController is one that does not run yet.
func newController(t *testing.T) *controller {
	t.Helper()
	return &controller{t: t, program: program, address: freeAddress(t), health: freeAddress(t), done: make(chan struct{}),
		logFile: filepath.Join(t.TempDir(), "controller.log")}
}

// lead starts `mini-hpa controller` in a world.
func (c *controller) lead(w *world, args ...string) {
	c.t.Helper()
	c.start(append([]string{"controller", "--kubeconfig", w.kubeconfig, "--metrics-resolution", samplePeriod.String(),
		"--metrics-bind-address", c.address, "--health-probe-bind-address", c.health}, args...)...)
}

// start starts the program, whose log goes to the file; the test ends it.
func (c *controller) start(args ...string) {
	c.t.Helper()
	log, err := os.Create(c.logFile)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	c.cmd = exec.Command(c.program, args...)
	c.cmd.Env = append(os.Environ(), c.env...)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = dieWithParent()
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		c.ended = c.cmd.Wait()
		close(c.done)
	}()
	c.t.Cleanup(c.end)
}

// end asks the controller to end, and fails the test if it does not do so well.
func (c *controller) end() {
	c.terminate()
	if !c.expectKill && c.ended != nil {
		c.t.Errorf("the controller ended with %v", c.ended)
	}
	if log, err := os.ReadFile(c.logFile); err == nil && (c.t.Failed() || bytes.Contains(log, []byte("DATA RACE"))) {
		c.t.Errorf("the controller's log ends with:\n%s", log[max(0, len(log)-8000):])
	}
}

// pause stops the process with SIGSTOP: nothing of it runs, its connections stay open, until resume. To the process it is as if no
// time had passed, as with a virtual machine that is frozen or starved.
func (c *controller) pause() { c.signal(syscall.SIGSTOP) }

// resume lets a process go on that was paused.
func (c *controller) resume() { c.signal(syscall.SIGCONT) }

func (c *controller) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Errorf("%s: %v", s, err)
	}
}

// terminate sends SIGTERM and waits.
func (c *controller) terminate() {
	c.resume() // who is paused sees no SIGTERM
	c.signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(patience):
		c.t.Errorf("the controller does not end within %s of SIGTERM", patience)
		c.kill()
	}
}

// kill is kill -9.
func (c *controller) kill() {
	c.expectKill = true
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Errorf("SIGKILL: %v", err)
	}
	<-c.done
}

// running fails the test if the controller has ended by itself.
func (c *controller) running() {
	c.t.Helper()
	select {
	case <-c.done:
		c.t.Fatalf("the controller has ended: %v", c.ended)
	default:
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := controlplane.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
