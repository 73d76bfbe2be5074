//go:build unix

package controlplane

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

// stopGrace is how long a component may take to end after SIGTERM.
const stopGrace = 5 * time.Second

// endOfLog is how much of a dead component's log an error carries, in bytes.
const endOfLog = 2 << 10

// spawner starts every process from one thread that lives as long as it does: Linux sends a child its parent-death signal when
// the thread that started it ends, and the Go runtime ends threads as it likes.
type spawner struct {
	jobs chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func()), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *spawner) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	for job := range s.jobs {
		job()
	}
}

func (s *spawner) start(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	s.jobs <- func() { result <- cmd.Start() }
	return <-result
}

// close ends the thread; no process may be left.
func (s *spawner) close() {
	close(s.jobs)
	<-s.done
}

// process is a running or ended component.
type process struct {
	name   Component
	log    string // the file that holds its output
	cmd    *exec.Cmd
	ended  chan struct{} // closed once it has been waited for
	result error         // how it ended; read only after ended
	asked  atomic.Bool   // whether somebody wanted it to end
}

// startProcess runs a program with an environment of its own, so that the user's proxies and settings change nothing, and in a
// process group of its own, so that an interrupt at the terminal reaches only us: we end the components in order.
func (s *spawner) startProcess(name Component, program, dir string, args []string) (*process, error) {
	path := fmt.Sprintf("%s/%s.log", dir, name)
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer log.Close() // the child has its own descriptor
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = []string{"HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = childAttributes()
	if err := s.start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, log: path, cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.result = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop asks the process to end and insists after the grace period. It returns when the process is gone.
func (p *process) stop(grace time.Duration) {
	p.asked.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.kill()
	}
}

// kill ends the process at once and returns when it is gone.
func (p *process) kill() {
	p.asked.Store(true)
	_ = p.cmd.Process.Kill() // fails only if it has ended
	<-p.ended
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// fallen is the error of a process that ended although nobody asked it to; nil otherwise.
func (p *process) fallen() error {
	if p.alive() || p.asked.Load() {
		return nil
	}
	return &fallenError{component: p.name, state: p.cmd.ProcessState.String(), log: tail(p.log)}
}

// fallenError says that a component ended by itself and what it said last.
type fallenError struct {
	component  Component
	state, log string
}

// Error is for the person who finds out why.
func (e *fallenError) Error() string {
	return fmt.Sprintf("%s ended by itself (%s), saying last:\n%s", e.component, e.state, e.log)
}

func tail(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if cut := len(content) - endOfLog; cut > 0 {
		content = content[cut:]
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(content), ""))
}
