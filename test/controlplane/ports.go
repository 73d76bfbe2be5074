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

// freePorts chooses ports that nobody listens on. Another process may take one before ours listens: the start is then tried again
// with others.
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

// chosenPorts are those that were chosen before: what one was chosen for may not listen yet, or not any more.
var chosenPorts sync.Map

func listenBetween(ip string, first, last int) (net.Listener, error) {
	failed := errors.New("all were chosen before")
	for range portAttempts {
		port := first + rand.IntN(last-first+1)
		if _, chosen := chosenPorts.LoadOrStore(port, true); chosen {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
		if err == nil {
			return l, nil
		}
		failed = err
	}
	return nil, fmt.Errorf("find a free port from %d to %d: %w", first, last, failed)
}

// FreePort is a port at which nobody listens on an IP address of this machine, nor will unless it is told to: it is another one each time, no cluster has
// it, and the system gives it to nobody.
func FreePort(ip string) (string, error) {
	listener, err := listenBetween(ip, firstOther, lastOther)
	if err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // which has one
	return port, listener.Close()
}

// FreeAddress is an address on loopback with a port as FreePort finds one.
func FreeAddress() (string, error) {
	port, err := FreePort(loopback)
	return net.JoinHostPort(loopback, port), err
}
