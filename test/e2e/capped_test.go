package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// TestAPolicyThatCapsTheScale: what an admission policy makes of a write is told as a failure, and does not keep the workload from
// being scaled when the load wants what the policy allows.
func TestAPolicyThatCapsTheScale(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.cap(t, ns, 3)
	d := shared.deploy(t, ns, "web", 1, loadFor(5), map[string]string{"target-cpu": "50", "max": "10", "scale-down-stabilization": "0s"})
	d.eventually("the policy counts", func(ctx context.Context) (bool, string) { // the API server sees it some time after it was made
		scale, err := d.objects().Patch(ctx, d.name, types.MergePatchType, []byte(`{"spec":{"replicas":5}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}, "scale")
		if err != nil {
			return false, err.Error()
		}
		replicas, _, err := unstructured.NestedInt64(scale.Object, "spec", "replicas")
		return replicas == 3, fmt.Sprint(replicas, err)
	})
	shared.controller(t, ns)
	d.await(3)
	d.eventually("it is told", func(context.Context) (bool, string) {
		events := fmt.Sprint(d.events())
		return strings.Contains(events, "FailedRescale") && strings.Contains(events, "stored 3 replicas instead of 5"), events
	})
	d.setLoad(loadFor(1))
	d.await(1)
}

// cap makes every write of the scale above a number in a namespace one of that number.
func (w *world) cap(t *testing.T, namespace string, replicas int) {
	t.Helper()
	scales := admissionv1.NamedRuleWithOperations{RuleWithOperations: admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Update},
		Rule:       admissionv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments/scale"}},
	}}
	policy := &admissionv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			FailurePolicy: new(admissionv1.Fail), ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{scales},
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}}},
			MatchConditions: []admissionv1.MatchCondition{{Name: "above", Expression: fmt.Sprintf("object.spec.replicas > %d", replicas)}},
			Mutations: []admissionv1.Mutation{{PatchType: admissionv1.PatchTypeJSONPatch, JSONPatch: &admissionv1.JSONPatch{
				Expression: fmt.Sprintf(`[JSONPatch{op: "replace", path: "/spec/replicas", value: %d}]`, replicas)}}},
		},
	}
	binding := &admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: namespace}, Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: namespace}}
	policies := w.client.AdmissionregistrationV1()
	if _, err := policies.MutatingAdmissionPolicies().Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := policies.MutatingAdmissionPolicyBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_ = policies.MutatingAdmissionPolicyBindings().Delete(ctx, namespace, metav1.DeleteOptions{}) // goes with the cluster otherwise
		_ = policies.MutatingAdmissionPolicies().Delete(ctx, namespace, metav1.DeleteOptions{})
	})
}
