//go:build unix && !linux

package chart

import "syscall"

// dieWithParent is only possible on Linux; elsewhere a controller outlives tests that are killed.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
