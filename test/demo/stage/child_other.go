//go:build unix && !linux

package stage

import "syscall"

// childAttributes keep an interrupt at the terminal from the child, whose end is ours to order.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
