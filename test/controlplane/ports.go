//go:build unix

package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
)

const loopback = "127.0.0.1"

// The ports lie below those that systems give to outgoing connections (Linux 32768-60999, others 49152-65535) and below the
// NodePorts (30000-32767), so that a killed component finds its port free when it is started again.
const (
	firstPort = 20000
	lastPort  = 29999
)

// Those that FreePort gives to others lie below, so that no cluster takes one of them.
const (
	firstOther = 10000
	lastOther  = 19999
)

// portAttempts bounds the search for a free port. Where so many in a row are taken, something is wrong with the machine.
const portAttempts = 1000

// ports are a cluster's ports on loopback.
type ports struct{ etcd, peer, api, manager, scheduler, kwok int }

func (p *ports) each() []*int {
	return []*int{&p.etcd, &p.peer, &p.api, &p.manager, &p.scheduler, &p.kwok}
}

// freePorts chooses ports that nobody listens on. A parallel cluster may take one before ours listens: the start is then tried
// again with others.
func freePorts() (ports, error) {
	var chosen ports
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	for _, port := range chosen.each() {
		l, err := listenSomewhere()
		if err != nil {
			return ports{}, err
		}
		listeners = append(listeners, l) // held until all are chosen, so that they differ
		*port = int(netip.MustParseAddrPort(l.Addr().String()).Port())
	}
	return chosen, nil
}

func listenSomewhere() (net.Listener, error) { return listenBetween(loopback, firstPort, lastPort) }

func listenBetween(ip string, first, last int) (net.Listener, error) {
	var failed error
	for range portAttempts {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(first+rand.IntN(last-first+1))))
		if err == nil {
			return l, nil
		}
		failed = err
	}
	return nil, fmt.Errorf("find a free port from %d to %d: %w", first, last, failed)
}

// portsGiven are those that FreePort has returned.
var portsGiven sync.Map

// FreePort is a port at which nobody listens on an IP address of this machine, and another one each time: what it was returned for may not listen
// yet, or not at the moment.
func FreePort(ip string) (string, error) {
	for range portAttempts {
		listener, err := listenBetween(ip, firstOther, lastOther)
		if err != nil {
			return "", err
		}
		_, port, _ := net.SplitHostPort(listener.Addr().String()) // which has one
		if err := listener.Close(); err != nil {
			return "", err
		}
		if _, given := portsGiven.LoadOrStore(port, true); !given {
			return port, nil
		}
	}
	return "", errors.New("find a free port: all were given to somebody")
}

// FreeAddress is an address on loopback with a port as FreePort finds one.
func FreeAddress() (string, error) {
	port, err := FreePort(loopback)
	return net.JoinHostPort(loopback, port), err
}
