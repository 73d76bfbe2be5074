//go:build linux

package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Files of the unified hierarchy (version 2), in each of its directories.
const (
	enabledFile   = "cgroup.controllers"
	delegatedFile = "cgroup.subtree_control"
)

// switchedFile, in the sandbox's directory, lists the controllers that were off below the root before it was made.
const switchedFile = "cgroup-controllers"

// needed are the controllers without which a kubelet does not start.
func needed() []string { return []string{"cpu", "cpuset", "memory", "pids"} }

// wantedIn2 are those that a kubelet misses in its own cgroup if the root has them (getSupportedUnifiedControllers in its container
// manager).
func wantedIn2() []string { return append(needed(), "hugetlb") }

// controllers are those that a file of the unified hierarchy lists.
func controllers(dir, name string) ([]string, error) {
	content, err := os.ReadFile(filepath.Join(dir, name))
	return strings.Fields(string(content)), err
}

// delegable are the controllers that a sandbox's cgroup can and has to have, and off those of them that the root does not pass on yet.
func delegable(root string) (all, off []string, err error) {
	has, hasErr := controllers(root, enabledFile)
	on, onErr := controllers(root, delegatedFile)
	for _, controller := range wantedIn2() {
		if slices.Contains(has, controller) {
			all = append(all, controller)
		}
	}
	off = slices.DeleteFunc(slices.Clone(all), func(c string) bool { return slices.Contains(on, c) })
	return all, off, errors.Join(hasErr, onErr)
}

// delegate has a cgroup pass on to its children what they need, for which the root has to pass it on first. A root that is the cgroup
// of a container refuses that while the container's own processes are in it. It notes in the file what it switches on at the root.
func delegate(root, path, note string) error {
	all, off, err := delegable(root)
	if err != nil {
		return err
	}
	if len(off) > 0 {
		if err := os.WriteFile(note, []byte(strings.Join(off, " ")), 0o600); err != nil {
			return err
		}
		if err := switchAll(root, "+", off); err != nil {
			return errors.Join(err, os.Remove(note))
		}
	}
	return switchAll(path, "+", all)
}

// switchAll switches controllers for the children of a cgroup on ("+") or off ("-"), all or none.
func switchAll(path, sign string, controllers []string) error {
	if len(controllers) == 0 {
		return nil
	}
	return os.WriteFile(filepath.Join(path, delegatedFile), []byte(sign+strings.Join(controllers, " "+sign)), 0o600)
}

// restore switches off at the root what the note says. It is a courtesy: the kernel refuses as long as the children of another cgroup, such as
// another sandbox's, have the controller too.
func restore(root, note string) {
	noted, err := os.ReadFile(note)
	if err != nil {
		return // nothing was switched
	}
	for _, controller := range strings.Fields(string(noted)) {
		_ = switchAll(root, "-", []string{controller})
	}
}

// tryCgroups makes cgroups as a sandbox does, and removes them.
func tryCgroups() error {
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-probe-", dirPrefix, os.Getpid()))
	if err != nil {
		return err
	}
	return errors.Join(makeCgroups(dir), remove(dir))
}

func controls(controller string) bool {
	if !unified() {
		_, err := os.Stat(filepath.Join(cgroupRoot, controller))
		return !errors.Is(err, fs.ErrNotExist)
	}
	has, _ := controllers(cgroupRoot, enabledFile) // if it cannot be read, nothing is controlled
	return slices.Contains(has, controller)
}
