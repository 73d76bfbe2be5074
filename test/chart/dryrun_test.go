package chart

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

// customResources are the APIs of others that the chart can use: only their names are known here, not their schemas.
var customResources = []struct{ group, kind, plural string }{
	{"monitoring.coreos.com", "ServiceMonitor", "servicemonitors"},
	{"monitoring.coreos.com", "PodMonitor", "podmonitors"},
	{"monitoring.coreos.com", "PrometheusRule", "prometheusrules"},
	{"cert-manager.io", "Certificate", "certificates"},
	{"cert-manager.io", "Issuer", "issuers"},
}

// trialAccount is the ServiceAccount of pods that are tried out: their own is only tried out, too.
const trialAccount = "trial"

// bench is a cluster on which objects are tried out: nothing runs in it, and little is ever stored.
type bench struct {
	client  kubernetes.Interface
	dynamic dynamic.Interface
	mapper  meta.RESTMapper
}

// TestTheAPIServerTakesEachExample has a real API server validate every object of every example: defaults, CEL, Pod Security and all.
// A field that it does not know is an error too.
func TestTheAPIServerTakesEachExample(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.namespace(t, "anything-goes", "privileged")
	tried := examples(t)
	tried["what docs/install.md says is not in the chart"] = map[string]any{"extraObjects": []any{besideTheChart(t)}}
	for name, values := range tried {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := render(t, values)
			for _, object := range objects {
				if err := b.try(t.Context(), object); err != nil {
					t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
				}
			}
			template := &deployed(t, objects).Spec.Template
			err := b.tryPod(t.Context(), home, template)
			if refused := apierrors.IsForbidden(err) && strings.Contains(err.Error(), `violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true)`); name == "host-network" {
				if !refused {
					t.Errorf("the host's network in a restricted namespace: %v", err)
				}
				err = b.tryPod(t.Context(), "anything-goes", template)
			}
			if err != nil {
				t.Errorf("the Deployment's pod: %v", err)
			}
		})
	}
}

// besideTheChart is the object that docs/install.md says is to be applied beside the chart's.
func besideTheChart(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "install.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Not in the chart\n")
	_, block, _ := strings.Cut(section, "\n```yaml\n")
	block, _, found := strings.Cut(block, "\n```\n")
	object := parsed(t, []byte(block))
	if !found || object["kind"] != "FlowSchema" {
		t.Fatalf("the section has %q", block)
	}
	return object
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a control plane, which -short leaves out")
	}
	cluster := controlplane.Start(t, controlplane.Options{Out: t.Output()})
	config := cluster.Config()
	b := &bench{}
	var err error
	if b.client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if b.dynamic, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	for _, c := range customResources {
		b.define(t, c.group, c.kind, c.plural)
	}
	b.awaitAPIs(t)
	b.namespace(t, home, "restricted")
	for _, name := range []string{"shop", "monitoring"} {
		b.namespace(t, name, "restricted")
	}
	return b
}

// define creates a CustomResourceDefinition that takes anything.
func (b *bench) define(t *testing.T, group, kind, plural string) {
	t.Helper()
	text := fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[3]s.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {kind: %[2]s, plural: %[3]s}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`, group, kind, plural)
	crd := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict([]byte(text), &crd.Object); err != nil {
		t.Fatal(err)
	}
	resource := b.dynamic.Resource(crd.GroupVersionKind().GroupVersion().WithResource("customresourcedefinitions"))
	if _, err := resource.Create(t.Context(), crd, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// awaitAPIs returns when all kinds are served.
func (b *bench) awaitAPIs(t *testing.T) {
	t.Helper()
	eventually(t, "the custom resources are served", func(context.Context) (bool, string) {
		groups, err := restmapper.GetAPIGroupResources(b.client.Discovery())
		if err != nil {
			return false, err.Error()
		}
		b.mapper = restmapper.NewDiscoveryRESTMapper(groups)
		for _, c := range customResources {
			if _, err := b.mapper.RESTMapping(schema.GroupKind{Group: c.group, Kind: c.kind}, "v1"); err != nil {
				return false, err.Error()
			}
		}
		return true, ""
	})
}

// namespace makes a namespace with a Pod Security level.
func (b *bench) namespace(t *testing.T, name, level string) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": level}}}
	if _, err := b.client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: trialAccount}}
	if _, err := b.client.CoreV1().ServiceAccounts(name).Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// try creates an object by dry run. A pod's account is trialAccount.
func (b *bench) try(ctx context.Context, object *unstructured.Unstructured) error {
	kind := object.GroupVersionKind()
	mapping, err := b.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	if kind.Kind == "Pod" {
		object = object.DeepCopy()
		if err := unstructured.SetNestedField(object.Object, trialAccount, "spec", "serviceAccountName"); err != nil {
			return err
		}
	}
	resource := dynamic.ResourceInterface(b.dynamic.Resource(mapping.Resource))
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		if object.GetNamespace() == "" {
			return errors.New("has no namespace, and belongs to one")
		}
		resource = b.dynamic.Resource(mapping.Resource).Namespace(object.GetNamespace())
	}
	_, err = resource.Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
	return err
}

// tryPod creates a pod from a template by dry run.
func (b *bench) tryPod(ctx context.Context, namespace string, template *corev1.PodTemplateSpec) error {
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: *template.Spec.DeepCopy()}
	pod.GenerateName, pod.Spec.ServiceAccountName = "trial-", trialAccount
	_, err := b.client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
	return err
}

// TestExamplesUseEveryKind: what no example has, nothing would have been tried out of.
func TestExamplesUseEveryKind(t *testing.T) {
	t.Parallel()
	var kinds []string
	for _, values := range examples(t) {
		for _, object := range render(t, values) {
			kinds = append(kinds, object.GetKind())
		}
	}
	for _, kind := range []string{"Deployment", "Service", "Secret", "Lease", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding",
		"ValidatingWebhookConfiguration", "NetworkPolicy", "PodDisruptionBudget", "Pod", "ConfigMap", "ServiceMonitor", "PodMonitor", "PrometheusRule", "Certificate", "Issuer"} {
		if !slices.Contains(kinds, kind) {
			t.Errorf("no example has a %s", kind)
		}
	}
}
