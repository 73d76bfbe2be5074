// Package activator is the process that takes the connections of workloads that sleep. What it does with them is in scaler/activator; here is how it
// learns which Services it serves and which pods are ready, and who may ask it for its state.
package activator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/endpoint"
	"github.com/mini-hpa/mini-hpa/informer/watching"
	"github.com/mini-hpa/mini-hpa/scaler/activator"
)

const about = `Takes the connections of Services whose workloads sleep, holds them until a pod is ready, and passes them on. Which Services
those are it reads from the EndpointSlices that the controller writes; the pods it reads from all others. It writes nothing.

Several replicas may run, and all of them work. The leading controller asks each of them for its state, by TLS with certificates of --tls-dir, and
wakes workloads by it. On a port that is taken by somebody else a Service is not served; the others are.

SIGTERM or SIGINT ends it without losing a connection: it says so, accepts for as long as others may not know it, lets those that wait
have their time, and then closes what is still open after --activator-drain. A second one ends it at once.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{Name: "activator", Summary: "hold requests for workloads that sleep until they have woken", About: about, Task: func() cli.Task { return newTask() }}
}

// task is the activator's flags.
type task struct {
	cluster     cluster.Flags
	serve       endpoint.Flags
	logs        cli.LogFlags
	namespace   string
	state       string
	certificate string
	propagation time.Duration
	drain       time.Duration
}

func newTask() *task {
	return &task{serve: endpoint.DefaultFlags(), logs: cli.DefaultLogFlags(), state: ":" + strconv.Itoa(serves.StatePort), certificate: "/etc/mini-hpa/activator-tls",
		propagation: 10 * time.Second, drain: 5 * time.Minute}
}

// Declare is cli.Task's.
func (c *task) Declare(f *pflag.FlagSet) {
	f.Var(cli.Address(&c.state), "state-bind-address", "where the leading controller asks for the state, by TLS")
	f.Var(cli.Text(&c.certificate, "directory", "the path of a directory", func(s string) bool { return s != "" }), "tls-dir",
		"where tls.crt, tls.key and ca.crt are, as the controller keeps them in a Secret; they are read for each connection")
	f.Var(cli.Duration(&c.propagation, 0, 2*time.Minute), "activator-propagation", "how long it takes until nodes and proxies know an EndpointSlice that has changed; as the controller's flag")
	f.Var(cli.Duration(&c.drain, 0, 24*time.Hour), "activator-drain", "how long connections that are at a pod may go on after the process was told to end and nobody waits any more")
	f.VarP(cli.Namespace(&c.namespace), "namespace", "n", "the only namespace whose Services are served; without it all")
	c.cluster.Declare(f, "the pod's service account, else KUBECONFIG or ~/.kube/config")
	c.serve.Declare(f)
	c.logs.Declare(f)
}

// Run is the process' life.
func (c *task) Run(ctx context.Context, _ []string, s cli.Streams) error {
	if c.state == cli.NoAddress {
		return cli.Usagef("invalid value %q for --state-bind-address: want an address, since nobody would be woken without it", c.state)
	}
	if err := c.serve.Check(); err != nil {
		return err
	}
	spareMemory()
	return c.logs.Live(s, "activator", func(log *zap.Logger) error { return c.work(ctx, s.Build, log) })
}

// spareMemory lets the heap grow by half between two collections instead of to its double: what is held stays for as long as a workload takes to
// wake, and the figures of docs/benchmarks-activator.md are within the limits of the pod. The environment has the last word. The memory profile is one that
// nobody can ask for.
func spareMemory() {
	const growth = 50
	runtime.MemProfileRate = 0
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
}

// work connects, opens the ports, and serves until ctx ends and all have had their time.
func (c *task) work(ctx context.Context, b cli.Build, log *zap.Logger) error {
	found, err := c.cluster.ForController(b)
	if err != nil {
		return err
	}
	log.Info("cluster found", zap.String("from", found.Source), zap.String("server", found.Config.Host), zap.String("namespace", c.namespace))
	watches := watching.NewWatches(found.Config.Host, nil)
	cluster.LogReach(watches, log)
	config := cluster.DefaultAPIFlags().Config(found.Config, 0)
	config.Wrap(watches.Transport)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("cannot make a client for the API server: %w", err)
	}
	own, err := ownAddresses()
	if err != nil {
		return err
	}
	var seen *endpointSlices
	server := activator.New(activator.Config{Start: start(), Propagation: c.propagation, Named: func() bool { return seen.named.Load() }, Drain: c.drain, Log: log})
	seen, err = newSlices(slicesConfig{client: client, namespace: c.namespace, watches: watches, server: server, own: own, log: log})
	if err != nil {
		return fmt.Errorf("cannot watch the cluster: %w", err)
	}
	var ending atomic.Bool
	context.AfterFunc(ctx, func() { ending.Store(true) })
	registry := endpoint.NewRegistry(b)
	registry.MustRegister(endpoint.WatchFailures(watches), activator.NewTelemetry(server))
	secrets := &certificates{dir: c.certificate}
	ports, err := c.open(log, client, &handlers{endpoint.Metrics(registry, log), endpoint.Probes(endpoint.Checks{endpoint.Ping()}, ready(&ending, seen, secrets)), server.Reports()}, secrets)
	if err != nil {
		return err
	}
	lasting, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	for _, port := range ports {
		running.Go(func() { port.Serve(lasting) })
	}
	running.Go(func() { seen.run(lasting) })
	server.Run(ctx)
	return nil
}

// handlers are what there is at the ports that are not Services'.
type handlers struct{ metrics, probes, state http.Handler }

// open opens these ports; if one is taken, none stays open.
func (c *task) open(log *zap.Logger, client kubernetes.Interface, s *handlers, secrets *certificates) ([]*endpoint.Endpoint, error) {
	var open []*endpoint.Endpoint
	var failed []error
	add := func(port *endpoint.Endpoint, err error) {
		failed = append(failed, err)
		if port != nil {
			open = append(open, port)
		}
	}
	add(c.serve.ListenMetrics(s.metrics, client, log))
	add(endpoint.Listen("health-probe-bind-address", c.serve.Probes, s.probes, log))
	add(endpoint.ListenTLS("state-bind-address", c.state, secrets.config(), s.state, log))
	if err := errors.Join(failed...); err != nil {
		for _, port := range open {
			port.Close()
		}
		return nil, err
	}
	return open, nil
}

// ready are the conditions under which the leader may send somebody here.
func ready(ending *atomic.Bool, seen *endpointSlices, secrets *certificates) endpoint.Checks {
	return endpoint.Checks{endpoint.Ping(),
		{Name: "shutdown", Probe: func(*http.Request) error {
			if ending.Load() {
				return errors.New("the process was told to end")
			}
			return nil
		}},
		{Name: "informer-sync", Probe: func(*http.Request) error {
			if !seen.filled() {
				return errors.New("it is not known yet what is to be served")
			}
			return nil
		}},
		{Name: "certificate", Probe: func(*http.Request) error {
			_, err := secrets.read()
			return err
		}},
	}
}

// ownAddresses are those of the network interfaces: slices that name one of them send connections here.
func ownAddresses() (map[netip.Addr]bool, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("cannot find the addresses of this pod: %w", err)
	}
	own := map[netip.Addr]bool{}
	for _, address := range all {
		if prefix, err := netip.ParsePrefix(address.String()); err == nil {
			own[prefix.Addr().Unmap()] = true
		}
	}
	return own, nil
}

// start is another text for each start of the process.
func start() string {
	host, _ := os.Hostname() // without it the time is enough
	return strings.TrimPrefix(filepath.Clean(host)+"/"+strconv.FormatInt(time.Now().UnixNano(), 36), "./")
}
