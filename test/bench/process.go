//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/test/child"
)

// ticks is USER_HZ, in which Linux counts CPU time for everybody.
const ticks = 100

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

func (p *process) rss() (int64, error)  { return statusOf(p.PID(), "VmRSS:") }
func (p *process) peak() (int64, error) { return statusOf(p.PID(), "VmHWM:") }

// forgetPeak lets the peak begin at what there is now (proc_pid_clear_refs(5)).
func (p *process) forgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.PID()), []byte("5"), 0)
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
