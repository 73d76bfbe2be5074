package activator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

const (
	// linger is how long the doors of a port stay open after it is not served any more, for nodes that learn of it late. Whoever comes is
	// treated as before.
	linger = 30 * time.Second
	// Lasting is how long at most somebody is held for a slice after it was dropped.
	Lasting = linger + serves.MaxHold
	// mendPeriod is how often doors that could not be opened are tried again.
	mendPeriod = time.Second
	// longestNamed is how long is waited for slices that name a process which ends. Without a leader nobody takes it out of them.
	longestNamed = 30 * time.Second
)

// Config is what a Server is made of.
type Config struct {
	// Address is the IP address to listen on; empty for all that there are.
	Address string
	// Start is another text for each start of the process.
	Start string
	// Propagation is how long it takes until nobody is sent here any more after others were told: for so long connections are accepted
	// when the process ends.
	Propagation time.Duration
	// Named says whether others are still told to send here; nil says that they are not. The time of Propagation begins when they are not any more.
	Named func() bool
	// Drain is how long connections that are in flight may go on after that.
	Drain time.Duration
	Log   *zap.Logger
}

// Server is an activator. Its methods may be called at the same time.
type Server struct {
	config  Config
	lobby   *lobby
	board   *board
	web     *web
	streams *streams
	cut     context.CancelFunc // of all that is in flight
	serving sync.WaitGroup
	closing sync.WaitGroup // of doors

	mu    sync.Mutex
	ports map[portKey]*served
	ended bool // the doors are closed for ever
}

// served is a port with its doors.
type served struct {
	*port
	entrance *entrance   // nil while the doors are closed, or close
	closing  bool        // the doors close
	retired  *time.Timer // closes them, or has closed them, when it is not served any more; else nil
}

// New makes an activator that serves nothing yet.
func New(c Config) *Server {
	ctx, cut := context.WithCancel(context.Background())
	b := newBoard(c.Start)
	s := &Server{config: c, lobby: newLobby(b.mark), board: b, streams: &streams{ctx}, cut: cut, ports: map[portKey]*served{}}
	s.web = newWeb(s.streams, c.Log.Named("http"))
	return s
}

// Serve serves a slice from now on as it says. Doors that cannot be opened are tried again until they can; that is a part of the state.
func (s *Server) Serve(slice serves.Slice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := slice.Key().String()
	wanted := map[portKey]bool{}
	for _, wants := range slice.Ports {
		wanted[portKey{key, wants.Name, wants.Pair}] = true
	}
	s.retireOthers(key, wanted) // first, so that a port that has another name now has its doors
	for _, wants := range slice.Ports {
		k := portKey{key, wants.Name, wants.Pair}
		r := rules{slice.Serves.Defaulted(), slice.Serves.ProtocolOf(wants.Name)}
		at, known := s.ports[k]
		if !known {
			// Each begins with another pod, so that several activators do not send their first requests to one.
			at = &served{port: &port{lobby: s.lobby, key: k, rules: r, since: time.Now(), turn: rand.IntN(serves.MaxBackends)}}
			s.ports[k] = at
		} else {
			at.setRules(r)
		}
		s.unretire(at)
		s.admit(at)
	}
}

// Drop ends serving a slice.
func (s *Server) Drop(slice types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retireOthers(slice.String(), nil)
}

// Pods says which pods of a slice are ready, by the names of the Service's ports. Those that are held for a slice that is dropped hear of them, too.
func (s *Server) Pods(slice types.NamespacedName, ready map[string][]netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, at := range s.ports {
		if key.slice == slice.String() {
			at.setReady(ready[key.name])
		}
	}
}

// Run serves until ctx ends, and then ends in order: it says so, goes on for as long as others may not know it, closes the doors, waits for
// those that are held and for requests, and at last for connections.
func (s *Server) Run(ctx context.Context) {
	s.serving.Go(s.web.run)
	s.mend(ctx)
	s.board.drain()
	s.web.ending.Store(true)
	s.config.Log.Info("draining", zap.Duration("propagation", s.config.Propagation))
	s.rest(longestNamed, func() bool { return s.config.Named == nil || !s.config.Named() })
	s.rest(s.config.Propagation, func() bool { return false })
	s.closeDoors()
	held, flying := s.busy()
	s.config.Log.Info("doors closed", zap.Int("held", held), zap.Int("inFlight", flying))
	s.rest(serves.MaxHold, func() bool { held, _ := s.busy(); return held == 0 && s.web.reading() == 0 })
	over := s.web.shutdown() // not before, because it takes no request that was not whole
	s.rest(s.config.Drain, func() bool { _, flying := s.busy(); return flying == 0 && over() })
	if _, flying := s.busy(); flying > 0 {
		s.config.Log.Warn("connections are cut off", zap.Int("inFlight", flying))
	}
	s.cut()
	_ = s.web.server.Close() // of connections that are idle, or have had their time
	s.serving.Wait()
}

// mend tries to open doors that are closed and should not be, until ctx ends.
func (s *Server) mend(ctx context.Context) {
	ticker := time.NewTicker(mendPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.mu.Lock()
		for _, at := range s.ports {
			if at.entrance == nil && at.retired == nil {
				s.admit(at)
			}
			s.forget(at)
		}
		s.mu.Unlock()
	}
}

// rest waits until something is so, and no longer than that.
func (s *Server) rest(longest time.Duration, until func() bool) {
	const period = 50 * time.Millisecond
	end := time.NewTimer(longest)
	defer end.Stop()
	again := time.NewTicker(period)
	defer again.Stop()
	for !until() {
		select {
		case <-end.C:
			return
		case <-again.C:
		}
	}
}

// busy is how many connections are held, and how many are in flight.
func (s *Server) busy() (held, inFlight int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lobby.mu.Lock()
	defer s.lobby.mu.Unlock()
	for _, at := range s.ports {
		held += at.held
		inFlight += at.inFlight
	}
	return held, inFlight
}

// admit opens the doors of a port, if they are closed. If they are those of another one that close at present, it is called again when that is over.
func (s *Server) admit(at *served) {
	if s.ended || at.entrance != nil || at.closing {
		return
	}
	for _, other := range s.ports {
		switch {
		case other == at || other.key.pair != at.key.pair:
		case other.retired != nil: // a port that is not served any more gives way
			s.shut(other)
			if other.closing {
				return
			}
		case other.closing:
			return
		case other.entrance != nil:
			s.complain(at, fmt.Errorf("cannot listen on port %d: it is that of port %q of slice %s, which was there before", at.key.pair, other.key.name, other.key.slice))
			return
		}
	}
	opened, err := open(context.Background(), s.config.Address, at.key.pair)
	s.complain(at, err)
	if err != nil {
		return
	}
	at.entrance = opened
	opened.begin(func(door int, c *net.TCPConn) { s.take(at.port, door, c) })
}

// complain says whether a port is listened on, and why not. Each reason is logged once.
func (s *Server) complain(at *served, err error) {
	if problem := at.setListening(err); problem {
		s.config.Log.Error("a port of a Service is not served; it is tried again", zap.String("slice", at.key.slice), zap.String("port", at.key.name), zap.Error(err))
	}
}

// take is what is done with a connection that has come.
func (s *Server) take(p *port, door int, c *net.TCPConn) {
	p.arrive(door)
	if p.current().protocol == serves.HTTP1 {
		s.web.add(p, c)
		return
	}
	s.serving.Go(func() { s.streams.serve(p, c, nil) })
}

// retireOthers ends serving the ports of a slice that are not wanted.
func (s *Server) retireOthers(slice string, wanted map[portKey]bool) {
	for key, at := range s.ports {
		if key.slice != slice || wanted[key] || at.retired != nil {
			continue
		}
		at.setGone(true)
		at.retired = time.AfterFunc(linger, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if at.retired != nil {
				s.shut(at)
			}
		})
	}
}

func (s *Server) unretire(at *served) {
	if at.retired == nil {
		return
	}
	at.retired.Stop()
	at.retired = nil
	at.setGone(false)
}

// shut closes the doors of a port that is not served any more. Those that it holds are held on, and hear of pods, until their time is over.
func (s *Server) shut(at *served) {
	at.retired.Stop()
	at.setShut()
	if at.entrance != nil {
		s.close(at)
	}
	if !at.closing {
		s.leave(at)
	}
}

// close begins to close the doors of a port. That takes up to a second while somebody comes, for which nothing else waits.
func (s *Server) close(at *served) {
	doors := at.entrance
	at.entrance, at.closing = nil, true
	doors.end()
	s.closing.Go(func() {
		doors.close()
		s.mu.Lock()
		defer s.mu.Unlock()
		at.closing = false
		switch {
		case at.retired != nil:
			s.leave(at)
		case s.ended:
			at.setListening(errClosed)
		}
		for _, other := range s.ports {
			if other.key.pair == at.key.pair && other.retired == nil {
				s.admit(other)
			}
		}
	})
}

// leave ends what is left of a port that is not served any more and whose doors are closed.
func (s *Server) leave(at *served) {
	s.web.closeIdle(at.port)
	s.forget(at)
}

// forget drops a port that is not served any more, if its doors are closed and nobody is left there.
func (s *Server) forget(at *served) {
	if at.retired == nil || at.entrance != nil || at.closing || s.ports[at.key] != at || !at.isEmpty() || s.web.has(at.port) {
		return
	}
	at.retired.Stop()
	at.setReady(nil)
	delete(s.ports, at.key)
}

// closeDoors closes all doors, for ever.
func (s *Server) closeDoors() {
	s.mu.Lock()
	s.ended = true
	for _, at := range s.ports {
		if at.entrance != nil {
			s.close(at)
		}
	}
	s.mu.Unlock()
	s.closing.Wait() // none begins to close any more
}

// all are the ports that are served, and those that were a moment ago.
func (s *Server) all() []*port {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*port
	for _, at := range s.ports {
		all = append(all, at.port)
	}
	return all
}
