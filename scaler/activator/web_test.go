package activator

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

func TestARequestIsHeldUntilAPodIsReady(t *testing.T) {
	b := newBench(t, nil)
	c := b.dial("http")
	send(t, c, "GET /a%2Fb?c;d HTTP/1.1", "Host: web.shop", "X-Forwarded-For: 1.2.3.4", "Connection: keep-alive", "", "")
	b.held("http", 1)
	var seen http.Request
	b.ready(podOf(t, "127.0.0.2", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = *r
		fmt.Fprint(w, "hello")
	})))
	if r := answer(t, bufio.NewReader(c), http.MethodGet); r.status != http.StatusOK || r.body != "hello" || !r.closes {
		t.Errorf("answered is %+v; if the connection goes on, the client comes back to the activator", r)
	}
	mustEnd(t, c, "after the answer")
	if seen.RequestURI != "/a%2Fb?c;d" || seen.Host != "web.shop" || seen.Header.Get("X-Forwarded-For") != "1.2.3.4" || seen.Header.Get("User-Agent") != "" {
		t.Errorf("the pod has seen %s of %s with %v", seen.RequestURI, seen.Host, seen.Header)
	}
	s := b.until("http", "over", func(s serves.State) bool { return s.InFlight == 0 })
	if s.Held != 0 || s.Total != 1 || s.Wakes != 1 || s.Refused != 0 || s.Waits.Total() != 1 || s.Active.Connections != 1 || s.Standby.Connections != 0 || s.RequestSeconds <= 0 {
		t.Errorf("%+v", s)
	}
}

func TestRequestsWhileAPodIsReady(t *testing.T) {
	b := newBench(t, nil)
	b.ready(podOf(t, "127.0.0.2", echo()))
	client := newClient(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MiB
	for name, body := range map[string]func() io.Reader{
		"no body":    func() io.Reader { return nil },
		"a body":     func() io.Reader { return strings.NewReader("body") },
		"chunks":     func() io.Reader { return io.MultiReader(strings.NewReader("chunk"), strings.NewReader("s")) },
		"a big body": func() io.Reader { return bytes.NewReader(big) },
	} {
		for range 3 {
			r, err := client.Post("http://"+b.at("http"), "text/plain", body())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, err := io.ReadAll(r.Body)
			r.Body.Close()
			if r.StatusCode != http.StatusOK || err != nil || r.Header.Get("X-Pod") != "1" {
				t.Errorf("%s: %d: %v", name, r.StatusCode, err)
			}
			if name == "a big body" && sha256.Sum256(got) != sha256.Sum256(big) {
				t.Errorf("%d bytes came back", len(got))
			}
		}
	}
	if s := b.state("http"); s.Wakes != 0 || s.Total != 12 || s.Active.Connections != 12 {
		t.Errorf("%+v", s)
	}
}

// TestPathAlways: there is nowhere else to go, so connections are kept, and pipelined requests are answered in turn.
func TestPathAlways(t *testing.T) {
	b := newBench(t, func(s *serves.Slice) { s.Serves.Path = serves.PathAlways })
	b.ready(podOf(t, "127.0.0.2", echo()))
	c := b.dial("http")
	send(t, c, "POST /1 HTTP/1.1", "Host: a", "Content-Length: 3", "", "onePOST /2 HTTP/1.1", "Host: a", "Content-Length: 3", "", "twoGET /3 HTTP/1.1", "Host: a", "", "")
	from := bufio.NewReader(c)
	for _, want := range []string{"one", "two", ""} {
		if r := answer(t, from, http.MethodPost); r.status != http.StatusOK || r.body != want || r.closes {
			t.Errorf("%+v", r)
		}
	}
	if s := b.state("http"); s.Active.Connections != 1 || s.Total != 3 {
		t.Errorf("%+v", s)
	}
}

func TestAPodThatRefusesAtFirst(t *testing.T) {
	b := newBench(t, nil)
	l := listen(t, "127.0.0.2")
	address := l.Addr()
	l.Close() // nobody listens there yet
	b.ready(address)
	c := b.dial("http")
	send(t, c, "POST / HTTP/1.1", "Host: a", "Content-Length: 5", "", "hello")
	b.held("http", 1)
	again, err := net.Listen("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, again, &http.Server{Handler: echo()})
	if r := answer(t, bufio.NewReader(c), http.MethodPost); r.status != http.StatusOK || r.body != "hello" {
		t.Errorf("%+v", r)
	}
}

func TestAnotherPodIsTriedWhereOneRefuses(t *testing.T) {
	b := newBench(t, nil)
	refusing := listen(t, "127.0.0.3")
	refusing.Close()
	b.ready(refusing.Addr(), podOf(t, "127.0.0.2", echo()))
	client := newClient(t)
	for range 4 {
		r, err := client.Post("http://"+b.at("http"), "", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != http.StatusOK || string(body) != "hello" {
			t.Errorf("%d %q", r.StatusCode, body)
		}
	}
}

// TestNothingIsSentTwice: a pod that ends the connection may have begun.
func TestNothingIsSentTwice(t *testing.T) {
	b := newBench(t, nil)
	var came atomic.Int64
	pod := streamPod(t, "127.0.0.2", func(c *net.TCPConn) {
		bufio.NewReader(c).ReadString('\n')
		came.Add(1)
	})
	b.ready(pod, pod)
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		came.Store(0)
		request, _ := http.NewRequest(method, "http://"+b.at("http"), strings.NewReader("x"))
		r, err := newClient(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusBadGateway || came.Load() != 1 {
			t.Errorf("%s: %d after %d tries", method, r.StatusCode, came.Load())
		}
	}
}

func TestNoPodIsReadyInTime(t *testing.T) {
	b := newBench(t, func(s *serves.Slice) { s.Serves.Hold = metav1.Duration{Duration: time.Second} })
	for name, body := range map[string]string{"no body": "", "a body": "hello", "a body that is left": strings.Repeat("x", 100_000)} {
		c := b.dial("http")
		send(t, c, "POST / HTTP/1.1", "Host: a", fmt.Sprint("Content-Length: ", len(body)), "", body)
		if r := answer(t, bufio.NewReader(c), http.MethodPost); r.status != http.StatusServiceUnavailable || r.body != "mini-hpa: no pod was ready within the hold\n" || !r.closes {
			t.Errorf("%s: %+v", name, r)
		}
	}
	r, err := newClient(t).Get("http://" + b.at("http"))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.Header.Get("Retry-After") != "5" {
		t.Errorf("%v", r.Header)
	}
	if s := b.state("http"); s.Refused != 4 || s.Held != 0 {
		t.Errorf("%+v", s)
	}
}

func TestThereIsNoRoom(t *testing.T) {
	b := newBench(t, func(s *serves.Slice) { s.Serves.Limit = 2 })
	for range 2 {
		send(t, b.dial("http"), "GET / HTTP/1.1", "Host: a", "", "")
	}
	b.held("http", 2)
	r, err := newClient(t).Get("http://" + b.at("http"))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	b.mustRefuse("tcp", "the places are the Service's, whatever its port is")
}

func TestAClientThatGoesAwayFreesItsPlace(t *testing.T) {
	b := newBench(t, nil)
	tests := map[string][]string{
		"without a body":     {"GET / HTTP/1.1", "Host: a", "", ""},
		"with a body":        {"POST / HTTP/1.1", "Host: a", "Content-Length: 5", "", "hello"},
		"in a body":          {"POST / HTTP/1.1", "Host: a", "Content-Length: 500000", "", "hello"},
		"before the body":    {"POST / HTTP/1.1", "Host: a", "Content-Length: 5", "Expect: 100-continue", "", ""},
		"in chunks":          {"POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "", "5", "hello", ""},
		"of HTTP/2, unasked": {"PRI * HTTP/2.0", "", "SM", "", ""},
	}
	for name, request := range tests {
		t.Run(name, func(t *testing.T) {
			for _, how := range []func(*net.TCPConn) error{(*net.TCPConn).Close, (*net.TCPConn).CloseWrite, func(c *net.TCPConn) error { c.SetLinger(0); return c.Close() }} {
				c := b.dial("http")
				send(t, c, request...)
				b.held("http", 1)
				if err := how(c); err != nil {
					t.Fatal(err)
				}
				b.held("http", 0)
				// One that has ended its half only may read: it must not be told that all is well.
				if got, _ := io.ReadAll(c); len(got) > 0 {
					t.Errorf("it is answered %q", got)
				}
			}
		})
	}
	if s := b.state("http"); s.Refused != 0 {
		t.Errorf("%+v", s)
	}
}

func TestUpgrades(t *testing.T) {
	b := newBench(t, func(s *serves.Slice) { s.Serves.PerPod = 1 })
	pod := podOf(t, "127.0.0.2", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
			http.Error(w, "not a WebSocket", http.StatusBadRequest)
			return
		}
		c, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		io.Copy(c, buffer)
	}))
	b.ready(pod)
	// One that lasts does not keep the next from its pod.
	for range 3 {
		c := b.dial("http")
		send(t, c, "GET /chat HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x", "", "")
		from := bufio.NewReader(c)
		r, err := http.ReadResponse(from, nil) //nolint:bodyclose // there is none
		if err != nil || r.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v %v", r, err)
		}
		for range 3 {
			send(t, c, "ping\n")
			if got, err := from.ReadString('\n'); got != "ping\n" || err != nil {
				t.Fatalf("%q %v", got, err)
			}
		}
	}
	if s := b.state("http"); s.InFlight != 3 {
		t.Errorf("%+v", s)
	}
}

// TestConnectionsWithoutRequests: those of a port that has too many of them do not keep others out.
func TestConnectionsWithoutRequests(t *testing.T) {
	b := newBench(t, func(s *serves.Slice) {
		s.Serves.Protocol["tcp"] = serves.HTTP1
		s.Serves.Ignore = []string{"/healthz"}
	}, func(s *Server) { s.web.maxIdle = 3 })
	var crowd []*net.TCPConn
	for i := range 4 {
		crowd = append(crowd, b.dial("http"))
		b.until("http", "one more", func(s serves.State) bool { return s.Active.Connections == uint64(i+1) })
	}
	mustEnd(t, crowd[0], "there are too many, and it was the first")
	quiet := b.dial("tcp")
	mustEnd(t, crowd[1], "another port has none, and it was the first of those that are left")
	send(t, quiet, "GET /healthz HTTP/1.1", "Host: a", "", "")
	if r := answer(t, bufio.NewReader(quiet), http.MethodGet); r.body != "asleep\n" || !r.closes {
		t.Errorf("%+v", r)
	}
	if s := b.state("http"); s.Refused != 2 || s.Total != 2 {
		t.Errorf("%+v", s)
	}
	for _, c := range crowd {
		c.Close()
	}
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		b.server.web.mu.Lock()
		idle, fresh, ports := b.server.web.idle, b.server.web.fresh, len(b.server.web.resting)
		b.server.web.mu.Unlock()
		if idle == 0 && fresh == 0 && ports == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d, %d and %d are left", idle, fresh, ports)
		}
	}
}

// TestARequestThatIsReadAtTheEnd is answered, though it was not whole when the doors closed.
func TestARequestThatIsReadAtTheEnd(t *testing.T) {
	b := newBench(t, nil)
	c := b.dial("http")
	send(t, c, "GET / HTTP/1.1", "Host: a", "")
	b.until("http", "there", func(s serves.State) bool { return s.Active.Connections == 1 })
	b.ready(podOf(t, "127.0.0.2", echo()))
	var ending sync.WaitGroup
	ending.Go(b.end)
	b.until("http", "closed", func(s serves.State) bool { return !s.Listening })
	send(t, c, "", "")
	if r := answer(t, bufio.NewReader(c), http.MethodGet); r.status != http.StatusOK || !r.closes {
		t.Errorf("%+v", r)
	}
	ending.Wait()
}

// TestHTTP2IsNotAskedFor: its settings are of one connection, and do not reach the pod. It answers as if nobody had asked.
func TestHTTP2IsNotAskedFor(t *testing.T) {
	b := newBench(t, nil)
	b.ready(podOf(t, "127.0.0.2", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.Header.Get("Upgrade"), r.Header.Get("Connection"))
	})))
	c := b.dial("http")
	send(t, c, "GET / HTTP/1.1", "Host: a", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA", "", "")
	if r := answer(t, bufio.NewReader(c), http.MethodGet); r.status != http.StatusOK || r.body != `"" ""` {
		t.Errorf("%+v", r)
	}
}

// TestOptionsOfTheServer: the pod answers OPTIONS *, as it would if it were asked itself.
func TestOptionsOfTheServer(t *testing.T) {
	b := newBench(t, nil)
	c := b.dial("http")
	send(t, c, "OPTIONS * HTTP/1.1", "Host: a", "", "")
	b.held("http", 1)
	b.ready(podOf(t, "127.0.0.2", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })))
	if r := answer(t, bufio.NewReader(c), http.MethodOptions); r.status != http.StatusOK && r.status != http.StatusTeapot {
		t.Errorf("%+v", r)
	}
	if s := b.state("http"); s.Total != 1 {
		t.Errorf("%+v", s)
	}
}

// TestWhoFailed: a pod that ends the connection has failed, and a client that goes before the answer has not made it fail.
func TestWhoFailed(t *testing.T) {
	b := newBench(t, nil)
	came := make(chan struct{})
	release := make(chan struct{})
	b.ready(streamPod(t, "127.0.0.2", func(c *net.TCPConn) {
		bufio.NewReader(c).ReadString('\n')
		came <- struct{}{}
		<-release
	}))
	failed := func() uint64 {
		var n uint64
		for _, p := range b.server.all() {
			_, _, of := p.facts(time.Now())
			n += of
		}
		return n
	}
	c := b.dial("http")
	send(t, c, "GET / HTTP/1.1", "Host: a", "", "")
	<-came
	c.Close()
	b.until("http", "over", func(s serves.State) bool { return s.InFlight == 0 })
	release <- struct{}{}
	if n := failed(); n != 0 {
		t.Errorf("%d have failed when a client has gone", n)
	}
	c = b.dial("http")
	send(t, c, "POST / HTTP/1.1", "Host: a", "Content-Length: 1", "", "x")
	<-came
	release <- struct{}{}
	if r := answer(t, bufio.NewReader(c), http.MethodPost); r.status != http.StatusBadGateway || !r.closes {
		t.Errorf("%+v", r)
	}
	if n := failed(); n != 1 {
		t.Errorf("%d have failed when a pod has ended the connection", n)
	}
}

func TestRequestsThatWakeNobody(t *testing.T) {
	b := newBench(t, func(s *serves.Slice) {
		s.Serves.Ignore, s.Serves.IgnoreAgents = []string{"/healthz"}, []string{"kube-probe/"}
	})
	ask := func(path, agent string) (int, string) {
		request, _ := http.NewRequest(http.MethodGet, "http://"+b.at("http")+path, nil)
		request.Header.Set("User-Agent", agent)
		r, err := newClient(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(body)
	}
	for _, request := range [][2]string{{"/healthz", ""}, {"/x", "kube-probe/1.37"}} {
		if status, body := ask(request[0], request[1]); status != http.StatusOK || body != "asleep\n" {
			t.Errorf("%v is answered %d %q", request, status, body)
		}
	}
	b.ready(podOf(t, "127.0.0.2", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })))
	if status, _ := ask("/healthz", ""); status != http.StatusTeapot {
		t.Errorf("with a pod it is answered %d", status)
	}
	if s := b.state("http"); s.Total != 0 || s.Wakes != 0 || s.InFlight != 0 || s.RequestSeconds != 0 {
		t.Errorf("%+v", s)
	}
}

func TestHeadersThatDoNotCome(t *testing.T) {
	b := newBench(t, nil, func(s *Server) { s.web.server.ReadHeaderTimeout = 50 * time.Millisecond })
	for name, sent := range map[string]string{"nothing": "", "a part": "GET / HTTP/1.1\r\nHost: a\r\nX: "} {
		c := b.dial("http")
		send(t, c, sent)
		rest, err := io.ReadAll(c)
		if err != nil && !errors.Is(err, syscall.ECONNRESET) || len(rest) > 0 && !strings.Contains(string(rest), "408") { // the time may be over before the part was sent
			t.Errorf("%s: %q %v", name, rest, err)
		}
	}
	if s := b.state("http"); s.Total != 0 {
		t.Errorf("%+v", s)
	}
}

func TestHeadersThatAreTooLarge(t *testing.T) {
	b := newBench(t, nil)
	c := b.dial("http")
	send(t, c, "GET / HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 32<<10))
	if r := answer(t, bufio.NewReader(c), http.MethodGet); r.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers of 32 KiB: %+v", r)
	}
	if s := b.state("http"); s.Total != 0 {
		t.Errorf("%+v", s)
	}
}

// TestHTTP2OnAPortOfHTTP1: a client that knows better than the name of the port is passed on as bytes.
func TestHTTP2OnAPortOfHTTP1(t *testing.T) {
	b := newBench(t, nil)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	l := listen(t, "127.0.0.2")
	serveOn(t, l, &http.Server{Handler: echo(), Protocols: &protocols})
	client := newClient(t)
	client.Transport.(*http.Transport).Protocols = &protocols
	var asking sync.WaitGroup
	asking.Go(func() {
		r, err := client.Post("http://"+b.at("http"), "", strings.NewReader("hello"))
		if err != nil {
			t.Error(err)
			return
		}
		defer r.Body.Close()
		if body, err := io.ReadAll(r.Body); string(body) != "hello" || r.ProtoMajor != 2 {
			t.Errorf("%s %q: %v", r.Proto, body, err)
		}
	})
	b.held("http", 1)
	b.ready(l.Addr())
	asking.Wait()
}

// TestAllRequestsOfABurstAreAnswered once, while pods come and go. How many there are at a time is bounded for as long as they last only where all come this way.
func TestAllRequestsOfABurstAreAnswered(t *testing.T) {
	for name, path := range map[string]serves.Path{"on the way to a pod that wakes": serves.PathAsleep, "always": serves.PathAlways} {
		t.Run(name, func(t *testing.T) { burst(t, path) })
	}
}

func burst(t *testing.T, path serves.Path) {
	b := newBench(t, func(s *serves.Slice) { s.Serves.PerPod, s.Serves.Path = 5, path })
	var served atomic.Int64
	var most, now atomic.Int64
	pod := podOf(t, "127.0.0.2", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		served.Add(1)
		io.Copy(w, r.Body)
	}))
	const clients = 100
	var asking sync.WaitGroup
	for i := range clients {
		asking.Go(func() {
			want := fmt.Sprint("hello ", i)
			r, err := newClient(t).Post("http://"+b.at("http"), "", strings.NewReader(want))
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			if body, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusOK || string(body) != want {
				t.Errorf("%d %q", r.StatusCode, body)
			}
		})
	}
	b.held("http", clients)
	b.ready(pod)
	b.ready()
	b.ready(pod)
	asking.Wait()
	if served.Load() != clients || path == serves.PathAlways && most.Load() > 5 {
		t.Errorf("%d were served, %d at a time", served.Load(), most.Load())
	}
	if s := b.until("http", "over", func(s serves.State) bool { return s.InFlight == 0 }); s.Held != 0 || s.Waits.Total() != clients {
		t.Errorf("%+v", s)
	}
}

// TestAHoldThatEndsWithTheConnection to a pod is one that was too long: the pod has not failed.
func TestAHoldThatEndsWithTheConnection(t *testing.T) {
	b := newBench(t, nil, func(s *Server) {
		r := s.web.proxy.Transport.(*routes)
		for _, by := range []*http.Transport{r.kept, r.once} {
			by.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) {
				c, err := dial(ctx, address)
				ctx.Value(errandKey{}).(*errand).cancel(errTooLong)
				return c, err
			}
		}
	})
	never := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) // an answer could come before the end is seen
	b.ready(podOf(t, "127.0.0.2", never))
	for i, method := range []string{http.MethodGet, http.MethodPost, http.MethodPost} { // another GET could use the connection of the first
		c := b.dial("http")
		send(t, c, method+" / HTTP/1.1", "Host: a", "Content-Length: 0", "", "")
		if r := answer(t, bufio.NewReader(c), method); r.status != http.StatusServiceUnavailable || !r.closes {
			t.Errorf("%s: %+v", method, r)
		}
		b.until("http", "refused", func(s serves.State) bool { return s.Refused == uint64(i+1) && s.InFlight == 0 && s.Held == 0 })
	}
}
