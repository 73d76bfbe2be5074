//go:build !linux

package activator

import "net"

// watchGone does nothing where the kernel is not Linux: a client that goes away keeps its place until the end of the hold.
func watchGone(*net.TCPConn, bool, func()) (stop func()) { return func() {} }
