//go:build unix

// Package filelock is a lock between processes that the kernel releases when its holder dies.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// ErrHeld says that another process, or another part of this one, holds the lock.
var ErrHeld = errors.New("the lock is held")

// retryInterval is how often Acquire looks again: flock(2) cannot be interrupted by a context.
const retryInterval = 50 * time.Millisecond

// Lock is a lock that is held until Release or until the process ends. Child processes do not inherit it.
type Lock struct{ file *os.File }

// Try takes the lock of the file at path, which is created where it is missing. The error is ErrHeld while another holder lives.
func Try(path string) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return &Lock{file: file}, nil
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrHeld
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// Acquire is Try that waits for the present holder; it calls waiting once if there is one. It gives up when ctx ends.
func Acquire(ctx context.Context, path string, waiting func()) (*Lock, error) {
	lock, err := Try(path)
	if !errors.Is(err, ErrHeld) {
		return lock, err
	}
	waiting()
	tick := time.NewTicker(retryInterval)
	defer tick.Stop()
	for errors.Is(err, ErrHeld) {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the lock %s: %w", path, context.Cause(ctx))
		case <-tick.C:
			lock, err = Try(path)
		}
	}
	return lock, err
}

// Release gives the lock up. The file stays: removing it would let two holders lock two files of one name.
func (l *Lock) Release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("release lock: %w", err)
	}
	return nil
}
