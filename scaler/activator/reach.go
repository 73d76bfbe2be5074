package activator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// firstPause is how long is waited after a pod could not be reached; each pause is 1.4 times the one before, up to longestPause. A pod
	// that is ready may refuse for a moment: its readiness was probed at another port, or data planes are late.
	firstPause, longestPause = 50 * time.Millisecond, time.Second
	// dialTimeout is how long one pod is tried, if it answers nothing at all, before it is another's turn.
	dialTimeout = 2 * time.Second
)

// unreachable is why a pod has not accepted a connection. Nothing was sent.
type unreachable struct{ error }

// Unwrap is errors'.
func (u *unreachable) Unwrap() error { return u.error }

// dial connects to a pod.
func dial(ctx context.Context, address string) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, &unreachable{err}
	}
	tcp, ok := connection.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a connection to %s is a %T", address, connection), connection.Close())
	}
	return tcp, nil
}

// hold is a ticket's time to wait: as long as the Service says, and no longer than the client is there.
type hold struct {
	ticket    *ticket
	ctx       context.Context
	cancel    context.CancelCauseFunc
	longest   time.Duration
	timer     *time.Timer
	client    *net.TCPConn // is watched; nil if somebody else does
	mayFinish bool
}

// newHold begins a hold. The connection is watched while it waits, as watch says, unless it is nil.
func newHold(parent context.Context, t *ticket, longest time.Duration, c *net.TCPConn, mayFinish bool) *hold {
	h := &hold{ticket: t, longest: longest, client: c, mayFinish: mayFinish}
	h.ctx, h.cancel = context.WithCancelCause(parent)
	h.timer = time.AfterFunc(longest, func() { h.cancel(errTooLong) })
	return h
}

// wait waits for a ready pod. Whoever waits watches the client at the same time, instead of somebody else: ten thousand who wait are ten thousand
// goroutines, not twice as many.
func (h *hold) wait() (netip.AddrPort, error) {
	if h.client == nil || !canWatch {
		return h.ticket.wait(h.ctx)
	}
	w := watching{client: h.client}
	defer w.end()
	defer context.AfterFunc(h.ctx, w.interrupt)()
	h.ticket.onCall(w.interrupt, func() { h.cancel(errFull) })
	defer h.ticket.onCall(nil, nil)
	for !h.ticket.isCalled() && h.ctx.Err() == nil {
		if watch(h.client, h.mayFinish, h.ticket.halve) {
			h.cancel(errGone)
		}
	}
	return h.ticket.wait(h.ctx)
}

// watching is the time in which a client is watched. A read deadline in the past is all that ends a watch; it must not be there when somebody reads.
type watching struct {
	client *net.TCPConn
	mu     sync.Mutex
	over   bool
}

// interrupt ends the watch that is under way, and lets no other begin to wait.
func (w *watching) interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		_ = w.client.SetReadDeadline(time.Unix(1, 0)) // which fails if it is closed, and then nobody watches
	}
}

func (w *watching) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	_ = w.client.SetReadDeadline(time.Time{}) // as above
}

// reach hands the connection to one pod after the other until one takes it, or until the hold ends. Only those errors have it try another
// that say that nothing was sent.
func (h *hold) reach(ctx context.Context, try func(ctx context.Context, pod netip.AddrPort) error) error {
	for pause := firstPause; ; pause = min(pause*14/10, longestPause) {
		pod, err := h.wait()
		if err != nil {
			return err
		}
		err = try(ctx, pod)
		if again := new(unreachable); !errors.As(err, &again) {
			return err
		}
		if err := h.rest(ctx, pause); err != nil {
			return err
		}
		if h.ticket.again() {
			h.timer.Reset(h.longest)
		}
	}
}

// rest waits before the next pod is tried. The client is watched meanwhile, as in wait. The error is the cause of the end of ctx.
func (h *hold) rest(ctx context.Context, pause time.Duration) error {
	if h.client == nil || !canWatch {
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		return context.Cause(ctx)
	}
	w := watching{client: h.client}
	defer w.end()
	_ = h.client.SetReadDeadline(time.Now().Add(pause)) // before the end of the hold can bring it forward
	defer context.AfterFunc(h.ctx, w.interrupt)()
	if watch(h.client, h.mayFinish, h.ticket.halve) {
		h.cancel(errGone)
	}
	return context.Cause(ctx)
}

// pass ends the waiting, because a pod has the connection.
func (h *hold) pass() {
	h.timer.Stop()
	h.ticket.pass()
}

// end ends what uses the hold's context.
func (h *hold) end() {
	h.timer.Stop()
	h.cancel(errClosed)
}
