//go:build linux

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The files of the unified hierarchy remember here what was written last.
func TestDelegation(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		has, on             string
		root, cgroup, noted string // written to
		restored            string // written to the root at the end
	}{
		"all are off":                        {has: "cpuset cpu io memory hugetlb pids rdma misc", root: "+cpu +cpuset +memory +pids +hugetlb", cgroup: "+cpu +cpuset +memory +pids +hugetlb", noted: "cpu cpuset memory pids hugetlb", restored: "-hugetlb"},
		"only those that are off are turned": {has: "cpuset cpu io memory hugetlb pids", on: "cpu memory pids", root: "+cpuset +hugetlb", cgroup: "+cpu +cpuset +memory +pids +hugetlb", noted: "cpuset hugetlb", restored: "-hugetlb"},
		"the root has all on":                {has: "cpuset cpu memory pids", on: "cpuset cpu memory pids", root: "cpuset cpu memory pids", cgroup: "+cpu +cpuset +memory +pids", restored: "cpuset cpu memory pids"},
		"there are no huge pages":            {has: "cpuset cpu memory pids", on: "cpu", root: "+cpuset +memory +pids", cgroup: "+cpu +cpuset +memory +pids", noted: "cpuset memory pids", restored: "-pids"},
		"there is nothing to pass on":        {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, note := t.TempDir(), filepath.Join(t.TempDir(), switchedFile)
			cgroup := filepath.Join(root, "cgroup")
			mustDo(t, os.Mkdir(cgroup, 0o700), os.WriteFile(filepath.Join(root, enabledFile), []byte(tc.has+"\n"), 0o600),
				os.WriteFile(filepath.Join(root, delegatedFile), []byte(tc.on), 0o600), delegate(root, cgroup, note))
			got := []string{content(filepath.Join(root, delegatedFile)), content(filepath.Join(cgroup, delegatedFile)), content(note)}
			restore(root, note)
			got = append(got, content(filepath.Join(root, delegatedFile)))
			if diff := cmp.Diff([]string{tc.root, tc.cgroup, tc.noted, tc.restored}, got); diff != "" {
				t.Errorf("root, cgroup, note and root at the end (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARefusedDelegationLeavesNoNote(t *testing.T) {
	t.Parallel()
	root, note := t.TempDir(), filepath.Join(t.TempDir(), switchedFile)
	cgroup := filepath.Join(root, "cgroup")
	mustDo(t, os.Mkdir(cgroup, 0o700), os.WriteFile(filepath.Join(root, enabledFile), []byte("cpu\n"), 0o600))
	if err := delegate(root, cgroup, note); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a root that cannot be read: %v", err)
	}
	// A directory cannot be written to, just as a cgroup that has processes.
	mustDo(t, os.Mkdir(filepath.Join(cgroup, delegatedFile), 0o700), os.WriteFile(filepath.Join(root, delegatedFile), nil, 0o600))
	if err := delegate(root, cgroup, note); err == nil || content(note) != "cpu" {
		t.Errorf("a cgroup that refuses: %v, noted %q, so that the root is restored", err, content(note))
	}
	restore(root, note)
	if got := content(filepath.Join(root, delegatedFile)); got != "-cpu" {
		t.Errorf("the root got %q", got)
	}
}

// The kernel's own hierarchy is there in version 2, and beside version 1 with what that leaves: huge pages, say.
func TestTheKernelDelegates(t *testing.T) {
	root := cgroupRoot
	if !unified() {
		root = filepath.Join(cgroupRoot, "unified")
	}
	all, _, err := delegable(root)
	if err != nil || len(all) == 0 || os.Geteuid() != 0 {
		t.Skipf("there is no unified hierarchy with a controller to pass on, or we are not root: %v, %v", all, err)
	}
	before := content(filepath.Join(root, delegatedFile))
	one, two := kernelCgroup(t, root), kernelCgroup(t, root)
	notes := t.TempDir()
	for path, note := range map[string]string{one: "one", two: "two"} {
		if err := delegate(root, path, filepath.Join(notes, note)); err != nil {
			t.Skipf("the kernel does not let a cgroup have what it needs, which Missing tells: %v", err)
		}
		child := filepath.Join(path, "child")
		mustDo(t, os.Mkdir(child, 0o755))
		for _, controller := range all {
			if has, err := controllers(child, enabledFile); err != nil || !strings.Contains(" "+strings.Join(has, " ")+" ", " "+controller+" ") {
				t.Errorf("a child has %v, not %s: %v", has, controller, err)
			}
		}
	}
	// While another sandbox is there, it keeps what it has.
	mustDo(t, removeTree(one))
	for _, note := range []string{"one", "two"} {
		restore(root, filepath.Join(notes, note))
	}
	if has, err := controllers(two, enabledFile); err != nil || len(has) < len(all) {
		t.Errorf("the other one is left with %v: %v", has, err)
	}
	mustDo(t, removeTree(two))
	for _, note := range []string{"one", "two"} {
		restore(root, filepath.Join(notes, note))
	}
	if after := content(filepath.Join(root, delegatedFile)); after != before {
		t.Errorf("the root passed on %q, and now %q", before, after)
	}
}

func kernelCgroup(t *testing.T, root string) string {
	t.Helper()
	path, err := os.MkdirTemp(root, "mini-hpa-test-")
	mustDo(t, err)
	t.Cleanup(func() { mustDo(t, removeTree(path)) })
	return path
}

func TestTheProbeLeavesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may make cgroups")
	}
	_ = tryCgroups() // whether it can is the machine's affair
	pattern := fmt.Sprintf("%s%d-probe-*", dirPrefix, os.Getpid())
	for _, parent := range []string{os.TempDir(), cgroupRoot, filepath.Join(cgroupRoot, "*")} {
		if left, err := filepath.Glob(filepath.Join(parent, pattern)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

// content is that of a file; "" if there is none.
func content(path string) string {
	text, _ := os.ReadFile(path)
	return strings.TrimSpace(string(text))
}

func mustDo(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
