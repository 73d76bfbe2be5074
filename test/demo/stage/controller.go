package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	module = "github.com/mini-hpa/mini-hpa"
	// lease is the controller's default name of its Lease.
	lease = "mini-hpa"
	// grace is how long the controller may take to end, leadership is how long to begin.
	grace, leadership = 10 * time.Second, 30 * time.Second
)

// Root is the folder of the product's module: where it is built from.
func Root(ctx context.Context) (string, error) {
	out, err := output(exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module))
	if err != nil {
		return "", fmt.Errorf("could not find the module %s: %w", module, err)
	}
	return strings.TrimSpace(out), nil
}

// Build compiles the mini-hpa command into dir and returns its path.
func Build(ctx context.Context, root, dir string) (string, error) {
	program := filepath.Join(dir, "mini-hpa")
	command := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/mini-hpa")
	command.Dir = root
	if _, err := output(command); err != nil {
		return "", fmt.Errorf("could not build mini-hpa: %w", err)
	}
	return program, nil
}

// Controller is the running controller.
type Controller struct {
	command *exec.Cmd
	log     string
	ended   chan struct{}
	result  error // how it ended; read only after ended
	asked   bool
	// Broken yields an error if the controller ends before Close.
	Broken chan error
}

// Run starts the controller for the stage's namespace, its log going to a file, and returns when it leads.
func (s *Stage) Run(ctx context.Context, program, log string) (*Controller, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("could not make the controller's log: %w", err)
	}
	defer file.Close() // the child has its own descriptor
	c := &Controller{log: log, ended: make(chan struct{}), Broken: make(chan error, 1)}
	// The story's end must not kill it: Close asks it to end, and looks at how it does.
	c.command = exec.CommandContext(context.WithoutCancel(ctx), program, "controller", "--kubeconfig="+s.Kubeconfig, "--namespace="+s.Namespace,
		"--metrics-resolution="+s.Period.String(), "--leader-elect-resource-namespace="+s.Namespace,
		"--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0")
	c.command.Stdout, c.command.Stderr = file, file
	c.command.SysProcAttr = childAttributes()
	if err := c.start(); err != nil {
		return nil, fmt.Errorf("could not start the controller: %w", err)
	}
	if err := s.awaitLeader(ctx, c); err != nil {
		return nil, errors.Join(fmt.Errorf("the controller did not begin to lead: %w\n%s", err, c.Tail()), c.Close())
	}
	return c, nil
}

// start runs the child from a thread that lives as long as it does: Linux ends it with the thread that started it.
func (c *Controller) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.command.Start()
		started <- err
		if err != nil {
			return
		}
		c.result = c.command.Wait()
		c.Broken <- fmt.Errorf("the controller ended (%v), saying last:\n%s", c.command.ProcessState, c.Tail())
		close(c.ended)
	}()
	return <-started
}

// awaitLeader waits until somebody holds the controller's Lease.
func (s *Stage) awaitLeader(ctx context.Context, c *Controller) error {
	return wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, leadership, true, func(ctx context.Context) (bool, error) {
		select {
		case err := <-c.Broken:
			return false, err
		default:
		}
		found, err := s.Client.CoordinationV1().Leases(s.Namespace).Get(ctx, lease, metav1.GetOptions{})
		// Not there yet, or no answer: both mean to ask again.
		return err == nil && found.Spec.HolderIdentity != nil && *found.Spec.HolderIdentity != "", nil
	})
}

// Close asks the controller to end, insists after a while, and returns when it is gone. It fails if the controller did not end well,
// unless Broken has told that already.
func (c *Controller) Close() error {
	if err := c.stop(); err != nil {
		return err
	}
	select {
	case err := <-c.Broken:
		if c.result == nil && c.asked {
			return nil
		}
		return err
	default:
		return nil
	}
}

// stop returns when the process has been waited for.
func (c *Controller) stop() error {
	select {
	case <-c.ended:
		return nil
	default:
	}
	c.asked = true
	// It fails only for a process that has ended.
	_ = c.command.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.ended:
		return nil
	case <-timer.C:
		_ = c.command.Process.Kill()
		<-c.ended
		return fmt.Errorf("the controller did not end within %s after SIGTERM", grace)
	}
}

// Tail is the end of the controller's log.
func (c *Controller) Tail() string { return Tail(c.log) }

// Tail is the end of a log; where it can't be read, why.
func Tail(log string) string {
	const lines = 15
	content, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(content), "")), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// output runs a command; its error says what the command complained about.
func output(command *exec.Cmd) (string, error) {
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", command, err, strings.TrimSpace(complaints.String()))
	}
	return out.String(), nil
}
