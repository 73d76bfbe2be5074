package rig

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// patience bounds waits for what comes at once or never.
const patience = 20 * time.Second

const (
	all  = "/api/v1/pods"
	some = "/api/v1/namespaces/a/pods"
)

// bench is a proxy before a server that is not an API server. The server answers a watch of all pods, or of those of a namespace, with
// the lines that the test gives it, and any other request with the number of requests so far.
type bench struct {
	t       *testing.T
	proxy   *Proxy
	lines   map[string]chan string // by path
	carried atomic.Int32
	encoded atomic.Bool // the last watch asked for compression
	client  *http.Client
	url     string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, lines: map[string]chan string{all: make(chan string, 10), some: make(chan string, 10)}}
	server := httptest.NewUnstartedServer(b)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	var err error
	b.proxy, err = Start(&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: encode(server.Certificate())}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.proxy.Close)
	b.client, b.url = b.newClient(patience), b.proxy.server.URL
	return b
}

// newClient makes a client that gives up a connection over which pings are not answered for so long.
func (b *bench) newClient(unanswered time.Duration) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(b.proxy.server.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		HTTP2: &http.HTTP2Config{SendPingTimeout: 100 * time.Millisecond, PingTimeout: unanswered}}
	b.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// ServeHTTP is the server behind the proxy.
func (b *bench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := b.carried.Add(1)
	if r.URL.Query().Get("watch") == "" {
		fmt.Fprintf(w, "request %d over %s", n, r.Proto)
		return
	}
	b.encoded.Store(r.Header.Get("Accept-Encoding") != "")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for {
		select {
		case line := <-b.lines[r.URL.Path]:
			fmt.Fprintln(w, line)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// ask sends a request, and returns the status and the body or the error.
func (b *bench) ask(ctx context.Context, method, path string) string {
	request, err := http.NewRequestWithContext(ctx, method, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := b.client.Do(request)
	if err != nil {
		return "error: " + err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return fmt.Sprint(response.Status, " ", string(body), " ", err)
}

// watch opens a stream and returns its lines; the channel is closed at its end.
func (b *bench) watch(ctx context.Context, path string) <-chan string {
	b.t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+path+"?watch=true", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := b.client.Do(request) //nolint:bodyclose // by the goroutine that reads it
	if err != nil {
		b.t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		defer close(got)
		defer response.Body.Close()
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			got <- lines.Text()
		}
	}()
	return got
}

func (b *bench) next(lines <-chan string) string {
	b.t.Helper()
	select {
	case line := <-lines:
		return line
	case <-time.After(patience):
		b.t.Fatal("nothing comes")
	}
	return ""
}

func (b *bench) want(got string, parts ...string) {
	b.t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			b.t.Errorf("got %q, want %q in it", got, part)
		}
	}
}

func TestWithoutFaults(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.want(b.ask(t.Context(), http.MethodGet, all), "200 OK request 1 over HTTP/2.0")
	lines := b.watch(t.Context(), all)
	b.lines[all] <- "added"
	b.want(b.next(lines), "added")
	if got := b.proxy.Seen(On("watch", "pods")); len(got) != 1 {
		t.Errorf("watches that were seen: %v", got)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	lift := b.proxy.Break(On("update", "deployments/scale"), Fault{Delay: 300 * time.Millisecond})
	began := time.Now()
	b.want(b.ask(t.Context(), http.MethodPut, "/apis/apps/v1/namespaces/a/deployments/web/scale"), "200 OK")
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("it took %s", took)
	}
	lift()
	lift() // a second time is one time
}

// TestHold: a held request goes on when the fault is lifted, unless its client has given up.
func TestHold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	lift := b.proxy.Break(On("", ""), Fault{Hold: true})
	answer := make(chan string, 1)
	ask := func(ctx context.Context, seen int) {
		go func() { answer <- b.ask(ctx, http.MethodGet, all) }()
		for len(b.proxy.Seen(On("", ""))) < seen {
			<-time.After(time.Millisecond)
		}
	}
	impatient, cancel := context.WithCancel(t.Context())
	ask(impatient, 1)
	cancel()
	b.want(b.next(answer), "error: ", "context canceled")
	ask(t.Context(), 2)
	if n := b.carried.Load(); n != 0 {
		t.Errorf("%d requests were carried out", n)
	}
	lift()
	b.want(b.next(answer), "200 OK request 1")
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	config, err := b.proxy.Kubeconfig(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := clientcmd.BuildConfigFromFlags("", config)
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(loaded)
	b.proxy.Break(On("get", "leases"), Fault{Answer: http.StatusInternalServerError})
	if _, err := client.CoordinationV1().Leases("a").Get(t.Context(), "l", metav1.GetOptions{}); !apierrors.IsInternalError(err) {
		t.Errorf("500 is %v", err)
	}
	b.proxy.Break(On("watch", "pods"), Fault{Answer: http.StatusGone})
	if _, err := client.CoreV1().Pods("a").Watch(t.Context(), metav1.ListOptions{}); !apierrors.IsGone(err) {
		t.Errorf("410 is %v", err)
	}
	b.proxy.Break(On("watch", "configmaps"), Fault{Answer: http.StatusGone, InStream: true})
	watching, err := client.CoreV1().ConfigMaps("a").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watching.Stop()
	if event := <-watching.ResultChan(); !apierrors.IsGone(apierrors.FromObject(event.Object)) {
		t.Errorf("410 in the stream is %+v", event)
	}
	lift := b.proxy.Break(On("", "secrets"), Fault{Answer: http.StatusTooManyRequests, RetryAfter: time.Hour})
	b.want(b.ask(t.Context(), http.MethodGet, "/api/v1/secrets"), "429 Too Many Requests", `"reason":"TooManyRequests"`, `"retryAfterSeconds":3600`)
	lift()
	b.want(b.ask(t.Context(), http.MethodGet, "/api/v1/secrets"), "200 OK request 1")
	b.proxy.Break(On("", "secrets"), Fault{Respond: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("another answer")) }})
	b.want(b.ask(t.Context(), http.MethodGet, "/api/v1/secrets"), "200 OK another answer")
}

// TestLose: the request is carried out, but its answer does not come.
func TestLose(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.proxy.Break(On("update", ""), Fault{Lose: true})
	b.want(b.ask(t.Context(), http.MethodPut, "/api/v1/namespaces/a/pods/p"), "error: ")
	b.want(b.ask(t.Context(), http.MethodGet, all), "200 OK request 2")
}

// TestSilence: an open stream is silent while its connection is in order. A stream that is opened afterwards, over the same connection, is not
// silent, and what was held back comes at the end.
func TestSilence(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	silent := b.watch(t.Context(), all)
	b.lines[all] <- "before"
	b.want(b.next(silent), "before")
	lift := b.proxy.Break(On("watch", "pods").Before(time.Now()), Fault{Silence: true})
	b.lines[all] <- "meanwhile"
	select {
	case line, open := <-silent:
		t.Errorf("a silent watch says %q (open: %v)", line, open)
	case <-time.After(1500 * time.Millisecond): // many pings
	}
	b.lines[some] <- "elsewhere"
	same := false
	traced := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { same = c.Reused }})
	if b.want(b.next(b.watch(traced, some)), "elsewhere"); !same {
		t.Error("the connection of the silent watch is not in order")
	}
	lift()
	b.want(b.next(silent), "meanwhile")
}

// TestLate: lines are late for as long as is said, and overtake each other. What is late when the client goes is lost.
func TestLate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const late = 3 * time.Second
	b.proxy.Break(On("watch", "pods"), Fault{Late: func(line []byte) time.Duration {
		if strings.HasPrefix(string(line), "slow") {
			return late
		}
		return 0
	}})
	ctx, cancel := context.WithCancel(t.Context())
	lines := b.watch(ctx, all)
	began := time.Now()
	for _, line := range []string{"slow 1", "slow 2", "fast"} {
		b.lines[all] <- line
	}
	for _, want := range []string{"fast", "slow 1", "slow 2"} {
		b.want(b.next(lines), want)
	}
	if b.encoded.Load() {
		t.Error("what is to be late is compressed, so that it has no lines")
	}
	if took := time.Since(began); took < late {
		t.Errorf("what is late for %s came after %s", late, took)
	}
	b.lines[all] <- "slow 3"
	cancel()
	for line := range lines {
		t.Errorf("after the client has gone comes %q", line)
	}
	b.want(b.ask(t.Context(), http.MethodGet, all), "200 OK")
}

// TestWire: a cut ends open connections and refuses new ones; a client that sends pings notices that packets are lost.
func TestWire(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault func(*Proxy)
		want  string
	}{
		"cut":     {(*Proxy).Cut, "error: "},
		"swallow": {(*Proxy).Swallow, "error: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.client = b.newClient(time.Second)
			lines := b.watch(t.Context(), all)
			b.lines[all] <- "before"
			b.want(b.next(lines), "before")
			test.fault(b.proxy)
			select {
			case line, open := <-lines:
				if open {
					t.Errorf("a watch over it says %q", line)
				}
			case <-time.After(patience):
				t.Error("the client does not notice")
			}
			impatient, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			b.want(b.ask(impatient, http.MethodGet, all), test.want)
			b.proxy.Mend()
			b.client = b.newClient(patience)
			b.want(b.ask(t.Context(), http.MethodGet, all), "200 OK")
		})
	}
}
