package activator

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

const (
	// maxHeld is how many connections are held for all Services together.
	maxHeld = serves.MaxLimit
	// floor is how many each Service may hold, however many the others do: nobody can keep the workloads of others asleep.
	floor = 10
	// maxInFlight is how many connections may be at pods, by way of all Services together. One Service may have half of them.
	maxInFlight = 2 * maxHeld
	// courtesy is how long a connection counts against the limit of its pod. So not all who wait meet a
	// pod at once that has just woken; and where connections last, others do not wait in vain for their end. Only where all requests come
	// this way does a request count as long as it lasts: there the limit is one of concurrency.
	courtesy = time.Second
)

// Why a connection is not passed on.
var (
	errFull    = errors.New("too many connections are held")
	errBusy    = errors.New("too many connections are in flight")
	errTooLong = errors.New("no pod was ready within the hold")
	errGone    = errors.New("the client has gone")
	errClosed  = errors.New("the activator ends")
)

// lobby is where connections wait for pods: one for all ports, because they share its room, and may share pods.
type lobby struct {
	mu   sync.Mutex
	held int
	room int
	// inFlight counts those at pods, also those that are ignored; most is how many there may be.
	inFlight, most int
	pods           map[netip.Addr]*pod
	// services are those that have some held or in flight, by what their slices have in common in their names.
	services map[string]*counts
	// changed is told of each change of a port's state, with the lock held.
	changed func(*port)
}

func newLobby(changed func(*port)) *lobby {
	return &lobby{room: maxHeld, most: maxInFlight, pods: map[netip.Addr]*pod{}, services: map[string]*counts{}, changed: changed}
}

// counts are how many connections are held, and in flight.
type counts struct{ held, inFlight int }

// add adds to what a Service has.
func (l *lobby) add(service string, held, inFlight int) {
	of := l.services[service]
	if of == nil {
		of = &counts{}
		l.services[service] = of
	}
	of.held, of.inFlight = of.held+held, of.inFlight+inFlight
	if *of == (counts{}) {
		delete(l.services, service)
	}
}

// of is what a Service has, all its ports together.
func (l *lobby) of(service string) counts {
	if of := l.services[service]; of != nil {
		return *of
	}
	return counts{}
}

// pod is what the connections to one address share, whatever Service they came by.
type pod struct {
	address netip.Addr
	// busy is how many connections count against the limit.
	busy int
	// ports are those that have it among their ready pods; turn is whose turn it is to use it.
	ports []*port
	turn  int
}

// port is one port of a Service: who waits for its pods, first come, first served, and what happened there. The lobby's lock is held for all
// of it but what never changes.
type port struct {
	lobby *lobby
	key   portKey

	rules rules
	ready []target
	turn  int // whose turn it is among the ready
	queue []*ticket

	listening bool
	problem   string // why it does not listen
	gone      bool   // not served any more

	held, inFlight                      int
	total, wakes, refused, left, failed uint64
	waits, firsts                       serves.Waits
	readied                             time.Time // when a pod was ready after there was none; zero once one who waited has had an answer
	connections                         [doors]uint64
	last                                [doors]time.Time
	seconds                             float64   // of held and in flight, up to since
	since                               time.Time // of the present number of both
}

// doors is how many a port has: the standby door and the active door, in this order.
const doors = 2

// portKey is which port of which Service it is, and where the activator listens for it.
type portKey struct {
	slice string // namespace and name
	name  string // of the Service's port
	pair  int32
}

// service is what the slices of a Service have in common.
func (k *portKey) service() string { return serves.OneOfBoth(k.slice) }

// rules are how a port is served.
type rules struct {
	serves   serves.Serves // without zeros
	protocol serves.Protocol
}

// always says that all requests come this way, so that there is nowhere else to send a client.
func (r *rules) always() bool { return r.serves.Path == serves.PathAlways }

// target is a ready pod with the port number of the Service's port.
type target struct {
	pod     *pod
	address netip.AddrPort
}

// ticket is one connection, or one request of HTTP/1.1, from its arrival to its end.
type ticket struct {
	port    *port
	arrived time.Time
	woke    bool // no pod was ready when it came
	ignored bool // it is not counted
	stage   stage
	turn    chan target // brings the pod whose turn it is, at most one
	given   netip.AddrPort
	before  func()      // is called before turn brings one
	giveUp  func()      // has it leave the queue; nil if it does not wait
	half    bool        // its client sends no more, and may have gone
	pod     *pod        // against whose limit it counts; nil if it counts against none
	lease   *time.Timer // until when it does
}

type stage int

const (
	waiting stage = iota // in the queue of its port
	called               // has a pod, which does not have the connection yet
	passed               // at the pod
	ended
)

// enter takes a place for a connection that has just come.
func (p *port) enter() (*ticket, error) {
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	now := time.Now()
	p.total++
	t := &ticket{port: p, arrived: now, woke: len(p.ready) == 0, turn: make(chan target, 1)}
	if t.woke {
		p.wakes++
	}
	if err := p.admits(); err != nil {
		p.refused++
		p.lobby.changed(p)
		return nil, err
	}
	t.count(now, +1, 0)
	p.queue = append(p.queue, t)
	p.dispatch()
	return t, nil
}

// admits says why there is no room for one more. Whoever has a pod at once takes none of it.
func (p *port) admits() error {
	l := p.lobby
	all := l.of(p.key.service())
	if l.inFlight >= l.most || all.inFlight >= l.most/2 {
		return errBusy
	}
	if len(p.queue) == 0 && p.roomy() >= 0 {
		return nil
	}
	if all.held < int(p.rules.serves.Limit) && (l.held < l.room || all.held < min(floor, l.room/2)) || p.evict() {
		return nil
	}
	return errFull
}

// evict takes the place of one who sends no more, and may have gone, for another. It says whether there was one.
func (p *port) evict() bool {
	at := slices.IndexFunc(p.queue, func(t *ticket) bool { return t.half && t.giveUp != nil })
	if at < 0 {
		return false
	}
	t := p.queue[at]
	p.queue = slices.Delete(p.queue, at, at+1)
	t.count(time.Now(), -1, 0)
	t.stage = ended
	p.refused++
	t.giveUp()
	return true
}

// enterIgnored is enter for a request that wakes nobody and is not counted. It is nil if no pod has room at once.
func (p *port) enterIgnored() *ticket {
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	if len(p.queue) > 0 || p.roomy() < 0 || p.lobby.inFlight >= p.lobby.most {
		return nil
	}
	t := &ticket{port: p, arrived: time.Now(), ignored: true, turn: make(chan target, 1)}
	p.queue = append(p.queue, t)
	p.dispatch()
	return t
}

// wait waits for a ready pod: the same until it is given back. The error is the cause of the end of ctx.
func (t *ticket) wait(ctx context.Context) (netip.AddrPort, error) {
	if t.isCalled() {
		return t.given, nil
	}
	select {
	case to := <-t.turn:
		t.given = to.address
		return t.given, nil
	case <-ctx.Done():
		return netip.AddrPort{}, context.Cause(ctx)
	}
}

// isCalled says whether wait would return a pod at once.
func (t *ticket) isCalled() bool {
	if t.given.IsValid() {
		return true
	}
	select {
	case to := <-t.turn:
		t.given = to.address
		return true
	default:
		return false
	}
}

// onCall has a function called just before the ticket is given a pod, and another when its place is needed for somebody else, both with the lobby's
// lock held; nil has none called.
func (t *ticket) onCall(do, giveUp func()) {
	t.port.lobby.mu.Lock()
	defer t.port.lobby.mu.Unlock()
	t.before, t.giveUp = do, giveUp
}

// halve says that the client sends no more.
func (t *ticket) halve() {
	t.port.lobby.mu.Lock()
	defer t.port.lobby.mu.Unlock()
	t.half = true
}

// again gives back a pod that could not be reached, and puts the ticket before those who came later. Whoever waits for it next is given the
// pod whose turn it is then. It says whether a pod had it.
func (t *ticket) again() (had bool) {
	p := t.port
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	switch t.stage {
	case waiting, ended:
		return false
	case passed: // on a connection that was kept, which the pod has ended
		t.count(time.Now(), +1, -1)
	case called:
	}
	had = t.stage == passed
	t.stage, t.given = waiting, netip.AddrPort{}
	at, _ := slices.BinarySearchFunc(p.queue, t.arrived, func(other *ticket, arrived time.Time) int { return other.arrived.Compare(arrived) })
	p.queue = slices.Insert(p.queue, at, t)
	of := t.free()
	p.dispatch() // before the pod that refused is offered again
	p.lobby.offer(of)
	return had
}

// pass says that a pod has accepted the connection.
func (t *ticket) pass() {
	p := t.port
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	if t.stage != called {
		return
	}
	now := time.Now()
	t.stage = passed
	t.count(now, -1, +1)
	if t.woke {
		p.waits.Observe(now.Sub(t.arrived))
		t.woke = false
	}
	if !p.rules.always() && t.pod != nil {
		t.lease = time.AfterFunc(courtesy, t.settle)
	}
}

// answers says that a pod has begun to answer.
func (t *ticket) answers() {
	p := t.port
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	if !p.readied.IsZero() && !t.ignored && t.arrived.Before(p.readied) {
		p.firsts.Observe(time.Since(p.readied))
		p.readied = time.Time{}
		p.lobby.changed(p)
	}
}

// hasPassed says whether a pod has it.
func (t *ticket) hasPassed() bool {
	t.port.lobby.mu.Lock()
	defer t.port.lobby.mu.Unlock()
	return t.stage == passed
}

// settle says that the connection does not count against the limit of its pod any more.
func (t *ticket) settle() {
	t.port.lobby.mu.Lock()
	defer t.port.lobby.mu.Unlock()
	t.port.lobby.release(t)
}

// leave ends the ticket, wherever it is. What it is told is why it got no pod: nil if it got one.
func (t *ticket) leave(why error) {
	p := t.port
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	switch t.stage {
	case waiting:
		if at := slices.Index(p.queue, t); at >= 0 {
			p.queue = slices.Delete(p.queue, at, at+1)
		}
		t.count(time.Now(), -1, 0)
	case called:
		t.count(time.Now(), -1, 0)
	case passed:
		t.count(time.Now(), 0, -1)
	case ended:
		return
	}
	switch {
	case why == nil, t.ignored:
	case errors.Is(why, errGone), errors.Is(why, context.Canceled):
		p.left++
	default:
		p.refused++
	}
	t.stage = ended
	p.lobby.release(t)
}

// fail counts a connection that a pod has ended before it has answered.
func (t *ticket) fail() {
	t.port.lobby.mu.Lock()
	defer t.port.lobby.mu.Unlock()
	t.port.failed++
}

// count changes how many are held and in flight.
func (t *ticket) count(now time.Time, held, inFlight int) {
	t.port.lobby.inFlight += inFlight
	if t.ignored {
		return
	}
	p := t.port
	p.integrate(now)
	p.held += held
	p.lobby.held += held
	p.inFlight += inFlight
	p.lobby.add(p.key.service(), held, inFlight)
	p.lobby.changed(p)
}

// integrate adds up the seconds until now.
func (p *port) integrate(now time.Time) {
	if n := p.held + p.inFlight; n > 0 {
		p.seconds += float64(n) * now.Sub(p.since).Seconds()
	}
	p.since = now
}

// dispatch gives those who wait the pods that have room.
func (p *port) dispatch() {
	for len(p.queue) > 0 {
		at := p.roomy()
		if at < 0 {
			return
		}
		p.call(p.ready[at])
		p.turn = at + 1
	}
}

// roomy is the next in turn of the ready pods that has room; -1 if none has.
func (p *port) roomy() int {
	for i := range p.ready {
		at := (p.turn + i) % len(p.ready)
		if p.ready[at].pod.busy < int(p.rules.serves.PerPod) {
			return at
		}
	}
	return -1
}

// call gives a pod to the first who waits.
func (p *port) call(to target) {
	t := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	to.pod.busy++
	t.stage, t.pod = called, to.pod
	if t.before != nil {
		t.before()
	}
	t.turn <- to
}

// release ends that a ticket counts against a pod, and offers the room to others. A ticket that was called and has gone leaves nothing in its
// channel that anybody reads.
func (l *lobby) release(t *ticket) { l.offer(t.free()) }

// free ends that a ticket counts against a pod, which is returned; nil if it counted against none.
func (t *ticket) free() *pod {
	if t.lease != nil {
		t.lease.Stop()
	}
	of := t.pod
	if t.pod = nil; of != nil {
		of.busy--
	}
	return of
}

// offer lets the ports of a pod use its room, in turn.
func (l *lobby) offer(of *pod) {
	if of == nil {
		return
	}
	for range of.ports {
		p := of.ports[of.turn%len(of.ports)]
		of.turn++
		if len(p.queue) == 0 || of.busy >= int(p.rules.serves.PerPod) {
			continue
		}
		if at := slices.IndexFunc(p.ready, func(r target) bool { return r.pod == of }); at >= 0 {
			p.call(p.ready[at])
			break
		}
	}
	l.forget(of)
}

// forget drops a pod that nobody uses.
func (l *lobby) forget(p *pod) {
	if p.busy == 0 && len(p.ports) == 0 {
		delete(l.pods, p.address)
	}
}

// setReady says which pods are ready.
func (p *port) setReady(addresses []netip.AddrPort) {
	l := p.lobby
	l.mu.Lock()
	defer l.mu.Unlock()
	before := p.ready
	p.ready = nil
	switch {
	case len(addresses) == 0:
		p.readied = time.Time{}
	case len(before) == 0:
		p.readied = time.Now()
	}
	for _, address := range addresses {
		to := l.pods[address.Addr()]
		if to == nil {
			to = &pod{address: address.Addr()}
			l.pods[to.address] = to
		}
		if !slices.Contains(to.ports, p) {
			to.ports = append(to.ports, p)
		}
		p.ready = append(p.ready, target{to, address})
	}
	for _, was := range before {
		if !slices.ContainsFunc(p.ready, func(r target) bool { return r.pod == was.pod }) {
			was.pod.ports = slices.DeleteFunc(was.pod.ports, func(other *port) bool { return other == p })
			l.forget(was.pod)
		}
	}
	p.dispatch()
}

// setRules says how the port is served from now on.
func (p *port) setRules(r rules) {
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	p.rules = r
	p.dispatch()
}

// setListening says whether the doors are open: err says why not. It returns whether that is a problem that is new.
func (p *port) setListening(err error) (news bool) {
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	news = problem != "" && p.problem != problem
	if p.listening != (err == nil) || p.problem != problem {
		p.listening, p.problem = err == nil, problem
		p.lobby.changed(p)
	}
	return news
}

// setShut takes note that the doors of a port that is not served any more are closed, which is no news.
func (p *port) setShut() {
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	p.listening = false
}

// setGone says whether the port is not served any more.
func (p *port) setGone(gone bool) {
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	p.gone = gone
	p.lobby.changed(p)
}

// isEmpty says whether nobody is held or in flight.
func (p *port) isEmpty() bool {
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	return p.held == 0 && p.inFlight == 0
}

// turnAway counts a connection that was given up before it has asked for anything.
func (p *port) turnAway() {
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	p.total++
	p.refused++
	p.lobby.changed(p)
}

// current are the port's rules.
func (p *port) current() rules {
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	return p.rules
}

// arrive counts a connection at a door.
func (p *port) arrive(at int) {
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	p.connections[at]++
	p.last[at] = time.Now()
	p.lobby.changed(p)
}

// state is what is told of the port.
func (p *port) state(now time.Time) serves.State {
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	return p.stateLocked(now)
}

// facts are the state, and what is not told but measured: how many have gone while they were held, and at how many pods have failed.
func (p *port) facts(now time.Time) (state serves.State, left, failed uint64) {
	p.lobby.mu.Lock()
	defer p.lobby.mu.Unlock()
	return p.stateLocked(now), p.left, p.failed
}

func (p *port) stateLocked(now time.Time) serves.State {
	p.integrate(now)
	s := serves.State{Slice: p.key.slice, Name: p.key.name, Pair: p.key.pair, Gone: p.gone, Listening: p.listening, Problem: p.problem,
		Held: p.held, InFlight: p.inFlight, Total: p.total, Wakes: p.wakes, Refused: p.refused, RequestSeconds: p.seconds, Waits: p.waits.Clone(), Firsts: p.firsts.Clone()}
	if len(p.queue) > 0 {
		s.Waiting = now.Sub(p.queue[0].arrived).Seconds()
	}
	for i, d := range []*serves.Door{&s.Standby, &s.Active} {
		if d.Connections = p.connections[i]; d.Connections > 0 {
			d.Age = now.Sub(p.last[i]).Seconds()
		}
	}
	return s
}
