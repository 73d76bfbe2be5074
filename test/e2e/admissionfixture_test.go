package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// hook is the webhook's name, by which the API server counts its calls and says who refused.
	hook = "workloads.webhook.mini-hpa"
	// home is the program's namespace, with its Secret and its Service.
	home = "mini-hpa"
	// guarded is the label of the namespaces about which the webhook is asked here. In the others everything is stored as it
	// was before there was a webhook.
	guarded = "mini-hpa-test/admission"
)

// admission is a world with all that docs/webhook.yaml says, except somebody who answers.
type admission struct {
	*world
	// own is the program's kubeconfig, cache is kubectl's.
	own, cache string
	manifests  []*manifest
}

func newAdmission(t *testing.T) *admission {
	t.Helper()
	a := &admission{world: isolated(t, samplePeriod), cache: t.TempDir(), manifests: readCorpus(t)}
	config := a.cluster.Config()
	config.WarningHandler = rest.NoWarnings{} // where somebody wants to hear of them, he uses ask or kubectl
	var err error
	if a.client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	a.own = a.atHome(t)
	a.must(t, "", "create", "-f", "scaledobjects.yaml", "-f", "verticalpodautoscalers.yaml") // the program looks for them when it starts
	a.must(t, "", "wait", "--for=condition=Established", "crd/scaledobjects.keda.sh", "crd/verticalpodautoscalers.autoscaling.k8s.io")
	a.space(t, home, false)
	a.must(t, adjusted(t), "create", "-f", "-")
	return a
}

// atHome is the kubeconfig of the user who has the rights of docs/rbac.yaml, with the program's namespace in its context.
func (a *admission) atHome(t *testing.T) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(a.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Contexts[config.CurrentContext].Namespace = home
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// adjusted is docs/webhook.yaml, read strictly and adjusted to a control plane without a network.
func adjusted(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "webhook.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	var out bytes.Buffer
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		object, kind, err := decoder.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("docs/webhook.yaml: %v", err)
		}
		adjust(object)
		object.GetObjectKind().SetGroupVersionKind(*kind)
		if err := json.NewEncoder(&out).Encode(object); err != nil {
			t.Fatal(err)
		}
	}
}

// adjust changes what has to be different here, and nothing else.
func adjust(object runtime.Object) {
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	switch o := object.(type) {
	case *rbacv1.RoleBinding:
		o.Subjects = subjects
	case *rbacv1.ClusterRoleBinding:
		o.Subjects = subjects
	case *corev1.Service: // by a name, the API server reaches loopback
		o.Spec.Type, o.Spec.ExternalName, o.Spec.Selector = corev1.ServiceTypeExternalName, "localhost", nil
	case *admissionv1.ValidatingWebhookConfiguration:
		for i := range o.Webhooks {
			namespaces := o.Webhooks[i].NamespaceSelector
			namespaces.MatchExpressions = append(namespaces.MatchExpressions,
				metav1.LabelSelectorRequirement{Key: guarded, Operator: metav1.LabelSelectorOpExists})
		}
	}
}

// space makes a namespace about which the webhook is asked, or not.
func (a *admission) space(t *testing.T, name string, isGuarded bool) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if isGuarded {
		ns.Labels = map[string]string{guarded: ""}
	}
	if _, err := a.client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

// guard has the webhook asked about a namespace from now on.
func (a *admission) guard(t *testing.T, namespace string) {
	t.Helper()
	a.must(t, "", "label", "namespace", namespace, guarded+"=")
	a.awaitRefusal(t, namespace)
}
