//go:build unix

package controlplane

import "fmt"

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

// Program is the path of a program of the control plane's version, such as "kube-controller-manager", for who runs another one.
func (c *Cluster) Program(component Component) (string, error) {
	path, known := c.files[string(component)]
	if !known {
		return "", fmt.Errorf("there is no program %q", component)
	}
	return path, nil
}
