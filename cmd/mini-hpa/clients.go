package main

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/informer/watching"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// apiFlags bound how the API server is used.
type apiFlags struct {
	qps     float32
	burst   int
	timeout time.Duration
}

// defaultAPIFlags have no limit: a load step on many workloads at once is when speed counts, and at rest there are no requests. The
// API server protects itself: it queues by priority and fairness, and what it turns away it tells when to come again.
func defaultAPIFlags() apiFlags { return apiFlags{qps: -1, burst: 200, timeout: 5 * time.Second} }

func (a *apiFlags) declare(f *pflag.FlagSet) {
	f.Var(cli.Rate(&a.qps), "kube-api-qps", "requests per second to the API server, for each kind (writes of the scale, Events) by itself; -1 is no limit but that of the API server's priority and fairness, and 50 for Events")
	f.Var(cli.Count(&a.burst, 1, 100000), "kube-api-burst", "requests that may be sent at once before the limit holds")
	a.declareTimeout(f)
}

func (a *apiFlags) declareTimeout(f *pflag.FlagSet) {
	f.Var(cli.Duration(&a.timeout, 100*time.Millisecond, 5*time.Minute), "kube-api-timeout",
		"deadline of one request to the API server, reading metrics included; custom and external metrics have twice as long, watches have none")
}

// What Events may ask of the API server per second, and at once: after a load step on thousands of workloads the scales are written
// first, and the story of it while there is time.
const (
	tellRate  = 50
	tellBurst = 50
)

// What admission may ask of the API server per second, and at once.
const (
	slowRate  = 20
	slowBurst = 40
)

// clients are the connections to one API server. They share one TCP connection, but each has its own rate limit, so that
// Events cannot delay a scale-out, nor either of them the renewal of the lease.
type clients struct {
	watch   kubernetes.Interface // has no deadline: a watch is meant to last
	replica metadata.Interface   // watches ReplicaSets
	dynamic dynamic.Interface    // watches ScaledObjects
	watches *watching.Watches    // what those who watch share
	act     kubernetes.Interface // reads one object at a time, and writes scales
	tell    kubernetes.Interface // writes Events
	lead    kubernetes.Interface // writes the lease
	// names and revisions read the ReplicaSets, pods and namespace of a Deployment that is about to be refused. Strangers can make the webhook
	// ask, so they are slow on purpose.
	names     metadata.Interface
	revisions kubernetes.Interface
	samples   metrics.Lister
	deadline  time.Duration // of one call of samples
	// sources are asked metric by metric, each within patience.
	sources  map[string]metrics.Source
	patience time.Duration
}

// connect makes the clients; it sends nothing. The scope is the namespace that is read, or empty for all.
func (a apiFlags) connect(base *rest.Config, scope string, leaseTimeout time.Duration) (clients, error) {
	// Adapters ask others in turn, and a first question is preceded by discovery.
	c := clients{watches: watching.NewWatches(base.Host, nil), deadline: a.timeout, patience: 2 * a.timeout}
	watched := a.config(base, 0)
	watched.Wrap(c.watches.Transport)
	acting, leading, telling := a.config(base, a.timeout), a.config(base, leaseTimeout), a.atMost(tellRate, tellBurst).config(base, a.timeout)
	for _, config := range []*rest.Config{watched, acting, leading, telling} {
		config.Wrap(promptly)
	}
	slow := apiFlags{qps: slowRate, burst: slowBurst}.config(base, a.timeout)
	var made factory
	c.watch, c.replica, c.dynamic = made.typed(watched), made.metadata(watched), made.dynamic(watched)
	c.act, c.tell, c.lead = made.typed(acting), made.typed(telling), made.typed(leading)
	c.names, c.revisions = made.metadata(slow), made.typed(slow)
	samples, noSamples := metrics.NewLister(a.config(base, a.timeout), scope)
	custom, external, noSources := metrics.NewSources(a.config(base, 0), c.patience)
	c.samples, c.sources = samples, map[string]metrics.Source{annotations.SourceCustom: custom, annotations.SourceExternal: external}
	if err := errors.Join(append(made.failed, noSamples, noSources)...); err != nil {
		return clients{}, fmt.Errorf("cannot make clients for the API server: %w", err)
	}
	return c, nil
}

// factory makes clients, and collects why it could not.
type factory struct{ failed []error }

func (f *factory) typed(c *rest.Config) kubernetes.Interface {
	client, err := kubernetes.NewForConfig(c)
	f.failed = append(f.failed, err)
	return client
}

func (f *factory) metadata(c *rest.Config) metadata.Interface {
	client, err := metadata.NewForConfig(c)
	f.failed = append(f.failed, err)
	return client
}

func (f *factory) dynamic(c *rest.Config) dynamic.Interface {
	client, err := dynamic.NewForConfig(c)
	f.failed = append(f.failed, err)
	return client
}

// actor is the client that writes scales. The guard sees each request just before it is sent.
func (a apiFlags) actor(base *rest.Config, guard transport.WrapperFunc) (kubernetes.Interface, error) {
	config := a.config(base, a.timeout)
	config.Wrap(promptly)
	config.Wrap(guard)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cannot make the client that writes scales: %w", err)
	}
	return client, nil
}

// promptly hands on an answer that asks to come again later, where client-go would wait for as long with the worker that has asked, an
// hour if need be, and try ten times. Whoever asks knows better what to do meanwhile: the body says how long to wait, too.
func promptly(next http.RoundTripper) http.RoundTripper { return hurried{next} }

type hurried struct{ http.RoundTripper }

// RoundTrip is http.RoundTripper's.
func (h hurried) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := h.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Header.Del("Retry-After")
	}
	return response, err
}

// WrappedRoundTripper lets client-go find what is wrapped.
func (h hurried) WrappedRoundTripper() http.RoundTripper { return h.RoundTripper }

// tellReach logs when the API server cannot be reached, and when it answers again.
func tellReach(w *watching.Watches, log *zap.Logger) {
	w.Tell(func(err error) {
		if err != nil {
			log.Error("cannot reach the API server", zap.Error(err))
			return
		}
		log.Info("the API server answers again")
	})
}

// atMost is the same with a limit that is no higher.
func (a apiFlags) atMost(qps float32, burst int) apiFlags {
	if a.qps < 0 || a.qps > qps {
		a.qps, a.burst = qps, burst
	}
	return a
}

// config is a copy of base with the limits and the compact encoding.
func (a apiFlags) config(base *rest.Config, timeout time.Duration) *rest.Config {
	c := rest.CopyConfig(base)
	c.ContentType = apiruntime.ContentTypeProtobuf
	c.AcceptContentTypes = apiruntime.ContentTypeProtobuf + "," + apiruntime.ContentTypeJSON
	c.QPS, c.Burst, c.Timeout = a.qps, a.burst, timeout
	return c
}
