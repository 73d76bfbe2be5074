//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// state is what is known of a node in the background:
//
//	DIR/lock        held by the running one for all its life: a pid alone could be anybody's
//	DIR/pid         of the running one
//	DIR/kubeconfig  appears when it is ready
//	DIR/node.log    what it says
type state struct{ dir string }

// newState makes the path absolute, because it is printed for other shells. "" is one place per user, so that a node is found again
// from anywhere.
func newState(dir string) (state, error) {
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return state{}, fmt.Errorf("find the user's cache directory: %w", err)
		}
		dir = filepath.Join(cache, "mini-hpa", "node")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return state{}, fmt.Errorf("find the directory %.64q: %w", dir, err)
	}
	return state{dir: dir}, nil
}

func (s state) make() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make the node's directory: %w", err)
	}
	return nil
}

func (s state) file(name string) string { return filepath.Join(s.dir, name) }
func (s state) kubeconfig() string      { return s.file("kubeconfig") }
func (s state) log() string             { return s.file("node.log") }

// lock is nil while another process holds it. The kernel releases it with its process; children do not inherit it.
func (s state) lock() (*os.File, error) {
	file, err := os.OpenFile(s.file("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the node's lock: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", s.file("lock"), err)
}

func (s state) running() (bool, error) {
	lock, err := s.lock()
	if lock == nil {
		return err == nil, err
	}
	return false, lock.Close()
}

func (s state) pid() (int, error) {
	content, err := os.ReadFile(s.file("pid"))
	if err != nil {
		return 0, fmt.Errorf("read the process id: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("read the process id: %s holds %.64q", s.file("pid"), content)
	}
	return pid, nil
}

// clear removes what a node leaves, but not its log.
func (s state) clear() error {
	return errors.Join(os.RemoveAll(s.kubeconfig()), os.RemoveAll(s.file("pid")))
}

// interval is how often a condition of the background process is looked at.
const interval = 100 * time.Millisecond

// await returns when the condition holds or ctx ends.
func await(ctx context.Context, condition func() (bool, error)) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if ok, err := condition(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
