package e2e

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// stormBalancer does what a Service does: it leads new connections to replicas that were ready when last asked, in turn, and does
// not touch those that are open.
type stormBalancer struct {
	t        *testing.T
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	ready []*stormReplica
	bench map[*stormReplica]bool // to whom nothing leads, ready or not
	turn  int
	open  map[net.Conn]*stormReplica // both ends of each connection, by whom it leads to
	lost  int                        // connections that led to nobody
}

// stormProbe is how often the replicas are asked whether they are ready. A kubelet asks every 10 s unless it is told otherwise; what
// counts is that it is well within --shutdown-delay-duration.
const stormProbe = 200 * time.Millisecond

func newStormBalancer(t *testing.T) *stormBalancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &stormBalancer{t: t, listener: listener, bench: map[*stormReplica]bool{}, open: map[net.Conn]*stormReplica{}}
	b.running.Go(b.accept)
	t.Cleanup(func() {
		listener.Close()
		b.cut(nil)
		b.running.Wait()
	})
	return b
}

// stormMisses is how many probes in a row have to go unanswered: a busy replica is not led past at once, as by a kubelet.
const stormMisses = 3

// add leads to a replica whenever it is ready, until ctx ends. That a replica has ended, it learns from its probes alone: a replica
// has to say so in time.
func (b *stormBalancer) add(ctx context.Context, r *stormReplica) {
	b.running.Go(func() {
		client := &http.Client{Timeout: 5 * stormProbe}
		defer client.CloseIdleConnections()
		tick := time.NewTicker(stormProbe)
		defer tick.Stop()
		for missed := 0; ; {
			ready, err := stormReady(ctx, client, r)
			missed++
			if err == nil {
				missed = 0
			}
			if missed == 0 || missed == stormMisses {
				b.set(r, ready)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				b.set(r, false)
				return
			}
			if missed >= stormMisses && r.hasEnded() {
				return
			}
		}
	})
}

// stormReady asks a replica. The error says that it does not answer.
func stormReady(ctx context.Context, client *http.Client, r *stormReplica) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.health+"/readyz", nil)
	if err != nil {
		return false, err
	}
	response, err := client.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode == http.StatusOK, err
}

func (b *stormBalancer) set(r *stormReplica, ready bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var others []*stormReplica
	for _, other := range b.ready {
		if other != r {
			others = append(others, other)
		}
	}
	if ready && !b.bench[r] {
		others = append(others, r)
	}
	b.ready = others
}

// leave leads new connections past a replica, or no longer.
func (b *stormBalancer) leave(r *stormReplica, out bool) {
	b.mu.Lock()
	b.bench[r] = out
	b.mu.Unlock()
	if out {
		b.set(r, false)
	}
}

// leadsTo says whether new connections may lead to a replica.
func (b *stormBalancer) leadsTo(r *stormReplica) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ready := range b.ready {
		if ready == r {
			return true
		}
	}
	return false
}

func (b *stormBalancer) accept() {
	for {
		client, err := b.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			b.t.Errorf("balancer: %v", err)
			return
		}
		b.running.Go(func() { b.lead(client.(*net.TCPConn)) })
	}
}

// lead connects a client to a replica. As a Service does, it tries one: a client that it leads to nobody is refused.
func (b *stormBalancer) lead(client *net.TCPConn) {
	defer client.Close()
	r := b.next()
	if r == nil {
		b.refuse(client)
		return
	}
	server, err := net.Dial("tcp", r.hook)
	if err != nil {
		b.refuse(client)
		return
	}
	defer server.Close()
	b.track(r, client, server)
	defer b.forget(client, server)
	var both sync.WaitGroup
	both.Go(func() { stormCopy(client, server.(*net.TCPConn)) })
	both.Go(func() { stormCopy(server.(*net.TCPConn), client) })
	both.Wait()
}

func (b *stormBalancer) refuse(client *net.TCPConn) {
	_ = client.SetLinger(0) // a reset, not an end
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost++
}

// stormCopy copies until the end of one direction and passes that on: the other direction may last longer.
func stormCopy(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return
	}
	_ = to.CloseWrite() // fails only for a connection that is gone
}

func (b *stormBalancer) next() *stormReplica {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) == 0 {
		return nil
	}
	b.turn++
	return b.ready[b.turn%len(b.ready)]
}

func (b *stormBalancer) track(r *stormReplica, ends ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, end := range ends {
		b.open[end] = r
	}
}

func (b *stormBalancer) forget(ends ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, end := range ends {
		delete(b.open, end)
	}
}

// cut closes what leads to a replica; nil means all.
func (b *stormBalancer) cut(r *stormReplica) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for end, to := range b.open {
		if r == nil || to == r {
			end.Close()
		}
	}
}

// refused are the connections that led to nobody.
func (b *stormBalancer) refused() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost
}
