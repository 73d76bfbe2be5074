//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticks is USER_HZ, in which Linux counts CPU time for everybody.
const ticks = 100

// process is a contender that runs.
type process struct {
	cmd  *exec.Cmd
	done chan error
}

// launch starts a program whose output goes to a file. It ends with this process.
func launch(program string, args []string, log string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p := &process{cmd: exec.CommandContext(context.Background(), program, args...), done: make(chan error, 1)} // ended by stop or kill
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go p.run(started)
	return p, <-started
}

// run starts the process from a thread that stays until it has ended: Linux kills it when that thread ends.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	p.done <- p.cmd.Wait()
}

// stop ends it as a kubelet would.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-p.done:
		p.done <- err
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil // kube-controller-manager ends with status 1
		}
		return err
	case <-time.After(time.Minute):
		return errors.New("it does not end within a minute of SIGTERM")
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	err := <-p.done
	p.done <- err
}

func (p *process) rss() (int64, error)  { return statusOf(p.cmd.Process.Pid, "VmRSS:") }
func (p *process) peak() (int64, error) { return statusOf(p.cmd.Process.Pid, "VmHWM:") }

// forgetPeak lets the peak begin at what there is now (proc_pid_clear_refs(5)).
func (p *process) forgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0)
}

// statusOf is a field of /proc/PID/status in bytes.
func statusOf(pid int, field string) (int64, error) {
	return fieldOf(fmt.Sprintf("/proc/%d/status", pid), field)
}

// fieldOf is a field of a file like /proc/meminfo, in which amounts are in KiB, in bytes.
func fieldOf(path, field string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, field); found {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, field)
}

// cpuOf is the CPU time that a process has used, in seconds.
func cpuOf(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	return (user + system) / ticks, err
}
