package activator

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
)

// streams passes on connections of which nothing is known but that they are bytes.
type streams struct {
	// ctx ends when those that are left have to end.
	ctx context.Context
}

// serve holds a connection until a pod has accepted it, and is there until both have ended it. What was read of it before goes first: its client does
// not end its half before the answer, because it is of HTTP/2.
func (s *streams) serve(p *port, c *net.TCPConn, read []byte) {
	t, err := p.enter()
	if err != nil {
		reset(c)
		return
	}
	pod, err := s.connect(t, c, read == nil)
	if err != nil {
		t.leave(err)
		reset(c)
		return
	}
	defer t.leave(nil)
	end := context.AfterFunc(s.ctx, func() {
		reset(c)
		reset(pod)
	})
	defer end()
	if _, err := pod.Write(read); err != nil {
		t.fail()
		reset(c)
		reset(pod)
		return
	}
	join(c, pod)
}

func (s *streams) connect(t *ticket, c *net.TCPConn, mayFinish bool) (pod *net.TCPConn, err error) {
	h := newHold(s.ctx, t, t.port.current().serves.Hold.Duration, c, mayFinish)
	defer h.end()
	err = h.reach(h.ctx, func(ctx context.Context, address netip.AddrPort) (err error) {
		if pod, err = dial(ctx, address.String()); err == nil {
			h.pass()
			t.answers()
		}
		return err
	})
	return pod, err
}

// join copies both ways until both ends have ended, each for itself. An end that was cut off cuts off the other.
func join(a, b *net.TCPConn) {
	var copying sync.WaitGroup
	copying.Go(func() { transfer(a, b) })
	transfer(b, a)
	copying.Wait()
	_ = errors.Join(a.Close(), b.Close()) // there is nothing left to be lost
}

// transfer copies one way, within the kernel where it can (splice).
func transfer(to, from *net.TCPConn) {
	_, err := io.Copy(to, from)
	if err == nil {
		err = to.CloseWrite()
	}
	if err != nil {
		reset(to)
		reset(from)
	}
}

// reset ends a connection such that its other end sees that it is broken.
func reset(c *net.TCPConn) {
	_ = errors.Join(c.SetLinger(0), c.Close()) // an error is one of a connection that is closed
}
