package activator

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

func TestAConnectionIsHeldUntilAPodIsReady(t *testing.T) {
	tests := map[string]struct {
		pod    func(c *net.TCPConn)
		client func(t *testing.T, c *net.TCPConn)
	}{
		"the server speaks first": {
			func(c *net.TCPConn) { io.WriteString(c, "220 hello\r\n") },
			func(t *testing.T, c *net.TCPConn) {
				if got, err := io.ReadAll(c); string(got) != "220 hello\r\n" || err != nil {
					t.Errorf("%q %v", got, err)
				}
			},
		},
		"the client speaks first, and ends its half": {
			func(c *net.TCPConn) {
				all, _ := io.ReadAll(c)
				io.WriteString(c, strings.ToUpper(string(all)))
			},
			func(t *testing.T, c *net.TCPConn) {
				send(t, c, "hello")
				c.CloseWrite()
				if got, err := io.ReadAll(c); string(got) != "HELLO" || err != nil {
					t.Errorf("%q %v", got, err)
				}
			},
		},
		"the server ends its half, and reads on": {
			func(c *net.TCPConn) {
				io.WriteString(c, "bye")
				c.CloseWrite()
				if all, err := io.ReadAll(c); string(all) != "bye, too" || err != nil {
					t.Errorf("%q %v", all, err)
				}
			},
			func(t *testing.T, c *net.TCPConn) {
				if got, err := io.ReadAll(c); string(got) != "bye" || err != nil {
					t.Errorf("%q %v", got, err)
				}
				send(t, c, "bye, too")
				c.CloseWrite()
			},
		},
		"many bytes each way": {
			func(c *net.TCPConn) { io.Copy(c, c) },
			func(t *testing.T, c *net.TCPConn) {
				const size = 16 << 20
				var writing sync.WaitGroup
				writing.Go(func() {
					io.CopyN(c, zeros{}, size)
					c.CloseWrite()
				})
				if n, err := io.Copy(io.Discard, c); n != size || err != nil {
					t.Errorf("%d bytes: %v", n, err)
				}
				writing.Wait()
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			pod := streamPod(t, "127.0.0.2", tt.pod)
			c := b.dial("tcp")
			var asking sync.WaitGroup
			asking.Go(func() {
				defer c.Close()
				tt.client(t, c)
			})
			b.held("tcp", 1)
			b.ready(pod)
			asking.Wait()
			if s := b.until("tcp", "over", func(s serves.State) bool { return s.InFlight == 0 }); s.Held != 0 || s.Waits.Total() != 1 || s.Total != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(to []byte) (int, error) { return len(to), nil }

func TestTLSIsNotLookedAt(t *testing.T) {
	b := newBench(t, nil)
	pod := httptest.NewUnstartedServer(echo())
	pod.EnableHTTP2 = true
	pod.StartTLS()
	t.Cleanup(pod.Close)
	b.server.Pods(b.key(), map[string][]netip.AddrPort{"tcp": {netip.MustParseAddrPort(pod.Listener.Addr().String())}})
	r, err := pod.Client().Post("https://"+b.at("tcp"), "", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err := io.ReadAll(r.Body); string(body) != "hello" || r.ProtoMajor != 2 || err != nil {
		t.Errorf("%s %q: %v", r.Proto, body, err)
	}
}

func TestConnectionsThatAreRefused(t *testing.T) {
	b := newBench(t, func(s *serves.Slice) { s.Serves.Limit, s.Serves.Hold = 1, metav1.Duration{Duration: time.Second} })
	if _, err := b.dial("tcp").Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("one too long: %v", err)
	}
	b.held("tcp", 0)
	b.slice.Serves.Hold.Duration = patience // which the next one has until it is one too many
	b.server.Serve(b.slice)
	b.dial("tcp")
	b.held("tcp", 1)
	second, err := net.Dial("tcp", b.at("tcp"))
	if err == nil { // else the reset was faster
		defer second.Close()
		_, err = second.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("one too many: %v", err)
	}
	if s := b.until("tcp", "refused", func(s serves.State) bool { return s.Refused == 2 }); s.Held != 1 || s.Total != 3 {
		t.Errorf("%+v", s)
	}
}

func TestAConnectionWhoseClientGoesAway(t *testing.T) {
	b := newBench(t, nil)
	hangUp := func(c *net.TCPConn) error { return c.Close() }
	tests := map[string]struct {
		sent string
		how  func(*net.TCPConn) error
		held int
	}{
		"nothing was sent":              {"", hangUp, 0},
		"a reset":                       {"hello", func(c *net.TCPConn) error { c.SetLinger(0); return c.Close() }, 0},
		"TLS has begun":                 {"\x16\x03\x01\x02\x00\x01", hangUp, 0},
		"HTTP/2 has begun":              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", hangUp, 0},
		"a whole request, and an end":   {"hello\n", (*net.TCPConn).CloseWrite, 1},
		"as many bytes as are buffered": {strings.Repeat("x", 16<<10), (*net.TCPConn).CloseWrite, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before := b.state("tcp").Held
			c := b.dial("tcp")
			send(t, c, tt.sent)
			b.held("tcp", before+1)
			if err := tt.how(c); err != nil {
				t.Fatal(err)
			}
			b.held("tcp", before+tt.held)
		})
	}
}

// TestWhoMayHaveGoneGivesUpItsPlace: a client that sends no more may wait for its answer, but not in the place of one that is there.
func TestWhoMayHaveGoneGivesUpItsPlace(t *testing.T) {
	b := newBench(t, func(s *serves.Slice) { s.Serves.Limit = 1 })
	half := b.dial("tcp")
	send(t, half, "hello")
	half.CloseWrite()
	b.held("tcp", 1)
	b.untilHalf("tcp")
	whole := b.dial("tcp")
	mustEnd(t, half, "there is no room for both")
	b.held("tcp", 1)
	b.ready(streamPod(t, "127.0.0.2", func(c *net.TCPConn) { io.WriteString(c, "hello") }))
	if got, err := io.ReadAll(whole); string(got) != "hello" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if s := b.state("tcp"); s.Refused != 1 {
		t.Errorf("%+v", s)
	}
}

// TestAClientThatLeavesAPodThatRefuses frees its place, though a pod is said to be ready.
func TestAClientThatLeavesAPodThatRefuses(t *testing.T) {
	b := newBench(t, func(s *serves.Slice) { s.Serves.Hold = metav1.Duration{Duration: serves.MaxHold} })
	refusing := listen(t, "127.0.0.2")
	refusing.Close()
	b.ready(refusing.Addr())
	for name, sent := range map[string]string{"tcp": "", "http": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"} {
		c := b.dial(name)
		send(t, c, sent)
		b.held(name, 1)
		c.Close()
		b.held(name, 0)
	}
}

// TestThoseOfASliceThatGoes are held on when its doors are closed, and hear of pods; then nothing of it is left.
func TestThoseOfASliceThatGoes(t *testing.T) {
	b := newBench(t, nil)
	c := b.dial("tcp")
	b.held("tcp", 1)
	b.server.Drop(b.key())
	b.server.mu.Lock()
	for _, at := range b.server.ports {
		b.server.shut(at) // as when the time to linger is over
	}
	b.server.mu.Unlock()
	if held, _ := b.server.busy(); held != 1 {
		t.Fatalf("%d are held", held)
	}
	b.ready(streamPod(t, "127.0.0.2", func(c *net.TCPConn) { io.WriteString(c, "hello") }))
	if got, err := io.ReadAll(c); string(got) != "hello" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	c.Close()
	for end := time.Now().Add(patience); len(b.server.all()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("its ports are there for ever")
		}
	}
	b.server.lobby.mu.Lock()
	defer b.server.lobby.mu.Unlock()
	if n := len(b.server.lobby.pods); n > 0 {
		t.Errorf("%d of its pods are there for ever", n)
	}
}

// TestAPortThatIsRenamed has its doors under the new name in a moment.
func TestAPortThatIsRenamed(t *testing.T) {
	b := newBench(t, nil)
	b.slice.Ports[1].Name = "raw"
	b.server.Serve(b.slice)
	if s := b.until("raw", "listening", func(s serves.State) bool { return s.Listening }); s.Problem != "" {
		t.Errorf("%+v", s)
	}
}

// TestNobodyWaitsForDoorsThatClose but who is to have them: they close slowly while somebody comes.
func TestNobodyWaitsForDoorsThatClose(t *testing.T) {
	b := newBench(t, nil)
	came, onward := make(chan struct{}), make(chan struct{})
	b.server.mu.Lock()
	key := portKey{b.key().String(), "tcp", b.slice.Ports[1].Pair}
	at := b.server.ports[key]
	at.entrance.close()
	slow, err := open(t.Context(), "127.0.0.1", key.pair)
	if err != nil {
		t.Fatal(err)
	}
	slow.begin(func(_ int, c *net.TCPConn) {
		close(came)
		<-onward
		c.Close()
	})
	at.entrance = slow
	b.server.mu.Unlock()
	b.dial("tcp")
	<-came
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.slice.Ports[1].Name = "raw"
		b.server.Serve(b.slice)
		b.ready()
		b.server.Drop(types.NamespacedName{Namespace: "shop", Name: "mini-hpa-other"})
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("everybody waits for a door")
	}
	if s := b.state("raw"); s.Listening {
		t.Errorf("the doors close, and those of the same pair are open: %+v", s)
	}
	close(onward)
	if s := b.until("raw", "listening", func(s serves.State) bool { return s.Listening }); s.Problem != "" {
		t.Errorf("%+v", s)
	}
}

// TestTwoSlicesWithOnePair: it stays with the one that was there before, and the other is told why it is not served.
func TestTwoSlicesWithOnePair(t *testing.T) {
	b := newBench(t, nil)
	other := b.slice
	other.Service, other.Ports = "other", []serves.Port{{Name: "mine", Pair: b.slice.Ports[0].Pair}}
	b.server.Serve(other)
	if s := b.state("mine"); s.Listening || !strings.Contains(s.Problem, `it is that of port "http" of slice shop/mini-hpa-web`) {
		t.Errorf("%+v", s)
	}
	if !b.state("http").Listening {
		t.Error("the first is not served any more")
	}
}

// TestTheEndBeginsWhenNobodyIsSentHere: slices may name the activator for longer than it takes to read them.
func TestTheEndBeginsWhenNobodyIsSentHere(t *testing.T) {
	var named atomic.Bool
	named.Store(true)
	b := newBench(t, nil, func(s *Server) { s.config.Named = named.Load })
	var ending sync.WaitGroup
	ending.Go(b.end)
	for end := time.Now().Add(patience); !b.server.board.about().Draining && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	time.Sleep(100 * time.Millisecond) // ten times what others need to know
	c := b.dial("tcp")
	b.held("tcp", 1)
	named.Store(false)
	b.until("tcp", "closed", func(s serves.State) bool { return !s.Listening })
	b.ready(streamPod(t, "127.0.0.2", func(c *net.TCPConn) { io.WriteString(c, "hello") }))
	if got, err := io.ReadAll(c); string(got) != "hello" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	c.Close()
	ending.Wait()
}

func TestAResetIsPassedOn(t *testing.T) {
	b := newBench(t, nil)
	came := make(chan *net.TCPConn)
	b.ready(streamPod(t, "127.0.0.2", func(c *net.TCPConn) {
		came <- c
		if _, err := c.Read(make([]byte, 10)); errors.Is(err, syscall.ECONNRESET) {
			came <- nil
			return
		}
		c.SetLinger(0)
	}))
	c := b.dial("tcp")
	(<-came).RemoteAddr()
	send(t, c, "x")
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a reset of the pod is for the client: %v", err)
	}
	c = b.dial("tcp")
	<-came
	c.SetLinger(0)
	c.Close()
	if <-came != nil {
		t.Error("a reset of the client is none for the pod")
	}
}

// TestAConnectionThatLastsDoesNotCloseItsPod: the limit of a pod is for its beginning, unless all connections come this way.
func TestAConnectionThatLastsDoesNotCloseItsPod(t *testing.T) {
	for path, reached := range map[serves.Path]bool{serves.PathAsleep: true, serves.PathAlways: false} {
		b := newBench(t, func(s *serves.Slice) { s.Serves.PerPod, s.Serves.Path = 1, path })
		b.ready(streamPod(t, "127.0.0.2", func(c *net.TCPConn) { io.Copy(c, c) }))
		for i := range 2 {
			if i == 1 && !reached { // it waits in vain for longer than a limit counts that is for the beginning
				b.slice.Serves.Hold.Duration = 3 * courtesy
				b.server.Serve(b.slice)
			}
			c := b.dial("tcp")
			send(t, c, "hello\n")
			got, err := bufio.NewReader(c).ReadString('\n')
			if want := i == 0 || reached; (got == "hello\n") != want {
				t.Errorf("path %q, connection %d: %q %v", path, i, got, err)
			}
		}
	}
}

func TestDoorsThatAreTaken(t *testing.T) {
	pair := freePairs(t, 1)[0]
	other, err := net.Listen("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(pair+1)).String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	b := newBench(t, func(s *serves.Slice) { s.Ports[0].Pair = pair })
	s := b.until("http", "a problem", func(s serves.State) bool { return s.Problem != "" })
	if s.Listening || !strings.Contains(s.Problem, "cannot listen on port ") {
		t.Errorf("%+v", s)
	}
	if !b.state("tcp").Listening {
		t.Error("the other port is not served")
	}
	other.Close()
	b.until("http", "listening", func(s serves.State) bool { return s.Listening && s.Problem == "" })
}

func TestASliceThatGoesAndComesBack(t *testing.T) {
	b := newBench(t, nil)
	b.ready(streamPod(t, "127.0.0.2", func(c *net.TCPConn) { io.WriteString(c, "hello") }))
	b.server.Drop(b.key())
	if s := b.state("tcp"); !s.Gone {
		t.Errorf("%+v", s)
	}
	// A node that has not heard of it yet is not refused.
	if got, err := io.ReadAll(b.dial("tcp")); string(got) != "hello" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	b.server.Serve(b.slice)
	if s := b.state("tcp"); s.Gone || !s.Listening || s.Total != 1 {
		t.Errorf("%+v", s)
	}
	// Another Service that is given the doors of one that has gone has them in a moment.
	b.server.Drop(b.key())
	other := b.slice
	other.Service = "other"
	b.server.Serve(other)
	for _, p := range other.Ports {
		key := portKey{"shop/mini-hpa-other", p.Name, p.Pair}
		b.server.mu.Lock()
		at := b.server.ports[key]
		b.server.mu.Unlock()
		end := time.Now().Add(patience)
		for ; !at.state(time.Now()).Listening && time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		}
		if s := at.state(time.Now()); !s.Listening || s.Problem != "" {
			t.Errorf("%+v", s)
		}
	}
}

// TestAnActivatorThatEnds: it is told first, then the doors close, then those that are held have their time.
func TestAnActivatorThatEnds(t *testing.T) {
	b := newBench(t, nil)
	c, request := b.dial("tcp"), b.dial("http")
	send(t, request, "GET / HTTP/1.1", "Host: a", "", "")
	b.held("tcp", 1)
	b.held("http", 1)
	var ending sync.WaitGroup
	ending.Go(b.end)
	b.until("tcp", "closed", func(s serves.State) bool { return !s.Listening })
	if !b.server.board.about().Draining {
		t.Error("it has not said that it ends")
	}
	if late, err := net.Dial("tcp", b.at("tcp")); err == nil {
		late.Close()
		t.Error("a door is open")
	}
	b.server.Pods(b.key(), map[string][]netip.AddrPort{
		"tcp":  {netip.MustParseAddrPort(streamPod(t, "127.0.0.2", func(c *net.TCPConn) { io.WriteString(c, "hello") }).String())},
		"http": {netip.MustParseAddrPort(podOf(t, "127.0.0.2", echo()).String())}})
	if got, err := io.ReadAll(c); string(got) != "hello" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	c.Close()
	if r := answer(t, bufio.NewReader(request), http.MethodGet); r.status != http.StatusOK || !r.closes {
		t.Errorf("%+v", r)
	}
	ending.Wait()
}

// TestDoorsCloseBehindThoseWhoHaveCome: nobody is reset whom the kernel has let in before.
func TestDoorsCloseBehindThoseWhoHaveCome(t *testing.T) {
	pair := freePairs(t, 1)[0]
	e, err := open(t.Context(), "127.0.0.1", pair)
	if err != nil {
		t.Fatal(err)
	}
	const many = 50
	for i := range many {
		c, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(pair)+uint16(i%2)).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	var taken atomic.Int32
	e.begin(func(_ int, c *net.TCPConn) {
		taken.Add(1)
		c.Close()
	})
	e.close()
	if n := taken.Load(); n != many {
		t.Errorf("%d of %d are taken", n, many)
	}
	if c, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(pair)).String()); err == nil {
		c.Close()
		t.Error("a door is open")
	}
}
