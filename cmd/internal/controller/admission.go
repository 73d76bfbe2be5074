package controller

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/webhook"
	"github.com/mini-hpa/mini-hpa/webhook/authority"
	"github.com/mini-hpa/mini-hpa/webhook/guard"
)

// admission is the webhook as a part of a process.
type admission struct {
	server       *guard.Server
	certificates certificates
}

// certificates are what the server shows, wherever they come from.
type certificates interface {
	// run keeps them current until ctx ends.
	run(ctx context.Context)
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Ready says why the API server would not accept what is shown.
	Ready() error
	// expiry is when the certificates end, by type; without those that there are not.
	expiry() map[string]time.Time
}

// admit makes the webhook and opens its port.
func (w *webhookFlags) admit(api cluster.Clients, namespace string, h webhook.HandlerConfig) (*admission, error) {
	a := &admission{}
	var err error
	if a.certificates, err = w.certificates(api, namespace, h.Log.Named("certificates")); err != nil {
		return nil, err
	}
	h.Revisions, h.Injections = webhook.NewRevisions(api.Names, api.Revisions), webhook.NewInjections(api.Names, api.Revisions)
	a.server, err = guard.Listen(guard.Config{Address: w.address, Paths: []string{webhook.Path, webhook.FormerPath}, Handler: webhook.NewHandler(h),
		GetCertificate: a.certificates.GetCertificate, Drain: w.drain, Log: h.Log, OnRefused: h.Telemetry.Refused})
	if err != nil {
		return nil, fmt.Errorf("--webhook-bind-address=%s: %w", w.address, err)
	}
	return a, nil
}

func (w *webhookFlags) certificates(api cluster.Clients, namespace string, log *zap.Logger) (certificates, error) {
	if w.certFile != "" {
		watcher, err := certwatcher.New(w.certFile, w.keyFile)
		if err != nil {
			return nil, fmt.Errorf("cannot use --tls-cert-file and --tls-private-key-file: %w", err)
		}
		return &fromFiles{CertWatcher: watcher, log: log}, nil
	}
	own, err := authority.New(authority.Config{Client: api.Watch, Namespace: namespace, Secret: w.secret, Configuration: w.configuration,
		Hosts: w.names(namespace), CALife: w.caLife, LeafLife: w.leafLife, Log: log})
	if err != nil {
		return nil, err
	}
	return ownCertificates{own}, nil
}

// run answers until ctx ends and the server has drained. The certificates are kept to the last.
func (a *admission) run(ctx context.Context) error {
	lasting, stop := context.WithCancel(context.WithoutCancel(ctx))
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer stop()
	keeping.Go(func() { a.certificates.run(lasting) })
	return a.server.Serve(ctx)
}

// ownCertificates are made by mini-hpa itself.
type ownCertificates struct{ *authority.Authority }

func (o ownCertificates) run(ctx context.Context) { o.Run(ctx) }

func (o ownCertificates) expiry() map[string]time.Time {
	status, ends := o.Status(), map[string]time.Time{}
	for name, end := range map[string]time.Time{"ca": status.CA, "leaf": status.Leaf} {
		if !end.IsZero() {
			ends[name] = end
		}
	}
	return ends
}

// fromFiles are made by somebody else, who also sees to the caBundle.
type fromFiles struct {
	*certwatcher.CertWatcher
	log *zap.Logger
}

func (f *fromFiles) run(ctx context.Context) {
	if err := f.Start(ctx); err != nil {
		f.log.Error("the certificate is no longer read again when it changes", zap.Error(err))
	}
}

// Ready is certificates'.
func (f *fromFiles) Ready() error {
	if end, ok := f.expiry()["leaf"]; ok && time.Now().After(end) {
		return fmt.Errorf("the certificate in --tls-cert-file has expired at %s", end.UTC().Format(time.RFC3339))
	}
	return nil
}

func (f *fromFiles) expiry() map[string]time.Time {
	certificate, err := f.GetCertificate(nil)
	if err != nil || certificate.Leaf == nil {
		return nil
	}
	return map[string]time.Time{"leaf": certificate.Leaf.NotAfter}
}

// expirations tells when the certificates end, so that an alert can be set before.
type expirations struct {
	certificates certificates
	desc         *prometheus.Desc
}

func newExpirations(c certificates) *expirations {
	return &expirations{c, prometheus.NewDesc("mini_hpa_webhook_certificate_expiry_timestamp_seconds",
		"When the webhook's certificates expire, in seconds since 1970; 'type' is ca or leaf. Those that mini-hpa makes are replaced at two thirds of their life.", []string{"type"}, nil)}
}

// Describe is prometheus.Collector's.
func (e *expirations) Describe(c chan<- *prometheus.Desc) { c <- e.desc }

// Collect is prometheus.Collector's.
func (e *expirations) Collect(c chan<- prometheus.Metric) {
	for name, end := range e.certificates.expiry() {
		c <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, float64(end.Unix()), name)
	}
}

// neighbors watches what bears on workloads. The set, if there is one, looks again at those concerned.
func neighbors(api cluster.Clients, namespace string, set *informer.Set, policies bool, failed func(error)) (*informer.Neighbors, error) {
	c := informer.NeighborsConfig{NetworkPolicies: policies, Client: api.Watch, Dynamic: api.Dynamic, Watches: api.Watches, Namespace: namespace, OnError: failed}
	if set != nil {
		c.OnAutoscaler, c.OnLimitRange = set.Enqueue, set.EnqueueNamespace
	}
	return informer.NewNeighbors(c)
}
