//go:build linux

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// itself is the running program, whatever has become of its file.
const itself = "/proc/self/exe"

// Play must be the first call of the program: in a copy that Run has started it plays the copy's role and ends the process; in
// the program as the user started it, it returns at once.
func Play(work Worker) {
	dir := os.Getenv(dirVariable)
	switch os.Getenv(roleVariable) {
	case roleKeeper:
		os.Exit(keep(dir))
	case roleInit:
		os.Exit(initialize(dir))
	case roleWorker:
		os.Exit(labor(dir, work))
	}
}

func complain(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
	}
}

// keep starts init in new namespaces, ends it when the leash is cut, and removes what is left. It returns init's exit code.
func keep(dir string) int {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	runtime.LockOSThread() // the parent-death signal comes at the end of the thread that started the child
	child := exec.CommandContext(context.Background(), itself, os.Args[1:]...)
	child.Env = environ(roleInit, dir)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := child.Start(); err != nil {
		complain(errors.Join(fmt.Errorf("start the sandbox's first process: %w", err), remove(dir)))
		return 1
	}
	go leash(child.Process)
	_ = child.Wait() // its exit code tells
	if err := remove(dir); err != nil {
		complain(err)
		return 1
	}
	return code(child.ProcessState.Sys())
}

// leash waits for the end of the caller or of its patience.
func leash(child *os.Process) {
	var nothing [1]byte
	_, _ = os.Stdin.Read(nothing[:]) // nobody writes: it returns when the other end is closed
	_ = child.Signal(syscall.SIGTERM)
	time.AfterFunc(Grace, func() { _ = child.Kill() })
}

// labor does the program's work.
func labor(dir string, work Worker) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := work(ctx, dir, os.Args[1:])
	if ctx.Err() != nil {
		return 1 // the caller knows why
	}
	complain(err)
	if err != nil {
		return 1
	}
	return 0
}

// code is a process's exit code as a shell tells it.
func code(state any) int {
	status, ok := state.(syscall.WaitStatus)
	switch {
	case !ok:
		return 1
	case status.Signaled():
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
