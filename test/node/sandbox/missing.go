//go:build linux

package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Missing says what this machine lacks for a sandbox with containers, one sentence each; nothing if it lacks nothing.
func Missing() []string {
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, fmt.Sprintf("root: the user id is %d", os.Geteuid()))
	}
	missing = append(missing, missingPrograms()...)
	if _, err := PluginDir(); err != nil {
		missing = append(missing, err.Error())
	}
	missing = append(missing, missingControllers()...)
	if len(missing) > 0 {
		return missing // what follows would only repeat it in other words
	}
	return tryNamespaces()
}

func missingPrograms() []string {
	var missing []string
	for _, program := range []struct{ name, origin string }{
		{"containerd", "containerd"}, {"containerd-shim-runc-v2", "containerd"}, {"ctr", "containerd"}, {"runc", "runc"},
		{"ip", "iproute2"}, {"iptables", "iptables"}, {"iptables-restore", "iptables"}, {"mount", "mount"},
	} {
		if _, err := exec.LookPath(program.name); err != nil {
			missing = append(missing, fmt.Sprintf("%s: not in PATH (package %s)", program.name, program.origin))
		}
	}
	return missing
}

// PluginDir is the directory of the CNI plugins that pods are connected by.
func PluginDir() (string, error) {
	dirs := []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}
	for _, dir := range dirs {
		complete := true
		for _, plugin := range []string{"bridge", "host-local", "loopback"} {
			_, err := os.Stat(filepath.Join(dir, plugin))
			complete = complete && err == nil
		}
		if complete {
			return dir, nil
		}
	}
	return "", fmt.Errorf("CNI plugins bridge, host-local and loopback: not in any of %s (package containernetworking-plugins)", strings.Join(dirs, ", "))
}

// missingControllers looks for the cgroup controllers and tries to make cgroups that have them.
func missingControllers() []string {
	var missing []string
	for _, controller := range needed() {
		if !controls(controller) {
			missing = append(missing, fmt.Sprintf("cgroup controller %s: not below %s", controller, cgroupRoot))
		}
	}
	if len(missing) > 0 {
		return missing
	}
	if err := tryCgroups(); err != nil {
		return []string{fmt.Sprintf("the right to make cgroups with controllers: %v", err)}
	}
	return nil
}

// tryNamespaces does in short what a sandbox does.
func tryNamespaces() []string {
	for _, attempt := range []struct{ what, line string }{
		{"the right to make namespaces", "true"},
		{"the right to mount", "mount --make-rprivate / && mount -t proc none /proc"},
		{"bridges in the kernel", "ip link add " + bridge + " type bridge"},
		{"address translation by iptables", "iptables -t nat -L -n"},
	} {
		cmd := exec.CommandContext(context.Background(), "sh", "-c", attempt.line)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
		if out, err := cmd.CombinedOutput(); err != nil {
			return []string{fmt.Sprintf("%s: %s: %v: %s", attempt.what, attempt.line, err, strings.TrimSpace(string(out)))}
		}
	}
	return nil
}
