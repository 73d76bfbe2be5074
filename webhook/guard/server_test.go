package guard

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestListen(t *testing.T) {
	t.Parallel()
	certificate, _ := identity(t)
	config := Config{Address: "127.0.0.1:0", Paths: []string{testPath}, Handler: http.HandlerFunc(ok), GetCertificate: certificate}
	if _, err := Listen(Config{Address: "127.0.0.1:0"}); err == nil {
		t.Error("a server without a handler was made")
	}
	s, err := Listen(config)
	if err != nil {
		t.Fatal(err)
	}
	config.Address = s.Addr().String()
	if _, err := Listen(config); err == nil {
		t.Error("a port that is taken does not show")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	again, err := Listen(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(again.Close()); err != nil {
		t.Error(err)
	}
	if again.Close() == nil {
		t.Error("a port can be closed twice")
	}
	if err := again.Serve(t.Context()); err == nil {
		t.Error("a server without a port does not fail")
	}
}

// The API server's client closes an unused connection after 90 s. The server must not close it first, even if it was never used.
func TestServerIsMorePatientThanTheClient(t *testing.T) {
	t.Parallel()
	transport, isTransport := http.DefaultTransport.(*http.Transport)
	if !isTransport {
		t.Fatal("the default transport is another")
	}
	s := newHTTPServer(&Config{}, nil)
	if s.IdleTimeout <= transport.IdleConnTimeout || s.ReadHeaderTimeout <= transport.IdleConnTimeout || s.ReadTimeout != 0 {
		t.Errorf("idle %v, header %v, read %v; the client waits for %v",
			s.IdleTimeout, s.ReadHeaderTimeout, s.ReadTimeout, transport.IdleConnTimeout)
	}
	if s.WriteTimeout <= maxTime {
		t.Errorf("an answer has to be written within %v, but may take %v", s.WriteTimeout, maxTime)
	}
}

func TestProtocols(t *testing.T) {
	t.Parallel()
	s := started(t, Config{Handler: http.HandlerFunc(ok)})
	dial := func(version uint16, protocols ...string) (*tls.Conn, error) {
		config := s.trust.Clone()
		config.MaxVersion, config.NextProtos = version, protocols
		dialer := &tls.Dialer{Config: config}
		conn, err := dialer.DialContext(t.Context(), "tcp", s.Addr().String())
		if err != nil {
			return nil, err
		}
		secure, _ := conn.(*tls.Conn)
		return secure, errors.Join(secure.HandshakeContext(t.Context()), secure.Close())
	}
	if _, err := dial(tls.VersionTLS12); err == nil {
		t.Error("TLS 1.2 was accepted")
	}
	if _, err := dial(tls.VersionTLS13, "h2"); err == nil {
		t.Error("HTTP/2 was accepted")
	}
	conn, err := dial(tls.VersionTLS13, "h2", "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.ConnectionState(); got.NegotiatedProtocol != "http/1.1" || got.Version != tls.VersionTLS13 {
		t.Errorf("they speak %q with TLS version %x", got.NegotiatedProtocol, got.Version)
	}
}

// A stranger who opens connections to fill the log gets ten lines a minute, and each connection is counted.
func TestGarbageDoesNotFillTheLog(t *testing.T) {
	t.Parallel()
	const garbage = 30
	core, logs := observer.New(zap.WarnLevel)
	s := started(t, Config{Log: zap.New(core), Handler: http.HandlerFunc(ok)})
	for range garbage {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
	eventually(t, func() bool { return s.refused.of("connection") == garbage })
	// A minute may end in between.
	if n := logs.Len(); n < 1 || n > 20 {
		t.Errorf("%d lines were logged", n)
	}
	if line := logs.All()[0]; line.Message != "a connection failed" || line.ContextMap()["detail"] == "" {
		t.Errorf("logged %v", line)
	}
}

// fakeConn is a connection that can be closed.
type fakeConn struct {
	net.Conn
	closed bool
}

func (c *fakeConn) Close() error {
	c.closed = true
	return nil
}

func TestLongestWaitingConnectionIsClosed(t *testing.T) {
	t.Parallel()
	evicted := 0
	c := newConnections(3, func() { evicted++ })
	conns := make([]*fakeConn, 8)
	for i := range conns {
		conns[i] = &fakeConn{}
	}
	expect := func(what string, want ...int) {
		t.Helper()
		var closed []int
		for i, conn := range conns {
			if conn.closed {
				closed = append(closed, i)
			}
		}
		if !slices.Equal(closed, want) || evicted != len(want) {
			t.Errorf("%s: closed %v, not %v; %d counted", what, closed, want, evicted)
		}
	}
	for i := range 3 {
		c.changed(conns[i], http.StateNew)
	}
	c.changed(conns[0], http.StateActive)
	c.changed(conns[0], http.StateIdle)
	expect("three are allowed")
	c.changed(conns[3], http.StateNew)
	expect("0 was used since 1 was opened", 1)
	c.changed(conns[1], http.StateActive) // its last words
	c.changed(conns[1], http.StateClosed)
	for _, i := range []int{0, 2, 3} {
		c.setBusy(conns[i], true)
	}
	c.changed(conns[4], http.StateNew)
	expect("all others are busy", 1, 4)
	c.changed(conns[2], http.StateClosed)
	c.setBusy(conns[0], false) // it has sent a request before, and keeps the connection
	c.changed(conns[5], http.StateNew)
	expect("there is room again", 1, 4)
	c.changed(conns[6], http.StateNew)
	expect("0 is waited for longest, but has sent a request before", 1, 4, 5)
	c.setBusy(conns[6], true)
	c.setBusy(conns[7], true) // not open: nothing happens
	c.changed(conns[7], http.StateNew)
	c.setBusy(conns[7], true)
	c.changed(conns[7], http.StateClosed)
	expect("the new one is the only one that has sent nothing", 1, 4, 5, 7)
}

// While somebody holds all connections and lets the server wait, a new request is still answered, and one that is being answered
// is answered to its end.
func TestConnectionsInExcess(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]string{
		"nothing": "", "half a header": head(2, "")[:20], "half a small body": head(2, "") + "{", "half a large body": head(smallBody+1, "") + "{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			excess(t, sent)
		})
	}
}

func excess(t *testing.T, sent string) {
	const limit = 4
	begun, release := make(chan struct{}), make(chan struct{})
	s := &instance{}
	open := newConnections(limit, func() { s.refused.add("connections") })
	*s = *prepared(t, Config{Handler: open.keepBusy(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "long" {
			close(begun)
			<-release
		}
		ok(w, r)
	}))})
	open.track(s.http)
	s.serve(t)
	long := s.dial(t)
	if _, err := io.WriteString(long, head(2, "?long")+"{}"); err != nil {
		t.Fatal(err)
	}
	wait(t, begun, "the long request")
	waiting := make([]*tls.Conn, limit-1)
	for i := range waiting {
		waiting[i] = s.dial(t)
		if _, err := io.WriteString(waiting[i], sent); err != nil {
			t.Fatal(err)
		}
	}
	client := s.client(t)
	for range 3 {
		if resp := post(t, client, s.url(), []byte("{}")); resp.status != http.StatusOK {
			t.Errorf("answered %d", resp.status)
		}
	}
	if s.refused.of("connections") != 1 {
		t.Errorf("counted %v", &s.refused)
	}
	close(release)
	if resp := answered(t, long); resp.status != http.StatusOK {
		t.Errorf("the long request was answered %d", resp.status)
	}
}

// A request that is being answered when the drain is over is answered to its end.
func TestShutdownWaitsForAnswers(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	s := started(t, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-release
		ok(w, r)
	})})
	conn := s.dial(t)
	if _, err := io.WriteString(conn, head(2, "")+"{}"); err != nil {
		t.Fatal(err)
	}
	wait(t, begun, "the request")
	s.end()
	eventually(t, func() bool {
		other, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr().String())
		if err == nil {
			_ = other.Close()
		}
		return err != nil
	})
	close(release)
	if resp := answered(t, conn); resp.status != http.StatusOK {
		t.Errorf("answered %d", resp.status)
	}
	wait(t, s.ended, "the server's end")
}

// balancer stands for a Service: new connections go to the first server that is not draining, existing ones stay.
type balancer struct {
	listener net.Listener
	target   atomic.Pointer[string]
	pipes    sync.WaitGroup
}

func balance(t *testing.T, target string) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{listener: listener}
	b.target.Store(&target)
	b.pipes.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			b.pipes.Go(func() { b.pipe(in) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		b.pipes.Wait()
	})
	return b
}

func (b *balancer) pipe(in net.Conn) {
	out, err := net.Dial("tcp", *b.target.Load())
	if err != nil {
		_ = in.Close()
		return
	}
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{in: out, out: in} {
		both.Go(func() {
			_, _ = io.Copy(to, from)
			_ = to.Close()
		})
	}
	both.Wait()
	_ = in.Close()
	_ = out.Close()
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// One server ends and another takes over, as in a rolling update, while an API server asks 200 times a second. POSTs are not
// repeated by net/http: each of them has to be answered at its first try.
func TestDrainLosesNothing(t *testing.T) {
	t.Parallel()
	var byFirst, bySecond atomic.Int32
	answering := func(n *atomic.Int32) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			ok(w, r)
		})
	}
	first := prepared(t, Config{Handler: answering(&byFirst), Drain: enough})
	drained := make(chan time.Time)
	first.after = func(time.Duration) <-chan time.Time { return drained }
	first.serve(t)
	t.Cleanup(func() { _ = first.http.Close() }) // if it failed before the end
	second := started(t, Config{Handler: answering(&bySecond)})
	b := balance(t, first.Addr().String())
	client := first.client(t)
	transport, _ := client.Transport.(*http.Transport)
	transport.TLSClientConfig.InsecureSkipVerify = true // two servers, two certificates

	url := "https://" + b.listener.Addr().String() + testPath
	var sent, closed, failed atomic.Int32
	var requests sync.WaitGroup
	ask := func() {
		resp, err := try(t.Context(), client, url, []byte(`{"kind":"AdmissionReview"}`))
		switch {
		case err != nil || resp.status != http.StatusOK:
			failed.Add(1)
			t.Errorf("a request failed: %v %v", resp, err)
		case resp.close:
			closed.Add(1)
		}
	}
	askUntil := func(done func() bool) {
		for tick := time.NewTicker(5 * time.Millisecond); !done() && !t.Failed(); <-tick.C {
			sent.Add(1)
			requests.Go(ask)
		}
	}
	askUntil(func() bool { return byFirst.Load() >= 100 })
	first.end()
	// It gets new connections until every client has learnt that it ends.
	askUntil(func() bool { return closed.Load() >= 50 })
	target := second.Addr().String()
	b.target.Store(&target)
	askUntil(func() bool { return bySecond.Load() >= 100 })
	close(drained)
	before := bySecond.Load()
	askUntil(func() bool { return isClosed(first.ended) && bySecond.Load() >= before+100 })
	requests.Wait()
	t.Logf("%d requests: %d answered by the first, %d of them with Connection: close, %d by the second, %d failed",
		sent.Load(), byFirst.Load(), closed.Load(), bySecond.Load(), failed.Load())
	if failed.Load() != 0 || byFirst.Load()+bySecond.Load() != sent.Load() {
		t.Error("a request was lost")
	}
	transport.CloseIdleConnections()
}

// While it drains, a connection that was kept is answered and closed, and a new one as well.
func TestDrainClosesWhatWasKept(t *testing.T) {
	t.Parallel()
	s := prepared(t, Config{Handler: http.HandlerFunc(ok), Drain: time.Minute})
	drained := make(chan time.Time)
	s.after = func(d time.Duration) <-chan time.Time {
		if d != time.Minute {
			t.Errorf("drains for %v", d)
		}
		return drained
	}
	s.serve(t)
	kept := s.dial(t)
	ask := func(conn io.ReadWriter) answer {
		if _, err := io.WriteString(conn, head(2, "")+"{}"); err != nil {
			t.Fatal(err)
		}
		return answered(t, conn)
	}
	if resp := ask(kept); resp.status != http.StatusOK || resp.close {
		t.Errorf("answered %d, closing %v", resp.status, resp.close)
	}
	s.end()
	eventually(t, s.draining.Load)
	for _, conn := range []*tls.Conn{kept, s.dial(t)} {
		if resp := ask(conn); resp.status != http.StatusOK || !resp.close {
			t.Errorf("answered %d, closing %v", resp.status, resp.close)
		}
	}
	close(drained)
	wait(t, s.ended, "the server's end")
}
