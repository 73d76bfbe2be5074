package e2e

import "syscall"

// dieWithParent ends a controller with the tests, however they end.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
