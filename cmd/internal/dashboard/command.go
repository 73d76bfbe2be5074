// Package dashboard is the command that shows in a browser on the user's own machine what the user may see of the workloads that are scaled, and
// changes nothing.
package dashboard

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/doctor"
	"github.com/mini-hpa/mini-hpa/cmd/internal/get"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
)

const about = `Shows in a browser what "mini-hpa get" and "mini-hpa explain" print, as it changes: a table of the workloads that are scaled, a page for each
of them with a chart, the decision step by step and what other annotations would have done with the load that was seen, and a page about the
controller. It changes nothing: where something is to be changed, it shows the kubectl command.

It runs on your machine and asks with the rights of your kubeconfig, as "mini-hpa get" does: the controller that leads, by a port-forward,
else it computes here what you may list and watch; the page says which. All tabs together ask once every 2 seconds at most, and for what a tab opens. The past is what was
seen since it was started, an hour at most, and what the controller remembers of its changes.

It prints a URL with a random token: whoever opens it, in any browser, sees what you may see, until you end the command. It listens on 127.0.0.1
only, on a free port unless --bind-address names one.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:    "dashboard",
		Summary: "show in a browser how the workloads stand, with the rights of your kubeconfig",
		About:   about,
		Task: func() cli.Task {
			return &task{decision: cli.DefaultDecisionFlags(), api: cluster.DefaultAPIFlags(), leader: leader.DefaultFlags(), address: "127.0.0.1:0"}
		},
	}
}

type task struct {
	cluster   cluster.Flags
	api       cluster.APIFlags
	decision  cli.DecisionFlags
	leader    leader.Flags
	namespace string
	all       bool
	address   string
	exposed   bool
	traces    string
	kinds     []schema.GroupResource
	class     string
}

const exposedFlag = "i-know"

func (t *task) Declare(f *pflag.FlagSet) {
	f.VarP(cli.Namespace(&t.namespace), "namespace", "n", "the workloads' namespace; without it the context's")
	f.BoolVarP(&t.all, "all-namespaces", "A", false, "the workloads of all namespaces")
	f.StringVar(&t.traces, "traces", "", "`files`, separated by commas, that a controller has recorded (controller --record): what is in them of the last hour is shown before what is seen here")
	f.Var(address(&t.address), "bind-address", "where the browser finds it; another than loopback takes --"+exposedFlag+", too")
	f.BoolVar(&t.exposed, exposedFlag, false, "that --bind-address is open to other machines, that nothing is encrypted on the way there, and that whoever has the URL sees what you may see")
	t.leader.Declare(f)
	f.Var(cli.Kinds(&t.kinds), "kinds", "the custom resources that the controller scales, where it is not asked; see controller")
	f.Var(cli.Class(&t.class), "class", "the class of the workloads that the controller scales, where it is not asked; see controller")
	t.decision.Declare(f)
	t.cluster.Declare(f, "KUBECONFIG, ~/.kube/config or the pod's service account")
	t.api.DeclareTimeout(f)
}

// address is IP:PORT.
func address(value *string) pflag.Value {
	anywhere := cli.Address(value)
	return cli.Text(value, "address", "an IP address with a port from 0 to 65535 (0 picks a free one), such as 127.0.0.1:8090", func(s string) bool {
		host, _, _ := net.SplitHostPort(s)
		return anywhere.Set(s) == nil && net.ParseIP(host) != nil
	})
}

// Run serves until ctx ends.
func (t *task) Run(ctx context.Context, args []string, s cli.Streams) error {
	if len(args) > 0 {
		return cli.Usagef("unexpected argument %s; the page has all workloads of a namespace", cli.Quote(args[0]))
	}
	if err := t.decision.Check(); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(t.address)
	remote := !net.ParseIP(host).IsLoopback()
	if remote && !t.exposed {
		return cli.Usagef("invalid value %s for --bind-address: it is open to other machines; want an address of loopback such as 127.0.0.1:0, or --%s, too", cli.Quote(t.address), exposedFlag)
	}
	pasts, began := map[string]past{}, time.Now()
	for path := range strings.FieldsFuncSeq(t.traces, func(r rune) bool { return r == ',' }) {
		if err := readTrace(path, &t.decision, began, pasts); err != nil {
			return cli.Unreadable(fmt.Errorf("cannot read %s: %w", cli.Quote(path), cli.Bare(err)))
		}
	}
	for name := range pasts {
		pasts[name] = pasts[name].ordered()
	}
	found, err := t.cluster.ForAnswer(s, t.namespace)
	if err != nil {
		return err
	}
	scope := found.Namespace
	if t.all {
		scope = ""
	}
	h := newHub(time.Now().Format(time.RFC3339Nano), head{Scope: scope, Args: cli.ShellWords(t.cluster.Args()), Lease: t.leader.Lease.String(), Since: time.Now()})
	p, err := newPoller(&get.Question{Target: found, Namespace: scope, API: t.api, Decision: t.decision, Kinds: t.kinds, Class: t.class, Leader: t.leader}, h, time.Now)
	if err != nil {
		return err
	}
	p.pasts = pasts
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", t.address)
	if err != nil {
		return fmt.Errorf("cannot serve --bind-address=%s: %w", t.address, err)
	}
	address := listener.Addr().String()
	_, port, _ := net.SplitHostPort(address) // an address of a listener has one
	if net.ParseIP(host).IsUnspecified() {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	g := &guard{token: rand.Text(), session: rand.Text(), key: rand.Text(), address: address, port: port, remote: remote, next: (&server{hub: h, poller: p, ctx: ctx, trying: make(chan struct{}, 1),
		doctor: t.doctor(p, found.Namespace, s), examining: make(chan struct{}, 1)}).handler()}
	of := "all namespaces"
	if scope != "" {
		of = "namespace " + cli.Quote(scope)
	}
	fmt.Fprintf(s.Out, "http://%s/?%s=%s\nOpen it in a browser. It shows what you may see of %s, and changes nothing. Ctrl-C ends it.\n", listener.Addr(), tokenParam, g.token, of)
	return serve(ctx, listener, g, p)
}

// doctor asks with the user's rights for what is wrong with the installation; how the workloads stand is known. The chart names the webhook's
// configuration and the controller's service account as it names the Lease.
func (t *task) doctor(p *poller, namespace string, s cli.Streams) func(ctx context.Context) ([]doctor.Line, error) {
	q := &doctor.Question{Cluster: t.cluster, Leader: t.leader, Namespace: namespace, Webhook: t.leader.Lease.Name, Account: t.leader.Lease.Name, Class: t.class}
	s.Bridge = func(*zap.Logger) {} // the process has its own
	return func(ctx context.Context) ([]doctor.Line, error) {
		lines, err := q.Installation(ctx, s)
		if all, source := p.standing(); source != "" {
			lines = append(lines, q.Workloads(all, source)...)
		}
		return lines, err
	}
}

// serve answers the browser and asks the cluster until ctx ends.
func serve(ctx context.Context, listener net.Listener, h http.Handler, p *poller) error {
	// Streams move their deadline of writing.
	web := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.poll(ctx)
	}()
	context.AfterFunc(ctx, func() { _ = web.Close() }) // Serve returns why, if at all
	err := web.Serve(listener)
	if ctx.Err() == nil {
		return fmt.Errorf("cannot serve the page any more: %w", err)
	}
	<-done
	return nil
}
