//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/prometheus/procfs"

	"github.com/mini-hpa/mini-hpa/test/child"
)

// process is a contender that runs.
type process struct{ *child.Process }

// launch starts a program whose output goes to a file. It ends with this process.
func launch(program string, args []string, log string) (*process, error) {
	p, err := child.Start("the contender", exec.CommandContext(context.Background(), program, args...), log) // ended by stop or kill
	return &process{p}, err
}

// stop ends it as a kubelet would.
func (p *process) stop() error {
	if !p.Stop(time.Minute) {
		return errors.New("it does not end within a minute of SIGTERM")
	}
	var exit *exec.ExitError
	if err := p.Result(); !errors.As(err, &exit) { // kube-controller-manager ends with status 1
		return err
	}
	return nil
}

// rss is what the process holds now, and peak the most that it held, in bytes.
func (p *process) rss() (int64, error) {
	return statusOf(p.PID(), func(s procfs.ProcStatus) uint64 { return s.VmRSS })
}
func (p *process) peak() (int64, error) {
	return statusOf(p.PID(), func(s procfs.ProcStatus) uint64 { return s.VmHWM })
}

// forgetPeak lets the peak begin at what there is now (proc_pid_clear_refs(5)).
func (p *process) forgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.PID()), []byte("5"), 0)
}

func statusOf(pid int, amount func(procfs.ProcStatus) uint64) (int64, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	status, err := p.NewStatus()
	return int64(amount(status)), err
}

// cpuOf is the CPU time that a process has used, in seconds.
func cpuOf(pid int) (float64, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	stat, err := p.Stat()
	return stat.CPUTime(), err
}
