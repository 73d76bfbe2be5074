package controller

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/webhook"
)

// certificateFiles are a certificate for 127.0.0.1 and its key.
func certificateFiles(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	certificate, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", []net.IP{net.ParseIP("127.0.0.1")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, content := range map[string][]byte{certFile: certificate, keyFile: key} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return certFile, keyFile, roots
}

// asker asks a webhook as the API server does.
type asker struct {
	t      *testing.T
	client *http.Client
	url    string
}

// admit asks whether a Deployment default/web may be created.
func (a *asker) admit(deployment string) (*admissionv1.AdmissionResponse, error) {
	a.t.Helper()
	req := &admissionv1.AdmissionRequest{UID: "1", Namespace: "default", Name: "web", Operation: admissionv1.Create,
		Kind: metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}}
	req.Object.Raw = []byte(deployment)
	body, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: req})
	if err != nil {
		a.t.Fatal(err)
	}
	answer, err := a.client.Post(a.url, "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(answer.Body).Decode(&review); err != nil || review.Response == nil {
		a.t.Fatalf("%s: %v", answer.Status, err)
	}
	return review.Response, nil
}

const (
	requested   = `{"metadata":{"annotations":{"mini-hpa/target-cpu":"50","mini-hpa/max":"10"}},"spec":{"template":{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"1"}}}]}}}}`
	unrequested = `{"metadata":{"annotations":{"mini-hpa/target-cpu":"50","mini-hpa/max":"10"}},"spec":{"template":{"spec":{"containers":[{"name":"app"}]}}}}`
)

// startWebhook starts a command that serves the webhook with certificate files.
func startWebhook(t *testing.T, args ...string) (*clitest.Process, *asker) {
	certFile, keyFile, roots := certificateFiles(t)
	r := clitest.Start(t, program(), append(args, "--webhook-bind-address=127.0.0.1:0", "--tls-cert-file", certFile, "--tls-private-key-file", keyFile,
		"--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0")...)
	address := r.Logged("the webhook is listening", "", "")["address"].(string)
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	return r, &asker{t: t, client: client, url: "https://" + address + webhook.Path}
}

// TestTheWebhookAnswers by itself and as a part of the controller, leading or not.
func TestTheWebhookAnswers(t *testing.T) {
	for _, command := range []string{"webhook", "controller"} {
		t.Run(command, func(t *testing.T) {
			server := clitest.NewAPIServer(t, nil)
			server.HPAs = []autoscalingv2.HorizontalPodAutoscaler{*clitest.HPAOf("other")}
			r, a := startWebhook(t, command, "--kubeconfig", server.Kubeconfig(), "--shutdown-delay-duration=0s")
			r.Logged("caches filled", "", "")
			if response, err := a.admit(requested); err != nil || !response.Allowed {
				t.Errorf("%v: %+v, want allowed", err, response)
			}
			response, err := a.admit(unrequested)
			if err != nil || response.Allowed || response.Result.Code != http.StatusUnprocessableEntity {
				t.Fatalf("%v: %+v, want refused", err, response)
			}
			a.url = strings.Replace(a.url, webhook.Path, webhook.FormerPath, 1)
			if response, err := a.admit(requested); err != nil || !response.Allowed {
				t.Errorf("at the former path: %v: %+v, want allowed", err, response)
			}
			_, exposed := clitest.Get(t, "http://"+r.Logged("listening", "flag", "metrics-bind-address")["address"].(string)+"/metrics")
			for _, want := range []string{`mini_hpa_webhook_verdicts_total{kind="Deployment",operation="CREATE",reason="MissingRequest",verdict="denied"} 1`,
				`mini_hpa_webhook_certificate_expiry_timestamp_seconds{type="leaf"}`, "mini_hpa_webhook_duration_seconds_count 3"} {
				if !strings.Contains(exposed, want) {
					t.Errorf("/metrics lacks %s", want)
				}
			}
			if code := r.End(); code != cli.ExitOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestTheWebhookEndsWithoutDroppingARequest: first it is no longer ready, then it still answers for a while.
func TestTheWebhookEndsWithoutDroppingARequest(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	r, a := startWebhook(t, "webhook", "--kubeconfig", server.Kubeconfig(), "--shutdown-delay-duration=10s")
	probes := "http://" + r.Logged("listening", "flag", "health-probe-bind-address")["address"].(string)
	r.Logged("caches filled", "", "")
	if status, body := clitest.Get(t, probes+"/readyz?verbose"); status != http.StatusOK || !strings.Contains(body, "[+]webhook-certificate ok") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	r.Quit()
	r.Logged("the webhook is ending", "", "")
	if status, body := clitest.Get(t, probes+"/readyz"); status != http.StatusInternalServerError || !strings.Contains(body, "[-]shutdown failed: the process was told to end") {
		t.Errorf("/readyz after the end was asked for: %d %s", status, body)
	}
	if status, body := clitest.Get(t, probes+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz after the end was asked for: %d %s", status, body)
	}
	if response, err := a.admit(unrequested); err != nil || response.Allowed {
		t.Errorf("%v: %+v, want refused as before", err, response)
	}
	if code := <-r.Code; code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
	if _, err := a.admit(requested); err == nil {
		t.Error("the port is still open")
	}
}

func TestWebhookUsage(t *testing.T) {
	const hint = "\nRun \"mini-hpa webhook --help\" for what it takes.\n"
	for name, tc := range map[string]struct{ args, want string }{
		"half a certificate": {"--tls-cert-file=x", "--tls-cert-file and --tls-private-key-file belong together: want both or neither"},
		"two kinds of certificates": {"--tls-cert-file=x --tls-private-key-file=y --webhook-hosts=a",
			"--webhook-hosts is about certificates that mini-hpa makes, and --tls-cert-file names one that somebody else makes: want one of them"},
		"a leaf that outlives its CA": {"--webhook-ca-duration=1h --webhook-certificate-duration=2h", `invalid value "2h" for --webhook-certificate-duration: want at most --webhook-ca-duration (1h)`},
		"nothing to serve":            {"--webhook-bind-address=0", `invalid value "0" for --webhook-bind-address: want an address, since there is nothing else to serve`},
		"a bad host":                  {"--webhook-hosts=a,-b", `invalid value "a,-b" for --webhook-hosts: want DNS names and IP addresses, separated by commas`},
		"a short CA":                  {"--webhook-ca-duration=1s", `invalid value "1s" for --webhook-ca-duration: want a duration from 10s to 87600h, such as 8760h`},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, append([]string{"webhook"}, strings.Fields(tc.args)...)...)
			if want := "mini-hpa webhook: " + tc.want + hint; code != cli.ExitUsage || stdout != "" || stderr != want {
				t.Errorf("exit code %d, standard output %q, standard error %q, want %q", code, stdout, stderr, want)
			}
		})
	}
}

func TestWebhookThatCannotStart(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	taken := strings.TrimPrefix(server.URL, "http://")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"a port that is taken":    {[]string{"--webhook-bind-address=" + taken}, "--webhook-bind-address=" + taken + ": cannot serve the webhook: listen tcp " + taken},
		"no certificate there":    {[]string{"--tls-cert-file=/nonexistent", "--tls-private-key-file=/nonexistent"}, "cannot use --tls-cert-file and --tls-private-key-file"},
		"a metrics port is taken": {[]string{"--webhook-bind-address=127.0.0.1:0", "--metrics-bind-address=" + taken}, "cannot serve --metrics-bind-address=" + taken},
	} {
		t.Run(name, func(t *testing.T) {
			r := clitest.Start(t, program(), append([]string{"webhook", "--kubeconfig", server.Kubeconfig(), "--health-probe-bind-address=0", "--metrics-bind-address=0"}, tc.args...)...)
			if code := <-r.Code; code != cli.ExitFailure {
				t.Errorf("exit code %d", code)
			}
			line := r.Logged("mini-hpa webhook failed", "level", "error")
			if got, _ := line["error"].(string); !strings.Contains(got, tc.want) {
				t.Errorf("error %q, want %q", got, tc.want)
			}
		})
	}
}
