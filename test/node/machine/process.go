//go:build linux

package machine

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/test/await"
	"github.com/mini-hpa/mini-hpa/test/child"
)

const (
	// patience bounds every wait for a component on a busy machine; an idle one needs seconds.
	patience = 3 * time.Minute
	// interval is how often a component is asked.
	interval = 200 * time.Millisecond
)

// process is a program of the node.
type process struct {
	*child.Process
	log string
}

// spawn starts a program, its output going to DIR/logs. It lives as long as the sandbox.
func (m *Machine) spawn(program string, args ...string) (*process, error) {
	name := filepath.Base(program)
	log := filepath.Join(m.dir, "logs", name+".log")
	cmd := exec.CommandContext(context.Background(), program, args...)
	cmd.Dir = m.dir
	p, err := child.Start(name, cmd, log)
	return &process{p, log}, err
}

// await asks until the answer is yes (nil), the process ends or patience does. The error carries the end of the process's log.
func (p *process) await(ctx context.Context, what string, ready func(ctx context.Context) error) error {
	err := await.Within(ctx, patience, interval, func(ctx context.Context) error {
		answer := ready(ctx)
		if answer != nil && !p.Alive() {
			return await.Final(p.Fallen())
		}
		return answer
	})
	if err != nil && p.Alive() {
		err = fmt.Errorf("%w\nThe end of %s:\n%s", err, p.log, p.Tail())
	}
	if err != nil {
		return fmt.Errorf("wait for %s: %w", what, err)
	}
	return nil
}

// run runs a program to its end; the error carries what it said.
func run(ctx context.Context, program string, args ...string) error {
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
