//go:build linux

package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/await"
)

// The worker plays what the first argument says.
func TestMain(m *testing.M) {
	Play(play)
	os.Exit(m.Run())
}

func play(ctx context.Context, dir string, args []string) error {
	switch args[0] {
	case "look":
		return look(dir)
	case "fail":
		return errors.New("as it was told")
	case "orphan":
		// The shell ends before its child, which then belongs to process 1.
		return exec.CommandContext(ctx, "sh", "-c", "sleep 0.1 & exit 0").Run()
	case "stay":
		if err := stay(dir); err != nil {
			return err
		}
		<-ctx.Done()
	}
	return nil
}

func look(dir string) error {
	host, _ := os.Hostname()
	routes, err := exec.Command("ip", "-brief", "address").CombinedOutput()
	settings, _ := os.ReadFile("/proc/sys/kernel/panic")
	processes, _ := filepath.Glob("/proc/[0-9]*")
	fmt.Fprintf(os.Stdout, "host %s, dir %t, parent %d, panic %s", host, strings.Contains(dir, dirPrefix), os.Getppid(), settings)
	fmt.Fprintf(os.Stdout, "%d processes\n%s", len(processes), routes)
	return err
}

// stay leaves a process, a mount, a nested cgroup and a file, and says so.
func stay(dir string) error {
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		return err
	}
	for _, hierarchy := range hierarchies() {
		if err := os.MkdirAll(filepath.Join(hierarchy, Cgroup(dir), "deep", "deeper"), 0o755); err != nil {
			return err
		}
	}
	procs := filepath.Join(hierarchies()[0], Cgroup(dir), "cgroup.procs")
	if !unified() { // a cgroup that delegates may hold no process in version 2
		if err := os.WriteFile(procs, fmt.Appendf(nil, "%d", child.Process.Pid), 0o600); err != nil {
			return err
		}
	}
	return errors.Join(
		os.Mkdir(filepath.Join(dir, "mount"), 0o755),
		syscall.Mount("tmpfs", filepath.Join(dir, "mount"), "tmpfs", 0, ""),
		os.WriteFile(filepath.Join(dir, "staying"), nil, 0o600),
	)
}

func need(t *testing.T) {
	t.Helper()
	if missing := Missing(); len(missing) > 0 {
		if os.Getenv("MINI_HPA_NODE") == "required" {
			t.Fatalf("this machine cannot run a sandbox: %s", strings.Join(missing, "; "))
		}
		t.Skipf("this machine cannot run a sandbox: %s", strings.Join(missing, "; "))
	}
}

func makeDir(t *testing.T) string {
	t.Helper()
	dir, err := MakeDir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// assertGone looks for whatever a sandbox may leave outside.
func assertGone(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
	for _, hierarchy := range hierarchies() {
		if _, err := os.Stat(filepath.Join(hierarchy, Cgroup(dir))); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a cgroup in %s: %v", hierarchy, err)
		}
	}
	if owned()[dir] {
		t.Error("a process lives on")
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || bytes.Contains(mounts, []byte(dir)) {
		t.Errorf("a mount is left: %v\n%s", err, mounts)
	}
}

func TestTheWorkerIsAlone(t *testing.T) {
	need(t)
	before, _ := os.ReadFile("/proc/sys/kernel/panic")
	dir := makeDir(t)
	var out, errs bytes.Buffer
	if err := Run(t.Context(), Config{Dir: dir, Args: []string{"look"}, Out: &out, Err: &errs}); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	for _, want := range []string{"host node, dir true, parent 1, panic 10\n2 processes\n", "lo ", "br0 ", Subnet} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "eth0") {
		t.Errorf("the machine's network is there:\n%s", out.String())
	}
	if after, _ := os.ReadFile("/proc/sys/kernel/panic"); !bytes.Equal(before, after) {
		t.Errorf("the machine's setting changed from %s to %s", before, after)
	}
	assertGone(t, dir)
}

func TestAFailureIsTheCallers(t *testing.T) {
	need(t)
	dir := makeDir(t)
	var errs bytes.Buffer
	err := Run(t.Context(), Config{Dir: dir, Args: []string{"fail"}, Err: &errs})
	if err == nil || !strings.Contains(err.Error(), "exit status 1") || errs.String() != "node: as it was told\n" {
		t.Errorf("got %v, said %q", err, errs.String())
	}
	assertGone(t, dir)
}

func TestOrphansDoNotEndTheSandbox(t *testing.T) {
	need(t)
	dir := makeDir(t)
	if err := Run(t.Context(), Config{Dir: dir, Args: []string{"orphan"}}); err != nil {
		t.Error(err)
	}
	assertGone(t, dir)
}

func TestTheEndOfTheContextEndsAll(t *testing.T) {
	need(t)
	dir := makeDir(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	go func() {
		awaitFile(t, filepath.Join(dir, "staying"))
		cancel(enough)
	}()
	if err := Run(ctx, Config{Dir: dir, Args: []string{"stay"}}); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	assertGone(t, dir)
}

// Each of the processes outside may be killed; the caller here is a copy of the test.
func TestNothingIsLeftWhateverIsKilled(t *testing.T) {
	need(t)
	for name, victim := range map[string]func(caller *os.Process, dir string) error{
		"the caller": func(caller *os.Process, _ string) error { return caller.Kill() },
		"the keeper": func(_ *os.Process, dir string) error { return kill(dir, roleKeeper) },
		"init":       func(_ *os.Process, dir string) error { return kill(dir, roleInit) },
		"the worker": func(_ *os.Process, dir string) error { return kill(dir, roleWorker) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := makeDir(t)
			caller := exec.Command(os.Args[0], "-test.run=^TestHelperCaller$")
			caller.Env = append(os.Environ(), "SANDBOX_TEST_DIR="+dir)
			if err := caller.Start(); err != nil {
				t.Fatal(err)
			}
			awaitFile(t, filepath.Join(dir, "staying"))
			if err := victim(caller.Process, dir); err != nil {
				t.Fatal(err)
			}
			_ = caller.Wait()
			eventually(t, "the end of the directory", func() bool { _, err := os.Stat(dir); return errors.Is(err, os.ErrNotExist) })
			eventually(t, "the end of the processes", func() bool { return !owned()[dir] })
			assertGone(t, dir)
		})
	}
}

func TestHelperCaller(t *testing.T) {
	dir := os.Getenv("SANDBOX_TEST_DIR")
	if dir == "" {
		return
	}
	_ = Run(t.Context(), Config{Dir: dir, Args: []string{"stay"}})
}

func TestHiddenPlacesAreRefused(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/var/lib/somebody")
	t.Setenv("TMPDIR", t.TempDir())
	if _, err := MakeDir(); err == nil || !strings.Contains(err.Error(), "XDG_CACHE_HOME) is /var/lib/somebody, which the sandbox hides") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(os.TempDir()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMissingNamesEveryProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	missing := strings.Join(Missing(), "\n")
	for _, want := range []string{"containerd: not in PATH (package containerd)", "runc: not in PATH", "ip: not in PATH (package iproute2)"} {
		if !strings.Contains(missing, want) {
			t.Errorf("no %q in\n%s", want, missing)
		}
	}
}

// Both killed at once leave what the next sandbox removes.
func TestTheNextOneSweeps(t *testing.T) {
	need(t)
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	left := filepath.Join(base, fmt.Sprintf("%s%d-1", dirPrefix, ended.Process.Pid))
	mine := filepath.Join(base, fmt.Sprintf("%s%d-1", dirPrefix, os.Getpid()))
	strange := filepath.Join(base, dirPrefix+"of-somebody")
	for _, dir := range []string{left, mine, strange} {
		if err := errors.Join(os.Mkdir(dir, 0o755), makeCgroups(dir)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = remove(dir) })
	}
	sweep(base)
	assertGone(t, left)
	for _, dir := range []string{mine, strange} {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
}

// kill ends the process of a role of the sandbox in dir.
func kill(dir, role string) error {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		content, _ := os.ReadFile(file)
		env := string(content)
		if strings.Contains(env, dirVariable+"="+dir+"\x00") && strings.Contains(env, roleVariable+"="+role+"\x00") {
			var pid int
			if _, err := fmt.Sscanf(file, "/proc/%d/environ", &pid); err != nil {
				return err
			}
			if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); strings.HasPrefix(string(name), "sleep") {
				continue
			}
			return syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return fmt.Errorf("there is no %s", role)
}

func awaitFile(t *testing.T, path string) {
	eventually(t, path, func() bool { _, err := os.Stat(path); return err == nil })
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	err := await.Within(t.Context(), time.Minute, 10*time.Millisecond, func(context.Context) error {
		if !done() {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		t.Errorf("waited in vain for %s: %v", what, err)
	}
}
