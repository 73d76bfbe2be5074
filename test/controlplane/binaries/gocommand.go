//go:build unix

package binaries

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// endOfOutput is how much of a failed command's output an error carries, in bytes: the compiler's first complaint is usually
// within the last screen.
const endOfOutput = 4 << 10

// interruptGrace is how long an interrupted go command may take to end its compilers.
const interruptGrace = 10 * time.Second

// goCommand runs the go command in a directory, with the same settings whatever the user's environment says, so that everybody
// fills and finds the same cache.
type goCommand struct {
	dir string
	bin string // where it installs; "" = nowhere
}

// output is what the go command prints, without the space around it.
func (g goCommand) output(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = g.dir
	cmd.Env = g.environ()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptGrace
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", explain(ctx, args[0], stderr.String(), err)
	}
	return strings.TrimSpace(stdout.String()), nil
}

func (g goCommand) environ() []string {
	env := os.Environ()
	if g.dir != "" { // a pin: not part of any workspace, built for this machine
		env = append(env, "PWD="+g.dir, "GOWORK=off", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	}
	if g.bin != "" {
		env = append(env, "GOBIN="+g.bin)
	}
	return env
}

func explain(ctx context.Context, command, stderr string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("go %s was interrupted: %w", command, context.Cause(ctx))
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("go %s: the go command is not in PATH: %w", command, err)
	}
	stderr = strings.TrimSpace(stderr)
	if cut := len(stderr) - endOfOutput; cut > 0 {
		stderr = "..." + strings.ToValidUTF8(stderr[cut:], "")
	}
	return fmt.Errorf("go %s: %w\n%s", command, err, stderr)
}
