package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// serve runs "mini-hpa webhook" until the end of the test, and returns when the API server gets its answers.
func (a *admission) serve(t *testing.T, args ...string) *controller {
	t.Helper()
	c := a.listen(t, append([]string{"webhook"}, args...)...)
	a.awaitRefusal(t, a.somewhere(t))
	return c
}

// listen runs the program with a webhook until the end of the test, and returns when it is ready. The API server waits for it for as long as it can be told to: who
// is slow here is the machine.
func (a *admission) listen(t *testing.T, args ...string) *controller {
	t.Helper()
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	a.configure(t, fmt.Sprintf(`{"timeoutSeconds":30,"clientConfig":{"service":{"name":"mini-hpa-webhook","namespace":"mini-hpa","port":%s}}}`, port))
	c := a.launch(t, append(args, "--webhook-bind-address", address, "--shutdown-delay-duration", "0s")...)
	c.awaitReady(t)
	return c
}

// configure changes the webhook in the ValidatingWebhookConfiguration as its administrator would.
func (a *admission) configure(t *testing.T, change string) {
	t.Helper()
	patch := fmt.Sprintf(`{"webhooks":[%s]}`, strings.Replace(change, "{", fmt.Sprintf("{%q:%q,", "name", hook), 1))
	_, err := a.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(t.Context(), "mini-hpa",
		types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "administrator"})
	if err != nil {
		t.Fatal(err)
	}
}

// launch runs the program until the end of the test, which looks at its exit status.
func (a *admission) launch(t *testing.T, args ...string) *controller {
	t.Helper()
	c := &controller{t: t, program: program, address: freeAddress(t), health: freeAddress(t), done: make(chan struct{}),
		logFile: filepath.Join(t.TempDir(), args[0]+".log")}
	c.start(append(args, "--kubeconfig", a.own, "--metrics-bind-address", c.address, "--health-probe-bind-address", c.health)...)
	return c
}

// controls runs "mini-hpa controller" for all namespaces, without a webhook, until the end of the test.
func (a *admission) controls(t *testing.T) {
	t.Helper()
	a.launch(t, "controller", "--metrics-resolution", samplePeriod.String())
}

func (c *controller) awaitReady(t *testing.T) {
	t.Helper()
	eventually(t, "/readyz", func(ctx context.Context) (bool, string) {
		c.running()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.health+"/readyz", nil)
		if err != nil {
			return false, err.Error()
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err.Error()
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK, response.Status
	})
}
