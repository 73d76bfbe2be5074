package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

var stormSize = flag.Int("storm", 20000, "how many admissions the webhook's replicas are restarted under; a tenth of it with -short")

// Names of docs/webhook.yaml, and that of the namespace in which the storms create Deployments.
const (
	stormHome          = "mini-hpa"
	stormSecret        = "mini-hpa-webhook-ca"
	stormConfiguration = "mini-hpa"
	stormNamespace     = "storm"
)

// storm is a control plane that asks the webhook as a production one does: by the Service of docs/webhook.yaml, hence by HTTP/1.1
// and for the certificate of the Service's name. What stands for the Service's virtual address is a balancer on loopback.
type storm struct {
	t *testing.T
	*world
	balancer *stormBalancer
	// configuration is as it was installed, with failurePolicy Fail, so that nothing can hide.
	configuration *admissionv1.ValidatingWebhookConfiguration
	// timeout is for how many seconds the API server waits for the webhook.
	timeout int32
}

// stormPatience is the longest timeout that a webhook can have, where it does not matter how long the machine takes.
const stormPatience = 30

// newStorm starts a control plane without load: no pod runs in a storm. The API server waits for the webhook for so many seconds.
func newStorm(t *testing.T, timeout int32) *storm {
	t.Helper()
	if _, err := stormProgram(); err != nil {
		t.Fatal(err)
	}
	cluster := controlplane.Start(t, controlplane.Options{})
	config := cluster.Config()
	config.WarningHandler = rest.NoWarnings{} // the webhook's, by the thousand
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	s := &storm{t: t, world: &world{cluster: cluster, client: client, kubeconfig: stormKubeconfig(t, cluster)}, balancer: newStormBalancer(t), timeout: timeout}
	if err := grant(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{stormHome, stormNamespace} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.install(t.Context()); err != nil {
		t.Fatalf("docs/webhook.yaml: %v", err)
	}
	return s
}

// stormKubeconfig is the user's, with the namespace that a pod would have.
func stormKubeconfig(t *testing.T, cluster *controlplane.Cluster) string {
	t.Helper()
	path, err := cluster.KubeconfigFor(user)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config.Contexts[config.CurrentContext].Namespace = stormHome
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// install creates what docs/webhook.yaml says.
func (s *storm) install(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "webhook.yaml"))
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(s.cluster.Config())
	if err != nil {
		return err
	}
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
	defer documents.Close()
	document := make([]byte, len(text))
	for {
		n, err := documents.Read(document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = s.create(ctx, client, document[:n])
		}
		if err != nil {
			return err
		}
	}
}

func (s *storm) create(ctx context.Context, client dynamic.Interface, document []byte) error {
	object, kind, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
	if err != nil {
		return err
	}
	s.adapt(object)
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	made := &unstructured.Unstructured{Object: fields}
	resource, _ := meta.UnsafeGuessKindToResource(*kind)
	_, err = client.Resource(resource).Namespace(made.GetNamespace()).Create(ctx, made, metav1.CreateOptions{})
	return err
}

// adapt makes an object fit for a control plane whose webhook is no pod.
func (s *storm) adapt(object runtime.Object) {
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	switch o := object.(type) {
	case *rbacv1.RoleBinding:
		o.Subjects = subjects
	case *rbacv1.ClusterRoleBinding:
		o.Subjects = subjects
	case *corev1.Service: // without a network there are no virtual addresses
		o.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"}
	case *admissionv1.ValidatingWebhookConfiguration:
		fail := admissionv1.Fail
		for i := range o.Webhooks {
			o.Webhooks[i].FailurePolicy, o.Webhooks[i].TimeoutSeconds = &fail, &s.timeout
			o.Webhooks[i].ClientConfig.Service.Port = s.balancer.port()
		}
		s.configuration = o
	}
}

// port is a Service's idea of the port.
func (b *stormBalancer) port() *int32 {
	_, text, err := net.SplitHostPort(b.listener.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		b.t.Fatal(err)
	}
	port := int32(n)
	return &port
}

// stormProgram builds mini-hpa as users have it: the race detector takes ten times the memory and the time, which are what the
// storms are about.
var stormProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(program), "mini-hpa-plain")
	cmd := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", path, "./cmd/mini-hpa")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mini-hpa: %w\n%s", err, out)
	}
	return path, nil
})
