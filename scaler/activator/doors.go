package activator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// entrance is the two doors of a port, open.
type entrance [doors]net.Listener

// open opens the doors of a pair on an address, which is empty for all that there are. The error names the door that another listens on.
func open(ctx context.Context, address string, pair int32) (*entrance, error) {
	var e entrance
	for i, number := range [doors]int32{pair, serves.ActiveDoor(pair)} {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(int(number))))
		if err != nil {
			e.close()
			return nil, fmt.Errorf("cannot listen on port %d: %w", number, err)
		}
		e[i] = listener
	}
	return &e, nil
}

// close closes what is open.
func (e *entrance) close() {
	for _, listener := range e {
		if listener != nil {
			_ = listener.Close() // which does nothing that could fail and matter
		}
	}
}

// accept hands over the connections of one door until it is closed.
func (e *entrance) accept(at int, take func(c *net.TCPConn)) {
	const least, most = 5 * time.Millisecond, time.Second
	pause := least
	for {
		connection, err := e[at].Accept()
		switch tcp, ok := connection.(*net.TCPConn); {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // there are no more descriptors; some will be free again
			time.Sleep(pause) //nolint:forbidigo // there is nothing to wait for but time
			pause = min(2*pause, most)
		case ok:
			pause = least
			take(tcp)
		}
	}
}
