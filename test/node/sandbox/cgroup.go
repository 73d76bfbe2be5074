//go:build linux

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mini-hpa/mini-hpa/test/await"
)

const cgroupRoot = "/sys/fs/cgroup"

// Cgroup is the path, below the root of every hierarchy, of the cgroups that belong to the sandbox in dir.
func Cgroup(dir string) string { return "/" + filepath.Base(dir) }

// hierarchies are the mounted hierarchies: the one of version 2, or those of version 1.
func hierarchies() []string {
	if unified() {
		return []string{cgroupRoot}
	}
	found := []string{}
	dirs, _ := filepath.Glob(filepath.Join(cgroupRoot, "*"))
	for _, dir := range dirs {
		// Links such as cpuacct -> cpu,cpuacct name a hierarchy twice.
		if info, err := os.Lstat(dir); err == nil && info.IsDir() {
			found = append(found, dir)
		}
	}
	return found
}

func unified() bool {
	_, err := os.Stat(filepath.Join(cgroupRoot, enabledFile))
	return err == nil
}

// makeCgroups makes the sandbox's cgroup in every hierarchy.
func makeCgroups(dir string) error {
	for _, hierarchy := range hierarchies() {
		path := filepath.Join(hierarchy, Cgroup(dir))
		if err := os.Mkdir(path, 0o755); err != nil {
			return fmt.Errorf("make a cgroup: %w", err)
		}
		if err := furnish(hierarchy, path, filepath.Join(dir, switchedFile)); err != nil {
			return fmt.Errorf("make the cgroup %s usable: %w", path, err)
		}
	}
	return nil
}

// furnish gives a new cgroup what its children need: CPUs and memory nodes in version 1, controllers in version 2.
func furnish(hierarchy, path, note string) error {
	if unified() {
		return delegate(hierarchy, path, note)
	}
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(hierarchy, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(path, name), value, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Removal has to wait for the kernel to forget the last processes.
const (
	removeTimeout  = 10 * time.Second
	removeInterval = 20 * time.Millisecond
)

// remove removes the sandbox's cgroups and its directory; what is not there is as good.
func remove(dir string) error {
	err := await.Within(context.Background(), removeTimeout, removeInterval, func(context.Context) error { return removeCgroups(dir) })
	if err != nil {
		return fmt.Errorf("remove the sandbox's cgroups: %w", err)
	}
	if unified() {
		restore(cgroupRoot, filepath.Join(dir, switchedFile))
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the sandbox's directory: %w", err)
	}
	return nil
}

func removeCgroups(dir string) error {
	var errs []error
	for _, hierarchy := range hierarchies() {
		errs = append(errs, removeTree(filepath.Join(hierarchy, Cgroup(dir))))
	}
	return errors.Join(errs...)
}

// removeTree removes a cgroup from the bottom up: its files cannot be removed, its directories only when they have no children.
func removeTree(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		if entry.IsDir() {
			errs = append(errs, removeTree(filepath.Join(path, entry.Name())))
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
