// Package rig makes faults: a proxy before the API server delays, loses and answers requests, and the API server's audit log gives an
// account of all writes of replicas and Leases.
package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Proxy is a TLS server with HTTP/2 on loopback that passes requests on to an API server as one user. Without faults a client cannot
// tell it from the API server. It counts all requests. Its methods may be called from any goroutine.
//
//	client --TLS, wire--> rules, in the order in which they were made --> API server
//	       <------------- silence ------------------------------------/
type Proxy struct {
	server  *httptest.Server
	forward *httputil.ReverseProxy
	wire    *wire

	mu    sync.Mutex
	rules []*rule
	seen  []Request
}

// Fault says what happens to a request. Zero fields do nothing; several faults of one request happen one after the other.
type Fault struct {
	// Delay is how long the request waits before it goes on.
	Delay time.Duration
	// Hold holds the request until the fault is lifted. Then it goes on, like a packet that was under way for long, unless its client
	// has given up.
	Hold bool
	// Answer is the status code of an answer by the proxy; the API server never sees the request. The body is a Status as the API
	// server would write it, RetryAfter its Retry-After in whole seconds.
	Answer     int
	RetryAfter time.Duration
	// InStream gives the Answer as the API server answers watches from a version that it has forgotten: status 200, an event of type
	// ERROR, and the end.
	InStream bool
	// Respond answers in the API server's place.
	Respond http.HandlerFunc
	// Lose passes the request on and loses the answer: the stream ends without one.
	Lose bool
	// Silence holds back the rest of the answer, even of answers that are under way, until the fault is lifted. The connection is in
	// order: pings are answered and other requests go on. What was held back arrives afterwards.
	Silence bool
	// Late says how late each line of the answer arrives; nil if none is late. An answer in JSON has a line for each event of a watch.
	Late func(line []byte) time.Duration
}

type rule struct {
	match  Match
	fault  Fault
	lifted chan struct{}
}

// Start starts a proxy before the API server of a client configuration, as the user of that configuration; Close ends it.
func Start(config *rest.Config) (*Proxy, error) {
	config = rest.CopyConfig(config)
	config.DisableCompression = true // clients ask for it themselves
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("start a proxy before %s: %w", config.Host, err)
	}
	target, err := url.Parse(config.Host)
	if err != nil || target.Host == "" {
		return nil, fmt.Errorf("start a proxy before %q: want a URL with a host (%w)", config.Host, err)
	}
	p := &Proxy{}
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: transport, FlushInterval: -1,
		ModifyResponse: p.answered, ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.server = httptest.NewUnstartedServer(p)
	p.wire = newWire(p.server.Listener)
	p.server.Listener, p.server.EnableHTTP2 = p.wire, true
	p.server.StartTLS()
	return p, nil
}

// Close lifts all faults, closes all connections and ends the proxy.
func (p *Proxy) Close() {
	p.mu.Lock()
	rules := slices.Clone(p.rules)
	p.mu.Unlock()
	for _, r := range rules {
		p.lift(r)
	}
	p.wire.set(broken)
	p.server.Close()
}

// Kubeconfig writes a kubeconfig file for the proxy into a directory and returns its path.
func (p *Proxy) Kubeconfig(dir string) (string, error) {
	config := api.NewConfig()
	certificate := api.Cluster{Server: p.server.URL, CertificateAuthorityData: encode(p.server.Certificate())}
	config.Clusters["proxy"], config.AuthInfos["proxy"] = &certificate, &api.AuthInfo{}
	config.Contexts["proxy"] = &api.Context{Cluster: "proxy", AuthInfo: "proxy"}
	config.CurrentContext = "proxy"
	file, err := os.CreateTemp(dir, "proxy-*.kubeconfig")
	if err != nil {
		return "", fmt.Errorf("make a kubeconfig file: %w", err)
	}
	if err := errors.Join(file.Close(), clientcmd.WriteToFile(*config, file.Name())); err != nil {
		return "", fmt.Errorf("write the kubeconfig of the proxy: %w", err)
	}
	return filepath.Abs(file.Name())
}

// Break makes a fault for all requests that match, until it is lifted.
func (p *Proxy) Break(match Match, fault Fault) (lift func()) {
	r := &rule{match: match, fault: fault, lifted: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, r)
	return func() { p.lift(r) }
}

func (p *Proxy) lift(r *rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := slices.Index(p.rules, r); at >= 0 {
		p.rules = slices.Delete(p.rules, at, at+1)
		close(r.lifted)
	}
}

// Cut closes all connections and refuses new ones until Mend.
func (p *Proxy) Cut() { p.wire.set(broken) }

// Swallow loses all packets in both directions, even pings: connections stay open and nothing arrives, until Mend or Cut.
func (p *Proxy) Swallow() { p.wire.set(dead) }

// Mend ends Cut and Swallow.
func (p *Proxy) Mend() { p.wire.set(whole) }

// Seen returns the requests that match, in the order in which they came.
func (p *Proxy) Seen(match Match) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []Request
	for _, r := range p.seen {
		if match(r) {
			found = append(found, r)
		}
	}
	return found
}

// requestKey is the context key of the Request that the faults are matched with.
type requestKey struct{}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := parse(r, time.Now())
	p.mu.Lock()
	p.seen = append(p.seen, request)
	p.mu.Unlock()
	for _, rule := range p.matching(request) {
		if rule.fault.Late != nil {
			r.Header.Del("Accept-Encoding") // or its lines could not be told apart
		}
		if answered := rule.before(w, r, request); answered {
			return
		}
	}
	p.forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, request)))
}

func (p *Proxy) matching(r Request) []*rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []*rule
	for _, rule := range p.rules {
		if rule.match(r) {
			found = append(found, rule)
		}
	}
	return found
}

// before applies the faults to a request before it goes on. It returns whether the request was answered here and does not go on.
func (f *rule) before(w http.ResponseWriter, r *http.Request, request Request) bool {
	if f.fault.Delay > 0 || f.fault.Hold {
		f.wait(r.Context())
	}
	if f.fault.Respond != nil {
		f.fault.Respond(w, r)
		return true
	}
	if f.fault.Answer == 0 {
		return false
	}
	status := apierrors.NewGenericServerResponse(f.fault.Answer, request.Verb, schema.GroupResource{Resource: request.Resource}, request.Name,
		"the proxy before the API server says so", int(f.fault.RetryAfter.Seconds()), true).Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	if f.fault.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.fault.RetryAfter.Seconds())))
	}
	w.Header().Set("Content-Type", "application/json")
	code, body := f.fault.Answer, any(status)
	if f.fault.InStream {
		code, body = http.StatusOK, map[string]any{"type": "ERROR", "object": status}
	}
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // fails for a client that is gone
	return true
}

// wait returns after the delay, when the fault is lifted, or when the client has given up; then the request does not go on.
func (f *rule) wait(ctx context.Context) {
	var late <-chan time.Time
	if !f.fault.Hold {
		timer := time.NewTimer(f.fault.Delay)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-late:
	case <-f.lifted:
	case <-ctx.Done():
		panic(http.ErrAbortHandler)
	}
}

// answered applies the faults to the API server's answer.
func (p *Proxy) answered(response *http.Response) error {
	ctx := response.Request.Context()
	request, _ := ctx.Value(requestKey{}).(Request) // always there
	for _, rule := range p.matching(request) {
		if rule.fault.Lose {
			return errors.New("the answer is lost")
		}
	}
	for _, rule := range p.matching(request) {
		if rule.fault.Late != nil {
			response.Body = newLateBody(response.Body, rule.fault.Late)
		}
	}
	response.Body = &stream{ReadCloser: response.Body, wait: func() { p.silence(ctx, request) }}
	return nil
}

// silence waits until no fault holds back the answer, or its client has given up.
func (p *Proxy) silence(ctx context.Context, request Request) {
	for _, rule := range p.matching(request) {
		if !rule.fault.Silence {
			continue
		}
		select {
		case <-rule.lifted:
		case <-ctx.Done():
		}
	}
}

// stream is the body of an answer.
type stream struct {
	io.ReadCloser
	wait func()
}

// Read passes data on as soon as no fault holds it back. The end of a stream is held back like any data.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.wait()
	return n, err
}
