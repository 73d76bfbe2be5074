//go:build unix

package controlplane

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mini-hpa/mini-hpa/test/filelock"
)

const (
	tempPrefix = "mini-hpa-controlplane-"
	dirLock    = "lock"
	minimumAge = time.Minute // a younger directory may not be locked yet
	dirPerms   = 0o700       // there are private keys inside
)

// home is the directory of a cluster, locked while the cluster lives.
type home struct {
	path      string
	lock      *filelock.Lock
	temporary bool
}

// openHome makes the directory, or a temporary one for "".
func openHome(path string) (*home, error) {
	if path == "" {
		return openTemporary(os.TempDir())
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the cluster's directory: %w", err)
	}
	if err := os.MkdirAll(path, dirPerms); err != nil {
		return nil, fmt.Errorf("make the cluster's directory: %w", err)
	}
	if left, _ := filepath.Glob(filepath.Join(path, "*")); len(left) > 0 {
		return nil, fmt.Errorf("the directory %s of a new cluster must be empty, but it has %s", path, filepath.Base(left[0]))
	}
	return lockHome(&home{path: path})
}

// openTemporary also removes what killed processes left: each cluster's etcd alone takes 64 MiB.
func openTemporary(base string) (*home, error) {
	sweep(base)
	path, err := os.MkdirTemp(base, tempPrefix)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's directory: %w", err)
	}
	return lockHome(&home{path: path, temporary: true})
}

func lockHome(h *home) (*home, error) {
	lock, err := filelock.Try(filepath.Join(h.path, dirLock))
	if err != nil {
		return nil, fmt.Errorf("lock the cluster's directory: %w", err)
	}
	h.lock = lock
	return h, nil
}

// close unlocks the directory and removes it if it was temporary.
func (h *home) close() error {
	if h.temporary {
		if err := os.RemoveAll(h.path); err != nil {
			return fmt.Errorf("remove the cluster's directory: %w", err)
		}
	}
	return h.lock.Release()
}

// sweep removes the temporary directories that nobody holds. It is a courtesy: what it cannot remove stays.
func sweep(base string) {
	locks, _ := filepath.Glob(filepath.Join(base, tempPrefix+"*", dirLock))
	for _, path := range locks {
		info, err := os.Stat(path)
		if err != nil || time.Since(info.ModTime()) < minimumAge {
			continue
		}
		if lock, err := filelock.Try(path); err == nil {
			_ = os.RemoveAll(filepath.Dir(path))
			_ = lock.Release()
		}
	}
}
