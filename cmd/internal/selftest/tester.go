package selftest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// task is the selftest's flags. A name that is empty means that there is no such thing to test.
type task struct {
	cluster cluster.Flags
	api     cluster.APIFlags
	logs    cli.LogFlags
	// namespace is where workloads are tried out, watched is where the controller works; empty for everywhere.
	namespace, watched string
	configuration      string
	account            account
	kinds              []schema.GroupResource // those that the controller scales beside the built-in ones
	class              string                 // that of its workloads
	lease, secret      string
	sources            string // the administrator's file; empty if none is given
	port               int    // where the controller can be asked, on the loopback of its pod
	lenient            bool   // what whoever runs it lacks the rights to check is a skip
}

// home is where pods should have samples: where mini-hpa's own run, if that is known.
func (t *task) home() string { return cmp.Or(t.account.namespace, t.namespace) }

// account is a service account; the zero value is none.
type account struct{ namespace, name string }

// String is the account as the flag takes it.
func (a account) String() string {
	if a == (account{}) {
		return ""
	}
	return a.namespace + "/" + a.name
}

// longestWebhook is how long the API server may wait for a webhook, the largest timeoutSeconds that it allows: a dry run whose
// client gives up earlier says nothing about the webhook.
const longestWebhook = 30 * time.Second

// tester makes the checks.
type tester struct {
	*task
	tally
	config *rest.Config
	client kubernetes.Interface
	// create creates workloads, and hears the warnings.
	create  kubernetes.Interface
	said    *warnings
	samples metrics.Lister
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

func newTester(t *task, base *rest.Config, out io.Writer) (*tester, error) {
	tests := &tester{task: t, tally: tally{out: out}, config: base, said: &warnings{}, dial: (&net.Dialer{}).DialContext}
	config, patient := t.api.Config(base, t.api.Timeout), t.api.Config(base, t.api.Timeout+longestWebhook)
	config.WarningHandler, patient.WarningHandler = rest.NoWarnings{}, tests.said
	var errs [3]error
	tests.client, errs[0] = kubernetes.NewForConfig(config)
	tests.create, errs[1] = kubernetes.NewForConfig(patient)
	tests.samples, errs[2] = metrics.NewLister(config, t.home())
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("cannot make clients for the API server: %w", err)
	}
	return tests, nil
}

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

// lack says that whoever runs this lacks a right, and which. That is a failure for the cluster's administrator, and a skip for anybody else.
func (t *tester) lack(claim, seen, grant string) {
	if grant = "grant " + grant + " to whoever runs this test"; t.lenient {
		t.skip(claim, strings.TrimSpace(seen)+"; "+grant)
		return
	}
	t.fail(claim, seen, grant)
}

// skip says why something was not tested.
func (r *tally) skip(claim, why string) { r.line("skip", "%s: %s", claim, why) }

func (r *tally) err() error {
	if r.failed > 0 {
		return fmt.Errorf("%d of %d checks failed", r.failed, r.all)
	}
	return nil
}

// warnings are what the API server says beside an answer.
type warnings struct{ texts []string }

// HandleWarningHeader is rest.WarningHandler's.
func (w *warnings) HandleWarningHeader(_ int, _, text string) { w.texts = append(w.texts, text) }
