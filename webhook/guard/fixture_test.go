package guard

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// enough is for waiting for what has to happen; no test depends on its length.
const enough = 30 * time.Second

const testPath = "/validate"

// identity is a certificate for 127.0.0.1, and how to trust it.
func identity(t *testing.T) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "webhook"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	certificate := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil },
		&tls.Config{RootCAs: roots, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
}

// counts are the refusals by their reason.
type counts struct {
	mu       sync.Mutex
	byReason map[string]int
}

func (c *counts) add(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byReason == nil {
		c.byReason = map[string]int{}
	}
	c.byReason[reason]++
}

func (c *counts) of(reason string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byReason[reason]
}

func (c *counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.byReason)
}

// instance is a server under test.
type instance struct {
	*Server
	refused counts
	trust   *tls.Config
	end     context.CancelFunc // tells it to end
	ended   chan struct{}
}

// prepared is an instance that does not serve yet. What it is asked may take as long as the machine needs, unless a test says otherwise.
func prepared(t *testing.T, c Config) *instance {
	t.Helper()
	i := &instance{ended: make(chan struct{})}
	c.Address, c.Paths, c.OnRefused = "127.0.0.1:0", []string{testPath}, i.refused.add
	c.GetCertificate, i.trust = identity(t)
	c.longest = cmp.Or(c.longest, enough)
	var err error
	if i.Server, err = Listen(c); err != nil {
		t.Fatal(err)
	}
	i.http.WriteTimeout = 2 * c.longest // as maxExchange is to maxTime
	return i
}

// serve answers until the end of the test, or until end is called.
func (i *instance) serve(t *testing.T) *instance {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	i.end = cancel
	go func() {
		defer close(i.ended)
		if err := i.Serve(ctx); err != nil {
			t.Errorf("the server failed: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		wait(t, i.ended, "the server's end")
	})
	return i
}

func started(t *testing.T, c Config) *instance {
	t.Helper()
	return prepared(t, c).serve(t)
}

// client behaves as an API server's does: HTTP/1.1 with connections that are kept (client-go's transport).
func (i *instance) client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: i.trust, MaxIdleConnsPerHost: 25, IdleConnTimeout: 90 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: enough}
}

func (i *instance) url() string { return "https://" + i.Addr().String() + testPath }

// dial opens a connection for a client that does what no API server would.
func (i *instance) dial(t *testing.T) *tls.Conn {
	t.Helper()
	dialer := &tls.Dialer{Config: i.trust}
	conn, err := dialer.DialContext(t.Context(), "tcp", i.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	secure, ok := conn.(*tls.Conn)
	if !ok {
		t.Fatal("this is no TLS connection")
	}
	_ = secure.SetDeadline(time.Now().Add(enough))
	return secure
}

// head is the header of a request that announces a body.
func head(length int, query string) string {
	return fmt.Sprintf("POST %s%s HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", testPath, query, length)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	close  bool // asks the client to close the connection
	text   string
}

func readAnswer(resp *http.Response) (answer, error) {
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, resp.Close, string(text)}, err
}

// try sends a body.
func try(ctx context.Context, client *http.Client, url string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	return readAnswer(resp)
}

// post sends a body that is answered.
func post(t *testing.T, client *http.Client, url string, body []byte) answer {
	t.Helper()
	got, err := try(t.Context(), client, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// answered reads the answer to a request that was written by hand.
func answered(t *testing.T, conn io.Reader) answer {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := readAnswer(resp)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// wait waits for something that has to happen.
func wait[T any](t *testing.T, c <-chan T, what string) (got T) {
	t.Helper()
	select {
	case got = <-c:
	case <-time.After(enough):
		t.Fatalf("waited in vain for %s", what)
	}
	return got
}

// ok answers that all is well.
func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }
