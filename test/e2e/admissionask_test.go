package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// spaces numbers the namespaces that nobody looks into.
var spaces atomic.Int64

// answer is what the API server says to a program.
type answer struct {
	err string
	// problems are the causes of a refusal, warnings the headers; each is "field: message", and they are sorted.
	problems, warnings []string
}

func (a *answer) verdict() string {
	switch {
	case strings.Contains(a.err, "admission webhook"):
		return denied
	case a.err != "":
		return "failed: " + a.err
	case len(a.warnings) > 0:
		return warned
	}
	return accepted
}

// HandleWarningHeader is rest.WarningHandler's.
func (a *answer) HandleWarningHeader(_ int, _, text string) { a.warnings = append(a.warnings, text) }

// ask has the API server say what it would say to a new object, without storing it.
func (a *admission) ask(ctx context.Context, t *testing.T, namespace string, o *unstructured.Unstructured) *answer {
	t.Helper()
	said := &answer{}
	_, err := a.dynamic(t, said).Resource(resourceOf(o)).Namespace(namespace).Create(ctx, o, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err == nil {
		slices.Sort(said.warnings)
		return said
	}
	said.err = err.Error()
	if status := apierrors.APIStatus(nil); errors.As(err, &status) && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			said.problems = append(said.problems, cause.Field+": "+cause.Message)
		}
	}
	slices.Sort(said.problems)
	slices.Sort(said.warnings)
	return said
}

// dynamic is a client for manifests of any kind, whose warnings somebody hears.
func (a *admission) dynamic(t *testing.T, hears *answer) dynamic.Interface {
	t.Helper()
	config := a.cluster.Config()
	config.WarningHandler = hears
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// store creates what a manifest says, in a namespace about which nobody is asked.
func (a *admission) store(t *testing.T, namespace string, objects ...*unstructured.Unstructured) {
	t.Helper()
	client := a.dynamic(t, &answer{})
	for _, o := range objects {
		if _, err := client.Resource(resourceOf(o)).Namespace(namespace).Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
			t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
}

func resourceOf(o *unstructured.Unstructured) schema.GroupVersionResource {
	return o.GroupVersionKind().GroupVersion().WithResource(strings.ToLower(o.GetKind()) + "s")
}

// object reads one manifest.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict([]byte(text), &o.Object); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return o
}
