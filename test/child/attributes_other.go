//go:build unix && !linux

package child

import "syscall"

// attributes cannot end the child with its parent here; only Linux can.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
