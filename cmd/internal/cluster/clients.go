package cluster

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

// APIFlags bound how the API server is used.
type APIFlags struct {
	qps     float32
	burst   int
	Timeout time.Duration
}

// DefaultAPIFlags have no limit: speed counts when the load of many workloads changes at once, and at rest there are no requests. The API
// server protects itself: it queues by priority and fairness, and says when to repeat a request that it refuses.
func DefaultAPIFlags() APIFlags { return APIFlags{qps: -1, burst: 200, Timeout: 5 * time.Second} }

// Declare adds the flags to f.
func (a *APIFlags) Declare(f *pflag.FlagSet) {
	f.Var(cli.Rate(&a.qps), "kube-api-qps", "requests per second to the API server, for each kind (writes of the scale, Events) by itself; -1 is no limit but that of the API server's priority and fairness, and 50 for Events")
	f.Var(cli.Count(&a.burst, 1, 100000), "kube-api-burst", "requests that may be sent at once before the limit holds")
	a.DeclareTimeout(f)
}

// DeclareTimeout adds the only flag that a command needs which asks a few times.
func (a *APIFlags) DeclareTimeout(f *pflag.FlagSet) {
	f.Var(cli.Duration(&a.Timeout, 100*time.Millisecond, 5*time.Minute), "kube-api-timeout",
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

// Clients are the connections to one API server. They share one TCP connection, but each has its own rate limit, so that
// Events cannot delay a scale-out, nor either of them the renewal of the lease.
type Clients struct {
	Watch   kubernetes.Interface // has no deadline: a watch is meant to last
	Dynamic dynamic.Interface    // watches custom kinds, their definitions, and ScaledObjects
	Watches *watching.Watches    // what those who watch share
	Act     kubernetes.Interface // reads one object at a time
	Tell    kubernetes.Interface // writes Events
	Lead    kubernetes.Interface // writes the lease
	// Names and revisions read the ReplicaSets, pods and namespace of a workload that is about to be refused. Strangers can make the webhook
	// ask, so they are slow on purpose.
	Names     metadata.Interface
	Revisions kubernetes.Interface
	Samples   metrics.Lister
	Deadline  time.Duration // of one call of samples
	// Sources are asked metric by metric, each within patience.
	Sources  map[string]metrics.Source
	Patience time.Duration
}

// Connect makes the clients; it sends nothing. The scope is the namespace that is read, or empty for all.
func (a APIFlags) Connect(base *rest.Config, scope string, leaseTimeout time.Duration) (Clients, error) {
	// Adapters ask others in turn, and a first question is preceded by discovery.
	c := Clients{Watches: watching.NewWatches(base.Host, nil), Deadline: a.Timeout, Patience: 2 * a.Timeout}
	watched := a.Config(base, 0)
	watched.Wrap(c.Watches.Transport)
	acting, leading, telling := a.Config(base, a.Timeout), a.Config(base, leaseTimeout), a.atMost(tellRate, tellBurst).Config(base, a.Timeout)
	for _, config := range []*rest.Config{watched, acting, leading, telling} {
		config.Wrap(promptly)
	}
	slow := APIFlags{qps: slowRate, burst: slowBurst}.Config(base, a.Timeout)
	var made factory
	c.Watch, c.Dynamic = made.typed(watched), made.dynamic(watched)
	c.Act, c.Tell, c.Lead = made.typed(acting), made.typed(telling), made.typed(leading)
	c.Names, c.Revisions = made.metadata(slow), made.typed(slow)
	samples, noSamples := metrics.NewLister(a.Config(base, a.Timeout), scope)
	custom, external, noSources := metrics.NewSources(a.Config(base, 0), c.Patience)
	c.Samples, c.Sources = samples, map[string]metrics.Source{annotations.SourceCustom: custom, annotations.SourceExternal: external}
	if err := errors.Join(append(made.failed, noSamples, noSources)...); err != nil {
		return Clients{}, fmt.Errorf("cannot make clients for the API server: %w", err)
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

// Actor is what the client that writes scales is made from. The guard sees each request just before it is sent.
func (a APIFlags) Actor(base *rest.Config, guard transport.WrapperFunc) *rest.Config {
	config := a.Config(base, a.Timeout)
	config.Wrap(promptly)
	config.Wrap(guard)
	return config
}

// promptly returns an answer that asks to come again later at once. client-go would try ten times and wait for as long as the answer says,
// even an hour, which would block the worker. The caller knows better what to do meanwhile, and the body also says how long to wait.
func promptly(next http.RoundTripper) http.RoundTripper { return hurried{next} }

type hurried struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (h hurried) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := h.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Header.Del("Retry-After")
	}
	return response, err
}

// WrappedRoundTripper lets client-go find what is wrapped.
func (h hurried) WrappedRoundTripper() http.RoundTripper { return h.RoundTripper }

// LogReach logs when the API server cannot be reached, and when it answers again.
func LogReach(w *watching.Watches, log *zap.Logger) {
	w.Tell(func(err error) {
		if err != nil {
			log.Error("cannot reach the API server", zap.Error(err))
			return
		}
		log.Info("the API server answers again")
	})
}

// atMost is the same with a limit that is no higher.
func (a APIFlags) atMost(qps float32, burst int) APIFlags {
	if a.qps < 0 || a.qps > qps {
		a.qps, a.burst = qps, burst
	}
	return a
}

// Config is a copy of base with the limits and the compact encoding.
func (a APIFlags) Config(base *rest.Config, timeout time.Duration) *rest.Config {
	c := rest.CopyConfig(base)
	c.ContentType = apiruntime.ContentTypeProtobuf
	c.AcceptContentTypes = apiruntime.ContentTypeProtobuf + "," + apiruntime.ContentTypeJSON
	c.QPS, c.Burst, c.Timeout = a.qps, a.burst, timeout
	return c
}
