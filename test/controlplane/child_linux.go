package controlplane

import "syscall"

// childAttributes put the child into a process group of its own and let the kernel kill it when the thread that starts it ends.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
