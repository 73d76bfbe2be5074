//go:build unix

package controlplane

import (
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

func listenSomewhere() (net.Listener, error) {
	var last error
	for range portAttempts {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err == nil {
			return l, nil
		}
		last = err
	}
	return nil, fmt.Errorf("find a free port from %d to %d: %w", firstPort, lastPort, last)
}

// addressesGiven are those that FreeAddress has returned.
var addressesGiven sync.Map

// FreeAddress is an address on loopback at which nobody listens, and another one each time: what it was returned for may not listen yet.
func FreeAddress() (string, error) {
	for {
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return "", err
		}
		address := listener.Addr().String()
		if err := listener.Close(); err != nil {
			return "", err
		}
		if _, given := addressesGiven.LoadOrStore(address, true); !given {
			return address, nil
		}
	}
}
