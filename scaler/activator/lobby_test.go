package activator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// newPort is a port of a lobby, without doors.
func newPort(l *lobby, name string, s serves.Serves) *port {
	return &port{lobby: l, key: portKey{slice: "shop/mini-hpa-" + name, pair: 20016}, rules: rules{serves: s.Defaulted()}, since: time.Now()}
}

func emptyLobby() *lobby { return newLobby(func(*port) {}) }

func pods(addresses ...string) []netip.AddrPort {
	var all []netip.AddrPort
	for _, address := range addresses {
		all = append(all, netip.MustParseAddrPort(address))
	}
	return all
}

func mustEnter(t *testing.T, p *port) *ticket {
	t.Helper()
	ticket, err := p.enter()
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

// podOfTicket is the pod that a ticket has been given; empty if it waits.
func podOfTicket(t *ticket) string {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if t.given.IsValid() {
		return t.given.String()
	}
	select {
	case to := <-t.turn:
		t.given = to.address
		return t.given.String()
	default:
	}
	if _, err := t.wait(ctx); err == nil {
		return t.given.String()
	}
	return ""
}

func podsOf(tickets ...*ticket) []string {
	var all []string
	for _, t := range tickets {
		all = append(all, podOfTicket(t))
	}
	return all
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

func TestFirstComeFirstServed(t *testing.T) {
	p := newPort(emptyLobby(), "web", serves.Serves{PerPod: 1})
	first, second, third := mustEnter(t, p), mustEnter(t, p), mustEnter(t, p)
	want(t, "no pod", podsOf(first, second, third), "", "", "")
	p.setReady(pods("10.0.0.1:80", "10.0.0.2:80"))
	want(t, "two pods", podsOf(first, second, third), "10.0.0.1:80", "10.0.0.2:80", "")
	// Who could not reach a pod is before those who came later, and is given the other one if that is free.
	second.leave(nil)
	fourth := mustEnter(t, p)
	want(t, "the second has gone", podsOf(third, fourth), "10.0.0.2:80", "")
	first.again()
	want(t, "the first tries again", podsOf(first, fourth), "10.0.0.1:80", "")
	third.pass()
	third.leave(nil)
	want(t, "the third has been served", podsOf(first, fourth), "10.0.0.1:80", "10.0.0.2:80")
}

func TestAPodThatRefusesIsNotTheNext(t *testing.T) {
	p := newPort(emptyLobby(), "web", serves.Serves{})
	p.setReady(pods("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"))
	one := mustEnter(t, p)
	var tried []string
	for range 4 {
		tried = append(tried, podOfTicket(one))
		one.again()
	}
	want(t, "in turn", tried, "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.1:80")
}

// TestPortsShareAPodInTurn: a Service of which many wait does not keep another from the pods that both have.
func TestPortsShareAPodInTurn(t *testing.T) {
	l := emptyLobby()
	crowded, quiet := newPort(l, "crowded", serves.Serves{PerPod: 2}), newPort(l, "quiet", serves.Serves{PerPod: 2})
	var crowd []*ticket
	for range 10 {
		crowd = append(crowd, mustEnter(t, crowded))
	}
	two := []*ticket{mustEnter(t, quiet), mustEnter(t, quiet)}
	crowded.setReady(pods("10.0.0.1:80"))
	quiet.setReady(pods("10.0.0.1:81"))
	want(t, "full", podsOf(crowd[0], crowd[1], crowd[2], two[0]), "10.0.0.1:80", "10.0.0.1:80", "", "")
	crowd[0].leave(nil)
	crowd[1].leave(nil)
	want(t, "one each", podsOf(crowd[2], crowd[3], two[0], two[1]), "10.0.0.1:80", "", "10.0.0.1:81", "")
}

func TestRoom(t *testing.T) {
	l := emptyLobby()
	l.room = 3
	small, large := newPort(l, "small", serves.Serves{Limit: 1}), newPort(l, "large", serves.Serves{})
	mustEnter(t, small)
	if _, err := small.enter(); !errors.Is(err, errFull) {
		t.Errorf("the second of one: %v", err)
	}
	leaving := mustEnter(t, large)
	mustEnter(t, large)
	if _, err := large.enter(); !errors.Is(err, errFull) {
		t.Errorf("the fourth of three: %v", err)
	}
	leaving.leave(errGone)
	mustEnter(t, large)
	s := large.state(time.Now())
	if s.Held != 2 || s.Refused != 1 || s.Total != 4 || s.Wakes != 4 || large.left != 1 {
		t.Errorf("%+v, %d left", s, large.left)
	}
}

// TestAPodThatIsFreeNeedsNoRoom: where nobody waits, those who wait elsewhere take no room from one who has a pod.
func TestAPodThatIsFreeNeedsNoRoom(t *testing.T) {
	l := emptyLobby()
	l.room = 2
	asleep, awake := newPort(l, "asleep", serves.Serves{}), newPort(l, "awake", serves.Serves{Limit: 1, PerPod: 2})
	mustEnter(t, asleep)
	mustEnter(t, asleep)
	awake.setReady(pods("10.0.0.1:80"))
	want(t, "both", podsOf(mustEnter(t, awake), mustEnter(t, awake)), "10.0.0.1:80", "10.0.0.1:80")
	if _, err := awake.enter(); !errors.Is(err, errFull) {
		t.Errorf("the pod has no room, and one who would wait is told %v", err)
	}
}

// TestALimitIsThatOfTheService, whatever its ports are, and the families of their addresses.
func TestALimitIsThatOfTheService(t *testing.T) {
	l := emptyLobby()
	one, two, ipv6, other := newPort(l, "web", serves.Serves{Limit: 3}), newPort(l, "web", serves.Serves{Limit: 3}), newPort(l, "web.ipv6", serves.Serves{Limit: 3}), newPort(l, "other", serves.Serves{Limit: 3})
	two.key.name = "admin"
	all := []*ticket{mustEnter(t, one), mustEnter(t, two), mustEnter(t, ipv6)}
	for _, p := range []*port{one, two, ipv6} {
		if _, err := p.enter(); !errors.Is(err, errFull) {
			t.Errorf("%s %s: %v", p.key.slice, p.key.name, err)
		}
	}
	all = append(all, mustEnter(t, other))
	for _, ticket := range all {
		ticket.leave(errGone)
	}
	if len(l.services) > 0 {
		t.Errorf("left are %v", l.services)
	}
}

// TestEachServiceMayHoldSome: another that takes all the room does not keep a workload asleep.
func TestEachServiceMayHoldSome(t *testing.T) {
	l := emptyLobby()
	l.room = 2 * floor
	crowded, quiet := newPort(l, "crowded", serves.Serves{}), newPort(l, "quiet", serves.Serves{})
	for range 2 * floor {
		mustEnter(t, crowded)
	}
	if _, err := crowded.enter(); !errors.Is(err, errFull) {
		t.Errorf("the room is full, and one more is told %v", err)
	}
	for range floor {
		mustEnter(t, quiet)
	}
	if _, err := quiet.enter(); !errors.Is(err, errFull) {
		t.Errorf("it holds what it may, and one more is told %v", err)
	}
}

// TestHowManyAreInFlight is bounded, for all ports and for each.
func TestHowManyAreInFlight(t *testing.T) {
	l := emptyLobby()
	l.most = 4
	one, other := newPort(l, "one", serves.Serves{}), newPort(l, "other", serves.Serves{})
	one.setReady(pods("10.0.0.1:80"))
	other.setReady(pods("10.0.0.1:81"))
	var flying []*ticket
	fly := func(p *port) {
		t.Helper()
		flying = append(flying, mustEnter(t, p))
		podsOf(flying...)
		flying[len(flying)-1].pass()
	}
	fly(one)
	fly(one)
	if _, err := one.enter(); !errors.Is(err, errBusy) {
		t.Errorf("half is in flight at one port, and one more is told %v", err)
	}
	fly(other)
	ignored := other.enterIgnored()
	podsOf(ignored)
	ignored.pass()
	if _, err := other.enter(); !errors.Is(err, errBusy) || other.enterIgnored() != nil {
		t.Errorf("all are in flight, and one more is told %v", err)
	}
	for _, of := range append(flying, ignored) {
		of.leave(nil)
	}
	if l.inFlight != 0 {
		t.Errorf("%d are left", l.inFlight)
	}
}

func TestWhatIsCountedOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPort(emptyLobby(), "web", serves.Serves{PerPod: 1})
		one := mustEnter(t, p)
		time.Sleep(3 * time.Second)
		p.setReady(pods("10.0.0.1:80"))
		podOfTicket(one)
		one.pass()
		two := mustEnter(t, p) // a pod is ready, but has no room
		time.Sleep(courtesy + time.Millisecond)
		synctest.Wait()
		if podOfTicket(two) == "" {
			t.Error("a connection that lasts keeps its pod from all others")
		}
		two.pass()
		time.Sleep(time.Second)
		one.leave(nil)
		two.leave(nil)
		time.Sleep(time.Hour)
		s := p.state(time.Now())
		if got, want := s.RequestSeconds, 3+2*(courtesy+time.Millisecond+time.Second).Seconds(); got < want-1e-6 || got > want+1e-6 {
			t.Errorf("%g request seconds, want %g", got, want)
		}
		if s.Waits.Total() != 1 || s.Waits.Quantile(1) != 3*time.Second || s.Wakes != 1 || s.Total != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// TestWhatIsLeftOver: whatever is done with tickets, in any order, each pod counts what it has, and at the end nothing is left.
func TestWhatIsLeftOver(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		l := emptyLobby()
		ports := []*port{newPort(l, "a", serves.Serves{PerPod: 2, Limit: 5, Path: serves.PathAlways}), newPort(l, "b", serves.Serves{PerPod: 3, Path: serves.PathAlways})}
		var open []*ticket
		for range 300 {
			p := ports[random.IntN(len(ports))]
			switch action := random.IntN(7); {
			case action < 2:
				if t, err := p.enter(); err == nil {
					open = append(open, t)
				}
			case action == 2:
				var ready []netip.AddrPort
				for i := range random.IntN(4) {
					ready = append(ready, netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:80", i)))
				}
				p.setReady(ready)
			case len(open) == 0:
			default:
				at := random.IntN(len(open))
				one := open[at]
				podOfTicket(one)
				switch action {
				case 3:
					one.pass()
				case 4:
					one.again()
				default:
					one.leave([]error{nil, errGone, errTooLong}[random.IntN(3)])
					open = slices.Delete(open, at, at+1)
				}
			}
			mustAddUp(t, l, ports, open)
		}
		for _, one := range open {
			one.leave(nil)
		}
		for _, p := range ports {
			p.setReady(nil)
		}
		mustAddUp(t, l, ports, nil)
		if len(l.pods) > 0 || l.held != 0 {
			t.Fatalf("seed %d: %d pods and %d held are left", seed, len(l.pods), l.held)
		}
	}
}

func mustAddUp(t *testing.T, l *lobby, ports []*port, open []*ticket) {
	t.Helper()
	busy := map[*pod]int{}
	held, flying := map[*port]int{}, map[*port]int{}
	for _, one := range open {
		if one.pod != nil {
			busy[one.pod]++
		}
		if one.stage == passed {
			flying[one.port]++
		} else {
			held[one.port]++
		}
	}
	for _, p := range l.pods {
		if p.busy != busy[p] {
			t.Fatalf("pod %s counts %d, and has %d", p.address, p.busy, busy[p])
		}
	}
	for _, p := range ports {
		if p.held != held[p] || p.inFlight != flying[p] {
			t.Fatalf("%s counts %d and %d, and has %d and %d", p.key.slice, p.held, p.inFlight, held[p], flying[p])
		}
		if len(p.queue) > 0 && p.roomy() >= 0 {
			t.Fatalf("%s has %d who wait, and a pod that has room", p.key.slice, len(p.queue))
		}
		for _, r := range p.ready {
			if l.pods[r.pod.address] != r.pod {
				t.Fatalf("pod %s is there twice", r.pod.address)
			}
		}
	}
}

func BenchmarkTicket(b *testing.B) {
	p := newPort(emptyLobby(), "web", serves.Serves{Path: serves.PathAlways})
	p.setReady(pods("10.0.0.1:80", "10.0.0.2:80"))
	b.ReportAllocs()
	for b.Loop() {
		t, err := p.enter()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := t.wait(b.Context()); err != nil {
			b.Fatal(err)
		}
		t.pass()
		t.leave(nil)
	}
}
