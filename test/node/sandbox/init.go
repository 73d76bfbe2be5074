//go:build linux

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// initialize is process 1: it prepares the namespaces, starts the worker and waits for it and for all orphans. When it returns, the
// kernel ends every other process of the sandbox.
func initialize(dir string) int {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	if err := prepare(dir); err != nil {
		complain(fmt.Errorf("prepare the sandbox: %w", err))
		return 1
	}
	worker, err := os.StartProcess(itself, os.Args, &os.ProcAttr{
		Env: environ(roleWorker, dir), Files: []*os.File{nil, os.Stdout, os.Stderr},
	})
	if err != nil {
		complain(fmt.Errorf("start the sandbox's worker: %w", err))
		return 1
	}
	go func() {
		for s := range asked {
			_ = worker.Signal(s)
		}
	}()
	return reap(worker.Pid)
}

func prepare(dir string) error {
	if err := mountAll(); err != nil {
		return err
	}
	if err := syscall.Sethostname([]byte("node")); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	if err := connect(); err != nil {
		return err
	}
	return makeCgroups(dir)
}

// reap waits for children until the worker is one of them, and returns its exit code.
func reap(worker int) int {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			complain(fmt.Errorf("wait for the sandbox's processes: %w", err))
			return 1
		case pid == worker && (status.Exited() || status.Signaled()):
			return code(status)
		}
	}
}
