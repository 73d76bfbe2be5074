package controller

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler/doors"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
	"github.com/mini-hpa/mini-hpa/webhook/authority"
)

// activatorFlags say whether requests wake workloads, and where the activators are.
type activatorFlags struct {
	enabled     bool
	namespace   string
	selector    labels.Selector
	propagation time.Duration
	ports       serves.Range
	statePort   int
	caSecret    string
	tlsSecret   string
}

func defaultActivatorFlags() activatorFlags {
	return activatorFlags{selector: labels.SelectorFromSet(labels.Set{"app.kubernetes.io/name": "mini-hpa", "app.kubernetes.io/component": "activator"}),
		propagation: 10 * time.Second, ports: serves.DefaultRange(), statePort: serves.StatePort, caSecret: "mini-hpa-activator-ca", tlsSecret: "mini-hpa-activator-tls"}
}

func (a *activatorFlags) declare(f *pflag.FlagSet) {
	f.BoolVar(&a.enabled, "activator", false, "let requests wake workloads (mini-hpa/wake): their Services lead to activators while they sleep. It needs rights on Services and EndpointSlices")
	f.Var(cli.Namespace(&a.namespace), "activator-namespace", "where the activators are; without it the pod's own namespace")
	f.Var(podSelector(&a.selector), "activator-selector", "labels of the activators' pods")
	f.Var(cli.Duration(&a.propagation, time.Second, wake.LongestPropagation), "activator-propagation",
		"how long it takes at least until every node knows of a change of an EndpointSlice; if nodes are seen to be late, twice that")
	f.Var(portRange(&a.ports), "activator-ports", "ports of the activators, of which each port of a Service gets two: an even one and the odd one above it")
	f.Var(cli.Count(&a.statePort, 1, 65535), "activator-state-port", "where activators tell their state, unless their pod has a port of the name state")
	f.Var(cli.ObjectName(&a.caSecret), "activator-ca-secret", "Secret in which the replicas keep the CA of the activators' certificates, in the pod's namespace")
	f.Var(cli.ObjectName(&a.tlsSecret), "activator-tls-secret", "Secret with the certificate that the activators mount, in the pod's namespace; it is made")
}

// podSelector is a selector of labels that selects something.
func podSelector(value *labels.Selector) cli.Value[labels.Selector] {
	return cli.Value[labels.Selector]{Var: value, Kind: "labels", Want: `labels such as "app=activator"`,
		Format: func(s labels.Selector) string { return s.String() },
		Parse: func(s string) (labels.Selector, bool) {
			selector, err := labels.Parse(s)
			return selector, err == nil && !selector.Empty()
		}}
}

// portRange is a range of ports.
func portRange(value *serves.Range) cli.Value[serves.Range] {
	return cli.Value[serves.Range]{Var: value, Kind: "ports", Want: `two ports, an even one and a larger odd one, such as "20000-29999"`,
		Format: func(r serves.Range) string { return r.String() },
		Parse: func(s string) (serves.Range, bool) {
			r, err := serves.ParseRange(s)
			return r, err == nil
		}}
}

// activators is what leads requests to activators; nil where that is off.
type activators struct {
	services     *informer.Services
	keeper       *doors.Keeper
	certificates *authority.Authority
}

// surroundingProcess is what activators need to know of the process. Who acts is the config of the client that writes, for as long as it leads; place is where the process is,
// and scope the only namespace that it works in.
type surroundingProcess struct {
	api          cluster.Clients
	actor        *rest.Config
	place, scope string
	set          *informer.Set
	registry     prometheus.Registerer
	failed       func(error)
	log          *zap.Logger
}

// open prepares it.
func (a *activatorFlags) open(p surroundingProcess) (*activators, error) {
	if !a.enabled {
		return nil, nil
	}
	writer, err := discoveryclient.NewForConfig(p.actor)
	if err != nil {
		return nil, fmt.Errorf("cannot make the client that writes EndpointSlices: %w", err)
	}
	made := &activators{}
	led := func(service types.NamespacedName) {
		if key, known := made.keeper.LedBy(service); known {
			p.set.Enqueue(key)
		}
	}
	// All workloads of the namespace that have the annotation are looked at, also one that was invalid until now because of this Service; and sleepers
	// that do not have it any more.
	within := func(service types.NamespacedName) {
		p.set.EnqueueBeside(service.Namespace, func(w *annotations.Workload) bool { return w.Annotations[annotations.WakeKey] != "" })
		for _, key := range made.keeper.Sleepers() {
			if key.Namespace == service.Namespace {
				p.set.Enqueue(key)
			}
		}
	}
	made.services, err = informer.NewServices(informer.ServicesConfig{Client: p.api.Watch, Namespace: p.scope, ActivatorNamespace: cmp.Or(a.namespace, p.place), Activators: a.selector, Watches: p.api.Watches,
		OnError: p.failed, OnService: within, OnSlice: led, OnActivators: func() { made.keeper.ActivatorsChanged() }})
	if err != nil {
		return nil, err
	}
	made.certificates, err = authority.New(authority.Config{Client: p.api.Watch, Namespace: p.place, Secret: a.caSecret, Hosts: []string{serves.LeaderName}, ForClient: true,
		Publish: authority.Published{Secret: a.tlsSecret, Hosts: []string{serves.ServerName}}, Log: p.log.Named("activator-certificates")})
	if err != nil {
		return nil, err
	}
	made.keeper = doors.NewKeeper(doors.Config{Cluster: made.services, Workloads: p.set, Slices: writer, Enqueue: func(keys ...annotations.Key) { p.set.Enqueue(keys...) },
		TLS: func() (*tls.Config, error) { return made.certificates.Client(serves.ServerName) }, Port: int32(a.statePort), Propagation: a.propagation, Range: a.ports,
		Now: time.Now, Log: p.log.Named("doors")})
	doors.NewTelemetry(made.keeper, p.registry)
	return made, nil
}

// fill starts watching, and returns when the caches are filled.
func (a *activators) fill(ctx context.Context) error {
	if a == nil {
		return nil
	}
	a.services.Start(ctx)
	return a.services.Fill(ctx)
}

// wait returns when everything that fill has started has ended.
func (a *activators) wait() {
	if a != nil {
		a.services.Wait()
	}
}

// lead works for a term.
func (a *activators) lead(ctx context.Context, working *sync.WaitGroup) {
	if a == nil {
		return
	}
	a.keeper.Begin()
	working.Go(func() { a.certificates.Run(ctx) })
	working.Go(func() { a.keeper.Run(ctx) })
}

// requestsAround is what bears on workloads that requests wake: whether there are activators, and the Services.
type requestsAround struct {
	activator *annotations.Activator
	// services is nil where they are not known.
	services *informer.Services
	// beside returns the wanted ones of the workloads of a namespace that are known.
	beside func(namespace string, wanted func(*annotations.Workload) bool) []*annotations.Workload
}

// around is what bears on such workloads, of which the set knows.
func (a *activatorFlags) around(made *activators, set *informer.Set, place string) *requestsAround {
	r := &requestsAround{activator: &annotations.Activator{Off: made == nil}, beside: set.Beside}
	if made == nil {
		return r
	}
	r.services = made.services
	r.activator.Namespace, r.activator.Propagation = cmp.Or(a.namespace, place), a.propagation
	if of, err := labels.ConvertSelectorToLabelsMap(a.selector.String()); err == nil { // a selector of another kind says nothing of one label
		r.activator.Labels = of
	}
	return r
}

// add adds it where requests wake one of the forms of a workload. Of the Services of its namespace these are the ones that such a form names or that select its pods, and
// of the other workloads those whose pods these Services select, too: a namespace may have thousands of both, and what is kept of each would grow with them.
func (r *requestsAround) add(forms []*annotations.Workload, s *annotations.Surroundings) {
	if r == nil {
		return
	}
	known := r.services != nil && r.services.Err() == nil
	for _, w := range forms {
		if w.Annotations[annotations.WakeKey] == "" {
			continue
		}
		if s.Activator = r.activator; known {
			s.Services = append(s.Services, r.services.Serving(w, w.WakingServices())...)
		}
	}
	if s.Activator == nil || !known {
		return
	}
	if s.Services == nil {
		s.Services = []*corev1.Service{} // it is known that there are none
	}
	slices.SortFunc(s.Services, func(a, b *corev1.Service) int { return strings.Compare(a.Name, b.Name) })
	s.Services = slices.CompactFunc(s.Services, func(a, b *corev1.Service) bool { return a.Name == b.Name })
	s.Beside = r.beside(forms[0].Namespace, func(other *annotations.Workload) bool {
		return slices.ContainsFunc(s.Services, func(service *corev1.Service) bool { return annotations.Selects(service, other) })
	})
}
