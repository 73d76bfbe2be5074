package stage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/clientcmd"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsfake "k8s.io/metrics/pkg/client/clientset/versioned/fake"
)

const twoContexts = `
apiVersion: v1
kind: Config
current-context: work
clusters:
- {name: work, cluster: {server: "https://work:6443", certificate-authority: ca.crt}}
- {name: home, cluster: {server: "https://home:6443"}}
users:
- {name: worker, user: {token: w}}
- {name: tenant, user: {token: h}}
contexts:
- {name: work, context: {cluster: work, user: worker, namespace: payroll}}
- {name: home, context: {cluster: home, user: tenant}}
`

func rules(t *testing.T, kubeconfig string) *clientcmd.ClientConfigLoadingRules {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"config": kubeconfig, "ca.crt": "certificate"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &clientcmd.ClientConfigLoadingRules{ExplicitPath: filepath.Join(dir, "config")}
}

func TestExtractTakesTheCurrentContextAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	current, err := extract(rules(t, twoContexts), path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if current != "work" || len(got.Contexts) != 1 || len(got.Clusters) != 1 || len(got.AuthInfos) != 1 {
		t.Errorf("context %q in %d contexts, %d clusters, %d users", current, len(got.Contexts), len(got.Clusters), len(got.AuthInfos))
	}
	if ca := string(got.Clusters["work"].CertificateAuthorityData); ca != "certificate" {
		t.Errorf("the certificate was not taken along: %q", ca)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the credentials: %v, %v", info.Mode(), err)
	}
}

func TestExtractSaysWhatIsMissing(t *testing.T) {
	tests := map[string]struct{ kubeconfig, want string }{
		"no context is current":          {kubeconfig: strings.Replace(twoContexts, "current-context: work", "", 1), want: "no current context"},
		"the current one does not exist": {kubeconfig: strings.Replace(twoContexts, "current-context: work", "current-context: gone", 1), want: `could not use context "gone"`},
		"its certificate does not exist": {kubeconfig: strings.Replace(twoContexts, "ca.crt", "no.crt", 1), want: `could not read the certificates of context "work"`},
		"it is not a kubeconfig":         {kubeconfig: "]", want: "could not load the kubeconfig"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kubeconfig")
			if _, err := extract(rules(t, tt.kubeconfig), path); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a kubeconfig was written: %v", err)
			}
		})
	}
}

func TestWithoutMetricsItSaysHowToInstallThem(t *testing.T) {
	samples := metricsfake.NewSimpleClientset()
	samples.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewNotFound(schema.GroupResource{Group: "metrics.k8s.io", Resource: "pods"}, "")
	})
	s := &Stage{Metrics: samples}
	err := s.inspect(t.Context(), nil, "work", &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), `context "work" has no metrics API`) || !strings.Contains(err.Error(), "Install metrics-server") {
		t.Errorf("error %v", err)
	}
}

// nodes is a metrics API whose node has a new sample every period.
func nodes(period time.Duration) *metricsfake.Clientset {
	samples := metricsfake.NewSimpleClientset()
	samples.PrependReactor("list", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
		list := &metricsv1beta1.NodeMetricsList{}
		if period > 0 {
			list.Items = []metricsv1beta1.NodeMetrics{{Timestamp: metav1.NewTime(time.Now().Truncate(period))}}
		}
		return true, list, nil
	})
	return samples
}

func TestMeasurePeriod(t *testing.T) {
	tests := map[string]struct {
		real, want time.Duration
		bad        string
	}{
		"loadsim in the demo":     {real: 5 * time.Second, want: 5 * time.Second},
		"metrics-server":          {real: 15 * time.Second, want: 15 * time.Second},
		"a hurried one":           {real: 16 * time.Second, want: 15 * time.Second},
		"once a minute":           {real: time.Minute, want: time.Minute},
		"nothing is ever sampled": {bad: "too few new samples of the nodes within five minutes"},
		"too rarely":              {real: 10 * time.Minute, bad: "too few new samples of the nodes within five minutes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Stage{Metrics: nodes(tt.real)}
				got, err := s.measurePeriod(t.Context())
				if got != tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}
				if (tt.bad == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), tt.bad)) {
					t.Errorf("error %v, want %q", err, tt.bad)
				}
			})
		})
	}
}

func TestEventsOf(t *testing.T) {
	tests := map[string]struct{ description, want string }{
		"the last section":      {description: "Name: web\nAnnotations: x\nEvents:\n  Type  Reason\n", want: "Events:\n  Type  Reason\n"},
		"no Events":             {description: "Name: web\nEvents:      <none>\n", want: "Events:      <none>\n"},
		"a word like the title": {description: "Events: fake\nName: web\nEvents:  <none>\n", want: "Events:  <none>\n"},
		"no such section":       {description: "Name: web\n", want: "Name: web\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := eventsOf(tt.description); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
