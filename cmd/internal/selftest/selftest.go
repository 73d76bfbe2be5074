// Package selftest is the command that asks a cluster whether mini-hpa can work in it.
package selftest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
)

const about = `Asks a cluster whether mini-hpa can work in it. Each check is one line: ok, FAIL with what was seen and what to do, or skip with
why it was not made. All are made, whatever the ones before have found; the exit code is 1 if any failed. Nothing is stored:
Deployments are created as a dry run. It is what "helm test" runs.

Checked are the metrics API; the certificate that the webhook shows, held to the caBundle of its configuration; what the API server
says to Deployments with and without a CPU request, which tells whether it reaches the webhook; and the rights of the controller's
service account, those that it needs and some that it must not have.

The metrics API is asked about the namespace of --service-account, where mini-hpa's own pods run, else about --namespace. Without
one sample nothing is known of it, which is a skip.

It needs the rights to list pods.metrics.k8s.io there, to create Deployments in --namespace, to get the
ValidatingWebhookConfiguration, and to create SubjectAccessReviews. The certificate of a webhook that is called by its Service
can be looked at from inside of the cluster only.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:    "selftest",
		Summary: "ask a cluster whether mini-hpa can work in it",
		About:   about,
		Task: func() cli.Task {
			return &task{api: cluster.DefaultAPIFlags(), logs: cli.LogFlags{Level: "error", Format: "console"},
				namespace: "default", configuration: "mini-hpa"}
		},
	}
}

// task is the selftest's flags. A name that is empty means that there is no such thing to test.
type task struct {
	cluster cluster.Flags
	api     cluster.APIFlags
	logs    cli.LogFlags
	// namespace is where Deployments are tried out, watched is where the controller works; empty for everywhere.
	namespace, watched string
	configuration      string
	account            account
	lease, secret      string
}

func (t *task) Declare(f *pflag.FlagSet) {
	f.VarP(cli.Namespace(&t.namespace), "namespace", "n", "where Deployments are tried out as a dry run; the webhook has to be asked about it")
	f.Var(optionalName(&t.configuration), "webhook-configuration", "the webhook's ValidatingWebhookConfiguration; empty if there is no webhook")
	f.Var(serviceAccount(&t.account), "service-account", "the controller's service account, in the namespace of its pods; without it rights are not tested")
	f.Var(cli.Namespace(&t.watched), "watch-namespace", "the only namespace that the controller works in; without it all")
	f.Var(optionalName(&t.lease), "leader-elect-resource-name", "the Lease by which replicas elect their leader; without it the rights to it are not tested")
	f.Var(optionalName(&t.secret), "webhook-ca-secret", "the Secret of the CA that replicas share; without it the rights to it and to the caBundle are not tested")
	t.cluster.Declare(f, "KUBECONFIG, ~/.kube/config or the pod's service account")
	t.api.DeclareTimeout(f)
	t.logs.Declare(f)
}

func (t *task) Run(ctx context.Context, _ []string, s cli.Streams) error {
	if t.namespace == "" {
		return cli.Usagef(`invalid value "" for --namespace: want the name of a namespace (a DNS label)`)
	}
	s.Bridge(t.logs.Logger(s.Err)) // what libraries log is no finding
	found, err := t.cluster.ForUser(s.Build)
	if err != nil {
		return err
	}
	tests, err := newTester(t, found.Config, s.Out)
	if err != nil {
		return err
	}
	return tests.run(ctx)
}

// home is where pods should have samples: where mini-hpa's own run, if that is known.
func (t *task) home() string { return cmp.Or(t.account.namespace, t.namespace) }

// tally is the list of findings, one to a line, written as they are made.
type tally struct {
	out         io.Writer
	all, failed int
}

func (r *tally) line(word, format string, args ...any) {
	fmt.Fprintf(r.out, "%-4s %s\n", word, cli.Clean(fmt.Sprintf(format, args...)))
}

// ok says that a claim is true, with a detail.
func (r *tally) ok(claim, detail string) {
	r.all++
	r.line("ok", "%s: %s", claim, detail)
}

// fail says what was seen instead, and what to do.
func (r *tally) fail(claim, seen, advice string) {
	r.all++
	r.failed++
	r.line("FAIL", "%s: %s; %s", claim, strings.TrimSpace(seen), advice)
}

// skip says why something was not tested.
func (r *tally) skip(claim, why string) { r.line("skip", "%s: %s", claim, why) }

func (r *tally) err() error {
	if r.failed > 0 {
		return fmt.Errorf("%d of %d checks failed", r.failed, r.all)
	}
	return nil
}

// account is a service account; the zero value is none.
type account struct{ namespace, name string }

// String is the account as the flag takes it.
func (a account) String() string {
	if a == (account{}) {
		return ""
	}
	return a.namespace + "/" + a.name
}

// serviceAccount is NAMESPACE/NAME, or nothing.
func serviceAccount(value *account) pflag.Value {
	return cli.Value[account]{Var: value, Kind: "namespace/name", Format: account.String,
		Want: "NAMESPACE/NAME of a service account, such as mini-hpa/mini-hpa, or nothing",
		Parse: func(s string) (account, bool) {
			namespace, name, _ := strings.Cut(s, "/")
			valid := len(validation.IsDNS1123Label(namespace)) == 0 && len(validation.IsDNS1123Subdomain(name)) == 0
			return account{namespace, name}, s == "" || valid
		}}
}

// optionalName is the name of an API object, or nothing.
func optionalName(value *string) pflag.Value {
	return cli.Value[string]{Var: value, Kind: "name", Format: cli.AsIs, Want: "the name of an object (a DNS subdomain), or nothing",
		Parse: func(s string) (string, bool) { return s, s == "" || len(validation.IsDNS1123Subdomain(s)) == 0 }}
}
