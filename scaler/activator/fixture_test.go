package activator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen. Nothing is concluded from how long it took.
const patience = 30 * time.Second

// bench is an activator that serves one Service on loopback, with a port of HTTP/1.1 and one of TCP.
type bench struct {
	t      *testing.T
	server *Server
	slice  serves.Slice
	end    func() // tells it to end, and waits until it has
}

// newBench starts an activator. The change is made to the slice before it is served, and what prepares the server before it starts.
func newBench(t *testing.T, change func(*serves.Slice), prepare ...func(*Server)) *bench {
	t.Helper()
	b := &bench{t: t, slice: serves.Slice{
		Namespace: "shop", Service: "web", Family: discoveryv1.AddressTypeIPv4, Face: serves.Active,
		Serves: serves.Serves{Kind: "Deployment", Group: "apps", Name: "web", Protocol: map[string]serves.Protocol{"http": serves.HTTP1}, Hold: metav1.Duration{Duration: patience}},
	}}
	pairs := freePairs(t, 2)
	b.slice.Ports = []serves.Port{{Name: "http", Pair: pairs[0]}, {Name: "tcp", Pair: pairs[1]}}
	if change != nil {
		change(&b.slice)
	}
	b.server = New(Config{Address: "127.0.0.1", Start: "1", Propagation: 10 * time.Millisecond, Drain: patience, Log: zaptest.NewLogger(t)})
	b.server.web.server.ReadHeaderTimeout = patience // the 10 s of a real one may pass while the machine stands still
	for _, do := range prepare {
		do(b.server)
	}
	b.server.Serve(b.slice)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { b.server.Run(ctx) })
	b.end = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(func() {
		b.server.cut() // what a test has left is not waited for
		b.server.web.server.Close()
		b.end()
	})
	return b
}

// freePairs finds pairs of ports that nobody listens on, below those that systems give to whoever asks for any: the latter would be somebody else's before the
// doors are open.
func freePairs(t *testing.T, n int) (pairs []int32) {
	t.Helper()
	for tries := 0; len(pairs) < n; tries++ {
		pair := serves.PairOf(10000 + rand.Int32N(10000))
		opened, err := open(t.Context(), "127.0.0.1", pair)
		if err == nil {
			defer opened.close() // all are held until the last one is chosen
			pairs = append(pairs, pair)
		} else if tries > 1000 {
			t.Fatal("there are no two ports side by side")
		}
	}
	return pairs
}

// at is the address of a port's active door.
func (b *bench) at(name string) string {
	for _, p := range b.slice.Ports {
		if p.Name == name {
			return fmt.Sprint("127.0.0.1:", p.Pair+1)
		}
	}
	b.t.Fatalf("there is no port %s", name)
	return ""
}

func (b *bench) key() types.NamespacedName { return b.slice.Key() }

// ready makes pods ready, for both ports.
func (b *bench) ready(pods ...net.Addr) {
	var all []netip.AddrPort
	for _, pod := range pods {
		all = append(all, netip.MustParseAddrPort(pod.String()))
	}
	b.server.Pods(b.key(), map[string][]netip.AddrPort{"http": all, "tcp": all})
}

// state is that of a port.
func (b *bench) state(name string) serves.State {
	for _, p := range b.server.all() {
		if s := p.state(time.Now()); s.Name == name {
			return s
		}
	}
	b.t.Fatalf("there is no port %s", name)
	return serves.State{}
}

// until waits until the state of a port is so.
func (b *bench) until(name, what string, is func(serves.State) bool) serves.State {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if s := b.state(name); is(s) {
			return s
		}
	}
	b.t.Fatalf("not %s: %+v", what, b.state(name))
	return serves.State{}
}

// held waits until so many connections of a port are held.
func (b *bench) held(name string, n int) {
	b.t.Helper()
	b.until(name, fmt.Sprint(n, " held"), func(s serves.State) bool { return s.Held == n })
}

// untilHalf waits until it is known of the first who waits at a port that it sends no more.
func (b *bench) untilHalf(name string) {
	b.t.Helper()
	is := func(p *port) bool {
		b.server.lobby.mu.Lock()
		defer b.server.lobby.mu.Unlock()
		return p.key.name == name && len(p.queue) > 0 && p.queue[0].half
	}
	for end := time.Now().Add(patience); !slices.ContainsFunc(b.server.all(), is); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatal("it is not seen that a client sends no more")
		}
	}
}

// dial connects to a port.
func (b *bench) dial(name string) *net.TCPConn {
	b.t.Helper()
	c, err := net.Dial("tcp", b.at(name))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		b.t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// listen listens as a pod does: each has an address of its own.
func listen(t *testing.T, address string) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// podOf is a pod of HTTP/1.1.
func podOf(t *testing.T, address string, h http.Handler) net.Addr {
	t.Helper()
	l := listen(t, address)
	serveOn(t, l, &http.Server{Handler: h})
	return l.Addr()
}

func serveOn(t *testing.T, l net.Listener, server *http.Server) {
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(l) })
	t.Cleanup(func() {
		server.Close()
		serving.Wait()
	})
}

// streamPod is a pod that does so with each connection.
func streamPod(t *testing.T, address string, do func(c *net.TCPConn)) net.Addr {
	t.Helper()
	l := listen(t, address)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				do(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return l.Addr()
}

// echo is a handler that answers with what it was sent.
func echo() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Pod", "1")
		io.Copy(w, r.Body)
	})
}

// client is an HTTP client that keeps connections.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// said is an answer that was read.
type said struct {
	status int
	body   string
	closes bool // the connection
}

// answer reads an answer to a request of a method.
func answer(t *testing.T, from *bufio.Reader, method string) said {
	t.Helper()
	r, err := http.ReadResponse(from, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return said{r.StatusCode, string(body), r.Close}
}

func send(t *testing.T, c net.Conn, lines ...string) {
	t.Helper()
	if _, err := io.WriteString(c, strings.Join(lines, "\r\n")); err != nil {
		t.Fatal(err)
	}
}

func mustEnd(t *testing.T, c net.Conn, what string) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); err == nil || n > 0 {
		t.Errorf("%s: the connection goes on", what)
	} else if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		t.Errorf("%s: %v", what, err)
	}
}

// mustRefuse wants a new connection to be ended, which may be so early that it is seen as not made.
func (b *bench) mustRefuse(name, what string) {
	b.t.Helper()
	c, err := net.Dial("tcp", b.at(name))
	if errors.Is(err, syscall.ECONNRESET) {
		return
	}
	if err != nil {
		b.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		b.t.Fatal(err)
	}
	mustEnd(b.t, c, what)
}
