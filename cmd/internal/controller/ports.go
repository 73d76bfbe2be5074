package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/endpoint"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
	"github.com/mini-hpa/mini-hpa/webhook"
)

// ports is what a process shows to others, whether it leads or not: its ports and its webhook, and what bears on workloads, which
// the webhook and the controller both ask.
type ports struct {
	neighbors *informer.Neighbors
	sources   *sources.Set
	kinds     *informer.Kinds
	class     string          // of the workloads that the webhook checks
	requests  *requestsAround // nil where nothing is known of it
	admission *admission      // nil where no webhook is served
	endpoints []*endpoint.Endpoint
	ending    atomic.Bool // told to end
	log       *zap.Logger
}

// run works until the parent ends, or until the work or the webhook fails. The work ends first, while the webhook still answers
// for as long as others may not have noticed, and the ports are closed last, so that probes are answered for as long as there
// is something to probe.
func (f *ports) run(parent context.Context, work func(ctx context.Context) error) error {
	var running sync.WaitGroup
	defer running.Wait()
	defer f.neighbors.Wait()
	defer f.kinds.Wait()
	lasting, stop := context.WithCancel(context.WithoutCancel(parent))
	defer stop()
	for _, e := range f.endpoints {
		running.Go(func() { e.Serve(lasting) })
	}
	running.Go(func() { f.sources.Run(lasting) })
	f.neighbors.Start(lasting)
	f.kinds.Start(lasting)
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	context.AfterFunc(ctx, func() { f.ending.Store(true) })
	admitted := make(chan error, 1)
	go func() {
		defer cancel()
		admitted <- f.admit(ctx)
	}()
	err := work(ctx)
	cancel()
	return errors.Join(err, <-admitted)
}

// surroundings are what bears on workloads.
func (f *ports) surroundings() surroundings { return surroundings{f.neighbors, f.sources, f.requests} }

// admit answers the API server until ctx ends; without a webhook it only waits for that.
func (f *ports) admit(ctx context.Context) error {
	if f.admission == nil {
		<-ctx.Done()
		return nil
	}
	return f.admission.run(ctx)
}

// open opens the ports; if one is taken, none stays open.
func (f *ports) open(flags endpoint.Flags, client kubernetes.Interface, t *telemetry, live endpoint.Checks, filled func() bool) error {
	metrics, err := flags.ListenMetrics(endpoint.Metrics(t.registry, f.log), client, f.log)
	probes, err2 := endpoint.Listen("health-probe-bind-address", flags.Probes, endpoint.Probes(live, f.ready(filled)), f.log)
	for _, e := range []*endpoint.Endpoint{metrics, probes} {
		if e != nil {
			f.endpoints = append(f.endpoints, e)
		}
	}
	if err := errors.Join(err, err2); err != nil {
		f.closePorts()
		return err
	}
	return nil
}

// ready are the conditions under which others may send requests here.
func (f *ports) ready(filled func() bool) endpoint.Checks {
	ready := endpoint.Checks{endpoint.Ping(), f.working(), informed(func() bool { return filled() && f.neighbors.Filled() })}
	if f.admission != nil {
		ready = append(ready, endpoint.Check{Name: "webhook-certificate", Probe: func(*http.Request) error { return f.admission.certificates.Ready() }})
	}
	return ready
}

// working fails as soon as the process was told to end, so that nobody new is sent here.
func (f *ports) working() endpoint.Check {
	return endpoint.Check{Name: "shutdown", Probe: func(*http.Request) error {
		if f.ending.Load() {
			return errors.New("the process was told to end")
		}
		return nil
	}}
}

func (f *ports) closePorts() {
	for _, e := range f.endpoints {
		e.Close()
	}
	if f.admission != nil {
		if err := f.admission.server.Close(); err != nil {
			f.log.Warn("cannot close the webhook's port", zap.Error(err))
		}
	}
}

// serve opens the webhook, if one is asked for. The namespace is where its Secret and its Service are.
func (f *ports) serve(w *webhookFlags, api cluster.Clients, namespace string, d annotations.Defaults, t *telemetry) error {
	if !w.served() {
		return nil
	}
	a, err := w.admit(api, namespace, webhook.HandlerConfig{Defaults: d, Kinds: f.kinds, Class: f.class, Surroundings: f.surroundings(),
		Telemetry: webhook.NewTelemetry(t.registry), Log: f.log.Named("webhook")})
	if err != nil {
		return fmt.Errorf("cannot serve the webhook: %w", err)
	}
	t.registry.MustRegister(newExpirations(a.certificates))
	f.admission = a
	return nil
}
