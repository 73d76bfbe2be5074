//go:build unix

package controlplane

import (
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/mini-hpa/mini-hpa/test/child"
)

// stopGrace is how long a component may take to end after SIGTERM.
const stopGrace = 5 * time.Second

// endOfAnswer is how much of an answer an error carries, in bytes.
const endOfAnswer = 2 << 10

// startProcess runs a program with an environment of its own, so that the user's proxies and settings change nothing.
func startProcess(name Component, program, dir string, args []string) (*child.Process, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH")}
	return child.Start(string(name), cmd, fmt.Sprintf("%s/%s.log", dir, name))
}
