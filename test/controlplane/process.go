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

// startProcess runs a program with an environment of its own, so that the user's proxies and settings change nothing.
func startProcess(name Component, program, dir string, args []string) (*child.Process, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH")}
	return child.Start(string(name), cmd, fmt.Sprintf("%s/%s.log", dir, name))
}

// PID is the process id of a running component, for whoever measures what it uses. The error says that it is not running.
func (c *Cluster) PID(component Component) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.processes[component]
	if p == nil {
		return 0, c.notRunning(component)
	}
	return p.PID(), nil
}

// Program is the path of a component's program, for whoever runs another one of it. The error says that there is none.
func (c *Cluster) Program(component Component) (string, error) {
	path, known := c.files[string(component)]
	if !known {
		return "", fmt.Errorf("there is no program %q", component)
	}
	return path, nil
}
