//go:build linux

package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// patience bounds every wait for a component on a busy machine; an idle one needs seconds.
	patience = 3 * time.Minute
	// interval is how often a component is asked.
	interval = 200 * time.Millisecond
	// endOfLog is how much of a component's log an error carries, in lines.
	endOfLog = 15
)

// process is a program of the node.
type process struct {
	name, log string
	cmd       *exec.Cmd
	ended     chan struct{} // closed when it has ended, which it should not
	result    error         // how; read only after ended
}

// spawn starts a program, its output going to DIR/logs. It lives as long as the sandbox.
func (m *Machine) spawn(program string, args ...string) (*process, error) {
	name := filepath.Base(program)
	p := &process{name: name, log: filepath.Join(m.dir, "logs", name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer log.Close() // the child has its own descriptor
	cmd := exec.CommandContext(context.Background(), program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = m.dir, log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.cmd = cmd
	go func() {
		p.result = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// await asks until the answer is yes (nil), the process ends or patience does. The error carries the end of the process's log.
func (p *process) await(ctx context.Context, what string, ready func(ctx context.Context) error) error {
	err := poll(ctx, p.ended, ready)
	if err == nil {
		return nil
	}
	select {
	case <-p.ended:
		err = fmt.Errorf("%s ended by itself (%w)", p.name, p.result)
	default:
	}
	return fmt.Errorf("wait for %s: %w\nThe end of %s:\n%s", what, err, p.log, Tail(p.log))
}

var errEnded = errors.New("its process has ended")

// poll asks until the answer is yes, ended is closed, or patience ends.
func poll(ctx context.Context, ended <-chan struct{}, ready func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		answer := ready(ctx)
		if answer == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; the last answer was: %w", context.Cause(ctx), answer)
		case <-ended:
			return errEnded
		case <-tick.C:
		}
	}
}

// Tail is the end of a log; where it cannot be read, why.
func Tail(log string) string {
	content, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(content), "")), "\n")
	return strings.Join(all[max(0, len(all)-endOfLog):], "\n")
}

// run runs a program to its end; the error carries what it said.
func run(ctx context.Context, program string, args ...string) error {
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
