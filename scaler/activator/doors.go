package activator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

const (
	// lastLook is for how long a door that closes is looked at once more: those whom the kernel has let in, and who have not been taken yet, would be reset.
	lastLook = 20 * time.Millisecond
	// lastLooks is how often that is done at most, while there was somebody each time.
	lastLooks = 50
)

// entrance is the two doors of a port, open.
type entrance struct {
	listeners [doors]*net.TCPListener
	// accepting is those who accept connections.
	accepting sync.WaitGroup
	closing   bool
}

// open opens the doors of a pair on an address, which is empty for all that there are. The error names the door that another listens on.
func open(ctx context.Context, address string, pair int32) (*entrance, error) {
	e := &entrance{}
	for i, number := range [doors]int32{pair, serves.ActiveDoor(pair)} {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(int(number))))
		if err != nil {
			e.close()
			return nil, fmt.Errorf("cannot listen on port %d: %w", number, err)
		}
		tcp, ok := listener.(*net.TCPListener)
		if !ok {
			e.close()
			return nil, errors.Join(fmt.Errorf("what listens on port %d is a %T", number, listener), listener.Close())
		}
		e.listeners[i] = tcp
	}
	return e, nil
}

// begin accepts connections, and hands them over with the door at which they came, until the doors are closed.
func (e *entrance) begin(take func(door int, c *net.TCPConn)) {
	for door := range doors {
		e.accepting.Go(func() { e.accept(door, take) })
	}
}

// end has the doors close in a moment.
func (e *entrance) end() {
	if e.closing {
		return
	}
	e.closing = true
	for _, listener := range e.listeners {
		if listener != nil {
			_ = listener.SetDeadline(time.Now().Add(lastLook)) // which fails for one that is closed
		}
	}
}

// close closes what is open, when all who have come are taken.
func (e *entrance) close() {
	e.end()
	e.accepting.Wait()
	for _, listener := range e.listeners {
		if listener != nil {
			_ = listener.Close() // which does nothing that could fail and matter
		}
	}
}

// accept hands over the connections of one door until it ends.
func (e *entrance) accept(door int, take func(door int, c *net.TCPConn)) {
	const least, most = 5 * time.Millisecond, time.Second
	pause, looks, some := least, 0, true
	for {
		c, err := e.listeners[door].AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			if looks++; !some || looks > lastLooks {
				return
			}
			some = false
			_ = e.listeners[door].SetDeadline(time.Now().Add(lastLook)) // as above
		case err != nil: // there are no more descriptors; some will be free again
			time.Sleep(pause) //nolint:forbidigo // there is nothing to wait for but time
			pause = min(2*pause, most)
		default:
			pause, some = least, true
			take(door, c)
		}
	}
}
