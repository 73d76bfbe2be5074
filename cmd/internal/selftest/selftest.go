// Package selftest is the command that asks a cluster whether mini-hpa can work in it.
package selftest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

const about = `Asks a cluster whether mini-hpa can work in it. Each check is one line: ok, FAIL with what was seen and what to do, or skip with
why it was not made. All are made, whatever the ones before have found; the exit code is 1 if any failed. Nothing is stored:
workloads are created as a dry run. It is what "helm test" runs.

Checked are the metrics API; the certificate that the webhook shows, held to the caBundle of its configuration; what the API server
says to Deployments with and without a CPU request, and to StatefulSets and ReplicaSets without, which tells whether it reaches the
webhook; the rights of the controller's service account, those that it needs and some that it must not have; and whether a controller leads,
by the Lease in the namespace of --service-account, and how its sources stand: when each was asked last, and what came of it.

The metrics API is asked about the namespace of --service-account, where mini-hpa's own pods run, else about --namespace. Without
one sample nothing is known of it, which is a skip.

It needs the rights to list pods.metrics.k8s.io there, to create Deployments, StatefulSets and ReplicaSets in --namespace, to get the
ValidatingWebhookConfiguration and the Lease, and to create SubjectAccessReviews. To ask the controller for its sources it forwards a port to its pod,
which is not tested where that is not allowed. The certificate of a webhook that is called by its Service
can be looked at from inside of the cluster only.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:    "selftest",
		Summary: "ask a cluster whether mini-hpa can work in it",
		About:   about,
		Task: func() cli.Task {
			return &task{api: cluster.DefaultAPIFlags(), logs: cli.LogFlags{Level: "error", Format: "console"},
				namespace: "default", configuration: "mini-hpa", port: state.DefaultPort}
		},
	}
}

// ForUsers is the same command for those who are no administrators of the cluster: what they lack the rights to check is a skip.
func ForUsers() cli.Command {
	c := Command()
	made := c.Task
	c.Task = func() cli.Task {
		t := made()
		if t, ok := t.(*task); ok {
			t.lenient = true
		}
		return t
	}
	return c
}

func (t *task) Declare(f *pflag.FlagSet) {
	f.VarP(cli.Namespace(&t.namespace), "namespace", "n", "where workloads are tried out as a dry run; the webhook has to be asked about it")
	f.Var(cli.OptionalName(&t.configuration), "webhook-configuration", "the webhook's ValidatingWebhookConfiguration; empty if there is no webhook")
	f.Var(serviceAccount(&t.account), "service-account", "the controller's service account, in the namespace of its pods; without it rights are not tested")
	f.Var(cli.Namespace(&t.watched), "watch-namespace", "the only namespace that the controller works in; without it all")
	f.Var(cli.Kinds(&t.kinds), "kinds", "the custom resources that the controller scales, whose rights are tested; see controller")
	f.Var(cli.Class(&t.class), "class", "the class of the workloads that the controller scales, with which they are tried out; see controller")
	f.Var(cli.OptionalName(&t.lease), "leader-elect-resource-name", "the Lease by which replicas elect their leader; without it neither the rights to it nor whether anybody leads are tested")
	f.Var(cli.OptionalName(&t.secret), "webhook-ca-secret", "the Secret of the CA that replicas share; without it the rights to it and to the caBundle are not tested")
	f.StringVar(&t.sources, "sources", "", "the administrator's `file` of sources; what it lists the controller has to have")
	f.Var(cli.Count(&t.port, 0, 65535), "state-port", "where the controller that leads can be asked how its sources stand (controller --state-bind-address); 0 to leave sources out")
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

// run makes all checks, whatever they find.
func (t *tester) run(ctx context.Context) error {
	t.checkMetrics(ctx)
	t.checkWebhook(ctx)
	t.checkRights(ctx)
	t.checkLeader(ctx)
	t.checkSources(ctx)
	return t.err()
}

// checkMetrics makes the request that the controller lives on. An empty answer proves nothing: pods may be new, or there are none.
func (t *tester) checkMetrics(ctx context.Context) {
	const claim = "the metrics API answers"
	feed := metrics.NewFeed(metrics.Config{Lister: t.samples, Timeout: t.api.Timeout})
	if err := feed.Refresh(ctx); err != nil {
		if apierrors.IsForbidden(err) {
			t.lack(claim, err.Error(), "it in namespace "+cli.Quote(t.home()))
			return
		}
		t.fail(claim, err.Error(), "without samples nothing is scaled; kubectl get apiservice v1beta1.metrics.k8s.io says more")
		return
	}
	if pods := feed.Status().Pods; pods > 0 {
		t.ok(claim, fmt.Sprintf("metrics.k8s.io/v1beta1 has samples of %d pods in namespace %s", pods, cli.Quote(t.home())))
		return
	}
	t.skip(claim, fmt.Sprintf("metrics.k8s.io/v1beta1 does, but has no samples of pods in namespace %s; "+
		"run this again when pods there are older than a minute, and if there are none then, see metrics-server's log", cli.Quote(t.home())))
}

// checkWebhook looks at the certificates, and then asks the API server as users do.
func (t *tester) checkWebhook(ctx context.Context) {
	if t.configuration == "" {
		t.skip("the webhook", "there is none, --webhook-configuration is empty")
		return
	}
	claim := "ValidatingWebhookConfiguration " + cli.Quote(t.configuration)
	found, err := t.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, t.configuration, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err):
		t.lack(claim, err.Error(), `verb "get" on it`)
	case err != nil:
		t.fail(claim, err.Error(), "create it (docs/webhook.yaml, or the chart with webhook.enabled), or name the right one with --webhook-configuration, empty for none")
	case len(found.Webhooks) == 0:
		t.fail(claim, "it lists no webhook", "compare it with docs/webhook.yaml")
	}
	var hooks []admissionv1.ValidatingWebhook
	if err == nil {
		hooks = found.Webhooks
	}
	for i := range hooks {
		t.checkCertificate(ctx, &hooks[i])
	}
	t.checkAdmission(ctx, hooks)
}

// checkLeader looks into the Lease. Without a leader nothing is scaled, and nothing says so on the workloads.
func (t *tester) checkLeader(ctx context.Context) {
	const claim = "a controller leads"
	if t.lease == "" || t.account == (account{}) {
		t.skip(claim, "--leader-elect-resource-name or --service-account is not given")
		return
	}
	lease, err := t.client.CoordinationV1().Leases(t.account.namespace).Get(ctx, t.lease, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err):
		t.skip(claim, fmt.Sprintf("it is not known: %v", err))
		return
	case err != nil:
		t.fail(claim, err.Error(), "nothing is scaled; see that the controller's pods run, and that this is the name of their Lease")
		return
	}
	found := leader.Held(lease, time.Now())
	if found.Vacant {
		t.fail(claim, found.Vacancy(), "nothing is scaled; see that the controller's pods run, and what their log says")
		return
	}
	t.ok(claim, found.Holder)
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
