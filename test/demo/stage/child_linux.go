package stage

import "syscall"

// childAttributes keep an interrupt at the terminal from the child, whose end is ours to order, and end it if we are killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
