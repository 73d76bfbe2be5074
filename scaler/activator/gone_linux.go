package activator

import (
	"bytes"
	"net"

	"golang.org/x/sys/unix"
)

// canWatch says whether it can be seen here that a client goes away of which nothing is read.
const canWatch = true

// watch returns when a client has gone away (true), or when the read deadline of its connection has passed. It reads nothing of what the client has
// sent. Nobody else may read meanwhile.
//
// A client that says that it sends no more has gone, unless it mayFinish. Then it may have sent a whole request and wait for the answer, as with
// "printf ... | nc -N", or have gone all the same, and half is called. Even then one has gone that has sent nothing, or that has begun TLS or HTTP/2,
// where nobody ends like that before the answer.
func watch(c *net.TCPConn, mayFinish bool, half func()) (gone bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	_ = raw.Read(func(fd uintptr) bool { // which ends with an error when the deadline has passed
		gone = hasLeft(int(fd), mayFinish, half)
		return gone
	})
	return gone
}

// hasLeft asks the kernel about a connection. It is asked again whenever something has come.
func hasLeft(fd int, mayFinish bool, half func()) bool {
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	if n, err := unix.Poll(polled, 0); err != nil || n == 0 {
		return false
	}
	if polled[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 {
		return true
	}
	switch {
	case polled[0].Revents&unix.POLLRDHUP == 0:
		return false
	case mayFinish && finishes(fd):
		half()
		return false
	}
	return true
}

// finishes says whether what was sent may be a whole request.
func finishes(fd int) bool {
	const http2, handshake = "PRI * HTTP/2", "\x16\x03"
	var sent [len(http2)]byte
	n, _, err := unix.Recvfrom(fd, sent[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == nil && n > 0 && !bytes.HasPrefix(sent[:n], []byte(handshake)) && string(sent[:n]) != http2
}
