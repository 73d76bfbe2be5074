package sources

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
	"github.com/mini-hpa/mini-hpa/test/await"
)

// timeout is the deadline of what should be answered at once, long enough for any machine. Nothing here waits for its end.
const timeout = time.Minute

// files are what the entry of a test names: texts by path, which may change while a client reads them.
type files struct{ sync.Map }

// with returns files.
func with(texts map[string]string) *files {
	have := &files{}
	for path, text := range texts {
		have.Store(path, text)
	}
	return have
}

// read is os.ReadFile.
func (f *files) read(path string) ([]byte, error) {
	if text, ok := f.Load(path); ok {
		return fmt.Append(nil, text), nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

// open makes a client of a kind from what the file says of an entry of it: the members of an object in JSON.
func open(t *testing.T, kind, settings string, have *files) sources.Client {
	t.Helper()
	return openIn(t, kind, settings, sources.Env{ReadFile: have.read})
}

// openIn is open where more of the process around a client counts.
func openIn(t *testing.T, kind, settings string, env sources.Env) sources.Client {
	t.Helper()
	k, entry := entryOf(t, kind, settings)
	env.Log = zaptest.NewLogger(t)
	client, err := k.Open(&entry, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// entryOf is an entry of a kind in the file, with these settings, which nothing holds back.
func entryOf(t *testing.T, kind, settings string) (sources.Kind, catalog.Entry) {
	t.Helper()
	at := slices.IndexFunc(sources.Kinds(), func(k sources.Kind) bool { return k.Name == kind })
	if at < 0 {
		t.Fatalf("there is no kind %q", kind)
	}
	k := sources.Kinds()[at]
	file := fmt.Sprintf(`{"version": "v1", "sources": [{"name": "it", "type": %q, "namespaces": ["*"], "allow": %s, %s}]}`, kind, allowAll(k), settings)
	all, err := catalog.Parse([]byte(file), sources.Types())
	if err != nil {
		t.Fatal(err)
	}
	entry := *all.Entry("it")
	entry.Timeout = timeout
	return k, entry
}

// listed are the settings of an entry that names addresses, and more.
func listed(name string, addresses, more []string) string {
	text, _ := json.Marshal(addresses) // of texts alone
	return strings.Join(append([]string{fmt.Sprintf("%q: %s", name, text)}, more...), ", ")
}

// tellsNoneOf asks a source that is refused, and looks for secrets in all that it logs, and in what a tenant reads.
func tellsNoneOf(t *testing.T, kind, settings string, have *files, asked metrics.Question, secrets ...string) {
	t.Helper()
	_, entry := entryOf(t, kind, settings)
	core, logged := observer.New(zapcore.DebugLevel)
	source, err := sources.Open(&entry, sources.Env{Log: zap.New(core), ReadFile: have.read}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	_, err = source.Ask(t.Context(), asked)
	if err == nil || !strings.Contains(err.Error(), " refused the credentials ") || logged.Len() == 0 {
		t.Errorf("%v, and the log has %d lines; want that the credentials are refused, and a line about it", err, logged.Len())
	}
	text := fmt.Sprint(err)
	for _, line := range logged.All() {
		text += fmt.Sprintf("\n%s %v", line.Message, line.ContextMap())
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%q is seen: %s", secret, text)
		}
	}
}

// allowAll is what an entry allows that holds nobody back.
func allowAll(k sources.Kind) string {
	all := map[string][]string{}
	for _, p := range k.Parameters {
		if p.Allowed {
			all[p.Name] = []string{"*"}
		}
	}
	text, _ := json.Marshal(all) // of texts alone
	return string(text)
}

// until waits until something is so.
func until(t *testing.T, what string, ask func() error) {
	t.Helper()
	if err := await.Within(t.Context(), 2*time.Minute, 50*time.Millisecond, func(context.Context) error { return ask() }); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// certified is a certificate for 127.0.0.1, and both it and its key in PEM.
func certified(t *testing.T) (certificate tls.Certificate, text, key string) {
	t.Helper()
	web := httptest.NewTLSServer(nil) // which brings one
	defer web.Close()
	certificate = web.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	text = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}))
	return certificate, text, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

// line is a question with these parameters.
func line(parameters map[string]string) metrics.Question {
	return metrics.Question{Source: "it", Namespace: "shop", Parameters: catalog.ParametersOf(parameters)}
}

// result is what came of a question, as a tenant reads it: "5 of 2 at most 3: 3 partitions of ... active true", where the source has a target,
// a limit and a mind of its own, or "!" and the words of the failure.
type result string

func resultOf(a metrics.Answer, err error) result {
	fault, ok := err.(*sources.Fault) //nolint:errorlint // what a client returns is a Fault, not something around one
	switch {
	case ok:
		return result("!" + fault.Told)
	case err != nil:
		return result("not a Fault: " + err.Error())
	case len(a.External) != 1:
		return result(fmt.Sprintf("%d values", len(a.External)))
	}
	text := a.External[0].Value.String()
	if a.Hint.Target != nil {
		text += " of " + a.Hint.Target.String()
	}
	if a.Hint.Limit != 0 || a.Hint.Because != "" {
		text += fmt.Sprintf(" at most %d: %s", a.Hint.Limit, a.Hint.Because)
	}
	if a.Hint.Active != nil {
		text += fmt.Sprintf(" active %v", *a.Hint.Active)
	}
	return result(text)
}

// inquiry is a call of Ask whose answers are seen as they come.
type inquiry struct {
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	came    *sync.Cond
	results []result
	count   int
	twice   bool
}

func begin(client sources.Client, questions []metrics.Question) *inquiry {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	q := &inquiry{stop: cancel, done: make(chan struct{}), results: make([]result, len(questions))}
	q.came = sync.NewCond(&q.mu)
	go func() {
		defer close(q.done)
		client.Ask(ctx, questions, func(i int, a metrics.Answer, err error) {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.twice = q.twice || q.results[i] != ""
			q.results[i] = resultOf(a, err)
			q.count++
			q.came.Broadcast()
		})
	}()
	return q
}

// await returns when so many are answered.
func (q *inquiry) await(count int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.count < count {
		q.came.Wait()
	}
}

// end returns the results when Ask has returned.
func (q *inquiry) end(t *testing.T) []result {
	t.Helper()
	<-q.done
	q.stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.twice || slices.Contains(q.results, "") {
		t.Errorf("each question is answered once: %q", q.results)
	}
	return q.results
}

// ask asks and waits for all answers.
func ask(t *testing.T, client sources.Client, questions ...metrics.Question) []result {
	t.Helper()
	return begin(client, questions).end(t)
}

// expect compares what came of questions with what should have.
func expect(t *testing.T, got []result, want ...result) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// gates are the listeners of servers in this process, by address. One that hangs takes what is sent to it, and answers nothing until it goes on; one
// that is gone has closed its connections and refuses new ones.
type gates struct {
	mu  sync.Mutex
	all map[string]*gate
}

// listen is net.Listen with a gate.
func (g *gates) listen(network, address string) (net.Listener, error) {
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all == nil {
		g.all = map[string]*gate{}
	}
	one := &gate{Listener: listener}
	g.all[listener.Addr().String()] = one
	return one, nil
}

func (g *gates) at(address string) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all[address]
}

type gate struct {
	net.Listener

	mu      sync.Mutex
	hanging chan struct{} // closed when it goes on; nil does not hang
	open    []net.Conn
}

// Accept is that of the listener.
func (g *gate) Accept() (net.Conn, error) {
	connection, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = append(g.open, connection)
	return &gated{Conn: connection, gate: g}, nil
}

// count is how many connections it has taken.
func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.open)
}

func (g *gate) hang() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hanging = make(chan struct{})
}

func (g *gate) goOn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.hanging)
	g.hanging = nil
}

// vanish closes it, and its connections.
func (g *gate) vanish() {
	_ = g.Close()
	g.drop()
}

// drop closes the connections.
func (g *gate) drop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, connection := range g.open {
		_ = connection.Close()
	}
}

type gated struct {
	net.Conn
	gate *gate
}

// Read hands on nothing while the gate hangs.
func (c *gated) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.gate.mu.Lock()
	hanging := c.gate.hanging
	c.gate.mu.Unlock()
	if hanging != nil && err == nil {
		<-hanging
	}
	return n, err
}
