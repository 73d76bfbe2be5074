//go:build unix

// Package child runs the programs that tests need: each writes into a log of its own, ends with the process that started it, and keeps
// no interrupt of the terminal, because its end is ours to order.
package child

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// endOfLog is how much of a log an error carries, in bytes.
const endOfLog = 2 << 10

// Process is a program that runs or has ended.
type Process struct {
	name, log string
	cmd       *exec.Cmd
	ended     chan struct{}
	result    error // read only after ended
	asked     atomic.Bool
}

// Start starts a program whose output is appended to the file log. The name is what errors call it. Of cmd.SysProcAttr only the Credential
// counts: the user as whom it runs.
func Start(name string, cmd *exec.Cmd, log string) (*Process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer file.Close() // the child has its own descriptor
	p := &Process{name: name, log: log, cmd: cmd, ended: make(chan struct{})}
	as := attributes()
	if cmd.SysProcAttr != nil {
		as.Credential = cmd.SysProcAttr.Credential
	}
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = file, file, as
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// run keeps the thread that starts the child until the child has ended: Linux kills it when that thread ends.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.result = p.cmd.Wait()
		close(p.ended)
	}
}

// PID is the process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the process has ended and was waited for.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Result is how it ended, as exec.Cmd.Wait says. It waits for the end.
func (p *Process) Result() error {
	<-p.ended
	return p.result
}

// Alive says whether it runs.
func (p *Process) Alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Stop asks it to end, as a kubelet does, and kills it after the grace period. It returns when it is gone, and says whether it
// went by itself.
func (p *Process) Stop(grace time.Duration) bool {
	p.asked.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.ended:
		return true
	case <-timer.C:
		p.Kill()
		return false
	}
}

// Kill ends it at once and returns when it is gone.
func (p *Process) Kill() {
	p.asked.Store(true)
	_ = p.cmd.Process.Kill() // fails only if it has ended
	<-p.ended
}

// Fallen is the error of a process that ended although nobody asked it to, with what it said last; nil otherwise.
func (p *Process) Fallen() error {
	if p.Alive() || p.asked.Load() {
		return nil
	}
	return &FallenError{text: fmt.Sprintf("%s ended by itself (%s), saying last:\n%s", p.name, p.cmd.ProcessState, p.Tail())}
}

// FallenError says that a process ended by itself, and what it said last.
type FallenError struct{ text string }

// Error is for the person who finds out why.
func (e *FallenError) Error() string { return e.text }

// Tail is the end of its log.
func (p *Process) Tail() string { return Tail(p.log) }

// Tail is the end of a log; where that cannot be read, why.
func Tail(log string) string {
	content, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	content = content[max(0, len(content)-endOfLog):]
	return strings.TrimSpace(strings.ToValidUTF8(string(content), ""))
}
