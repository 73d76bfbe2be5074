//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mini-hpa/mini-hpa/test/controlplane/internal/filelock"
)

// state is what is known of a background control plane:
//
//	DIR/up.lock           held by whoever starts it
//	DIR/serve.lock        held by the running one for all its life: a pid alone could be anybody's
//	DIR/pid               of the running one
//	DIR/controlplane.log  what it says
//	DIR/cluster/          the cluster itself
type state struct{ dir string }

func (s state) file(name string) string { return filepath.Join(s.dir, name) }
func (s state) cluster() string         { return s.file("cluster") }
func (s state) kubeconfig() string      { return filepath.Join(s.cluster(), "kubeconfig") }
func (s state) log() string             { return s.file("controlplane.log") }

// openState makes the directory; the path becomes absolute because it is printed for other shells.
func openState(dir string) (state, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return state{}, fmt.Errorf("find the directory %s: %w", quote(dir), err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return state{}, fmt.Errorf("make the directory of the control plane: %w", err)
	}
	return state{dir: dir}, nil
}

// exclusive waits for another start of the same control plane and keeps later ones waiting until the function it returns is called.
func (s state) exclusive(ctx context.Context, a *app) (func(), error) {
	lock, err := filelock.Acquire(ctx, s.file("up.lock"), func() { a.say("waiting for another `controlplane up`") })
	if err != nil {
		return nil, err
	}
	return func() { _ = lock.Release() }, nil
}

// serving takes the lock of the running control plane.
func (s state) serving() (*filelock.Lock, error) { return filelock.Try(s.file("serve.lock")) }

func (s state) running() (bool, error) {
	lock, err := s.serving()
	if errors.Is(err, filelock.ErrHeld) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, lock.Release()
}

func (s state) pid() (int, error) {
	content, err := os.ReadFile(s.file("pid"))
	if err != nil {
		return 0, fmt.Errorf("read the process id: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("read the process id: %s holds %s", s.file("pid"), quote(string(content)))
	}
	return pid, nil
}

// clear removes what a control plane leaves, but not its log.
func (s state) clear() error {
	return errors.Join(os.RemoveAll(s.cluster()), os.RemoveAll(s.file("pid")))
}
