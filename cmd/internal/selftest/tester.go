package selftest

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// longestWebhook is how long the API server may wait for a webhook, the largest timeoutSeconds that it allows: a dry run whose
// client gives up earlier says nothing about the webhook.
const longestWebhook = 30 * time.Second

// tester makes the checks.
type tester struct {
	*task
	tally
	client kubernetes.Interface
	// create creates Deployments, and hears the warnings.
	create  kubernetes.Interface
	said    *warnings
	samples metrics.Lister
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

func newTester(t *task, base *rest.Config, out io.Writer) (*tester, error) {
	tests := &tester{task: t, tally: tally{out: out}, said: &warnings{}, dial: (&net.Dialer{}).DialContext}
	config, patient := t.api.Config(base, t.api.Timeout), t.api.Config(base, t.api.Timeout+longestWebhook)
	config.WarningHandler, patient.WarningHandler = rest.NoWarnings{}, tests.said
	var err error
	if tests.client, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("cannot make clients for the API server: %w", err)
	}
	if tests.create, err = kubernetes.NewForConfig(patient); err != nil {
		return nil, fmt.Errorf("cannot make clients for the API server: %w", err)
	}
	if tests.samples, err = metrics.NewLister(config, t.home()); err != nil {
		return nil, fmt.Errorf("cannot make clients for the API server: %w", err)
	}
	return tests, nil
}

// run makes all checks, whatever they find.
func (t *tester) run(ctx context.Context) error {
	t.checkMetrics(ctx)
	t.checkWebhook(ctx)
	t.checkRights(ctx)
	return t.err()
}

// checkMetrics makes the request that the controller lives on. An empty answer proves nothing: pods may be new, or there are none.
func (t *tester) checkMetrics(ctx context.Context) {
	const claim = "the metrics API answers"
	feed := metrics.NewFeed(metrics.Config{Lister: t.samples, Timeout: t.api.Timeout})
	if err := feed.Refresh(ctx); err != nil {
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
		t.fail(claim, err.Error(), `grant verb "get" on it to whoever runs this test`)
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
