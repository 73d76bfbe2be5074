//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
)

// openGate listens on a socket in the file system, which the network namespace does not separate, and passes what it hears to the API
// server at url.
func openGate(ctx context.Context, path, target string) (net.Listener, error) {
	server, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("read the API server's address: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the way in: %w", err)
	}
	go forward(ctx, listener, "tcp", server.Host)
	return listener, nil
}

// forward connects whoever comes to the listener with the address, until the listener is closed.
func forward(ctx context.Context, listener net.Listener, network, address string) {
	for {
		outer, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // that one client has gone
		}
		go func() {
			defer outer.Close()
			inner, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return // the client sees the end of its connection
			}
			defer inner.Close()
			join(outer, inner)
		}()
	}
}

// closer ends one direction of a connection.
type closer interface{ CloseWrite() error }

// join copies in both directions until both have ended.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{a: b, b: a} {
		both.Go(func() {
			_, _ = io.Copy(to, from)
			if half, ok := to.(closer); ok {
				_ = half.CloseWrite()
			}
		})
	}
	both.Wait()
}
