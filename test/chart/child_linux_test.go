package chart

import "syscall"

// dieWithParent ends a program with the tests, however they end.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
