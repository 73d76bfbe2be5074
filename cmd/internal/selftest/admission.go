package selftest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	appsv1client "k8s.io/client-go/kubernetes/typed/apps/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// unreached is what keeps the API server from the webhook, most often.
const unreached = "likely causes: mini-hpa's pods are not ready, a firewall between control plane and nodes closes the webhook's port (10250), " +
	"a NetworkPolicy keeps the API server out, or the caBundle is of another CA"

// missingField is what the webhook finds missing where there is no CPU request.
const missingField = "spec.template.spec.containers[0].resources.requests[cpu]"

// checkAdmission has the API server say what it would say to users' workloads.
func (t *tester) checkAdmission(ctx context.Context, hooks []admissionv1.ValidatingWebhook) {
	without := t.annotatedTrial()
	delete(without.Spec.Template.Spec.Containers[0].Resources.Requests, corev1.ResourceCPU)
	t.checkRefusal(ctx, deployment(without), hooks)
	t.checkAdmitted(ctx, "a Deployment with a CPU request is admitted", deployment(t.annotatedTrial()))
	t.checkAdmitted(ctx, "a Deployment without annotations is admitted", deployment(trial()))
	t.checkRefusal(ctx, statefulSet(without), hooks)
	t.checkRefusal(ctx, replicaSet(without), hooks)
}

// attempt creates a workload of a kind.
type attempt struct {
	kind, resource string
	create         func(ctx context.Context, c appsv1client.AppsV1Interface, namespace string, o metav1.CreateOptions) error
}

func deployment(d *appsv1.Deployment) attempt {
	return attempt{"Deployment", "deployments.apps", func(ctx context.Context, c appsv1client.AppsV1Interface, namespace string, o metav1.CreateOptions) error {
		_, err := c.Deployments(namespace).Create(ctx, d, o)
		return err
	}}
}

// statefulSet is a StatefulSet with what a Deployment has.
func statefulSet(d *appsv1.Deployment) attempt {
	s := &appsv1.StatefulSet{ObjectMeta: d.ObjectMeta, Spec: appsv1.StatefulSetSpec{Selector: d.Spec.Selector, Template: d.Spec.Template, ServiceName: d.Name}}
	return attempt{"StatefulSet", "statefulsets.apps", func(ctx context.Context, c appsv1client.AppsV1Interface, namespace string, o metav1.CreateOptions) error {
		_, err := c.StatefulSets(namespace).Create(ctx, s, o)
		return err
	}}
}

// replicaSet is a ReplicaSet with what a Deployment has.
func replicaSet(d *appsv1.Deployment) attempt {
	r := &appsv1.ReplicaSet{ObjectMeta: d.ObjectMeta, Spec: appsv1.ReplicaSetSpec{Selector: d.Spec.Selector, Template: d.Spec.Template}}
	return attempt{"ReplicaSet", "replicasets.apps", func(ctx context.Context, c appsv1client.AppsV1Interface, namespace string, o metav1.CreateOptions) error {
		_, err := c.ReplicaSets(namespace).Create(ctx, r, o)
		return err
	}}
}

func (t *tester) checkAdmitted(ctx context.Context, claim string, a attempt) {
	if err := t.tryOut(ctx, a); err != nil {
		t.refused(claim, a, err)
		return
	}
	t.ok(claim, "as a dry run in namespace "+cli.Quote(t.namespace))
}

// checkRefusal wants the webhook to refuse a workload, in words that nobody else has.
func (t *tester) checkRefusal(ctx context.Context, a attempt, hooks []admissionv1.ValidatingWebhook) {
	claim := "a " + a.kind + " without a CPU request is refused"
	err := t.tryOut(ctx, a)
	told := slices.IndexFunc(t.said.texts, func(text string) bool { return strings.Contains(text, missingField) })
	switch {
	case isOurRefusal(err):
		t.ok(claim, "the webhook was asked, and says what is missing")
	case err == nil && told >= 0: // a LimitRange supplies the request, or might
		t.ok(claim, "the webhook was asked, and warns only: "+t.said.texts[told])
	case err != nil:
		t.refused(claim, a, err)
	case leavesOut(hooks, t.namespace):
		t.fail(claim, fmt.Sprintf("it was admitted, because the webhook's namespaceSelector leaves out namespace %s", cli.Quote(t.namespace)),
			"name another one with --namespace")
	default:
		t.fail(claim, "it was admitted, so the API server did not ask the webhook or got no answer (with failurePolicy Ignore it lets everything through then)", unreached)
	}
}

// tryOut creates a workload as a dry run.
func (t *tester) tryOut(ctx context.Context, a attempt) error {
	t.said.texts = nil
	return a.create(ctx, t.create.AppsV1(), t.namespace, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

// refused tells of a workload that was refused and should not have been, or not by whom it should have been.
func (t *tester) refused(claim string, a attempt, err error) {
	if strings.Contains(err.Error(), "cannot create resource") && apierrors.IsForbidden(err) { // the words of its authorizer
		t.lack(claim, err.Error(), fmt.Sprintf("verb %q on %s there", "create", a.resource))
		return
	}
	t.fail(claim, err.Error(), adviceAfter(err))
}

// adviceAfter is what to do then.
func adviceAfter(err error) string {
	status := apierrors.APIStatus(nil)
	switch {
	case !errors.As(err, &status):
		return "see that the API server answers"
	case apierrors.IsNotFound(err):
		return "name a namespace that exists with --namespace"
	case strings.Contains(err.Error(), "failed calling webhook"):
		return unreached
	}
	return "if something else than mini-hpa refused it, name a namespace with --namespace where it does not"
}

// isOurRefusal says whether an error is the webhook's refusal. Nobody else demands the missing field by that name, not even the API server.
func isOurRefusal(err error) bool {
	status := apierrors.APIStatus(nil)
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool { return c.Field == missingField })
}

// leavesOut says whether every webhook's selector leaves out a namespace by its name. What labels it has besides is not known here.
func leavesOut(hooks []admissionv1.ValidatingWebhook, namespace string) bool {
	selects := func(hook admissionv1.ValidatingWebhook) bool {
		byName := &metav1.LabelSelector{}
		if hook.NamespaceSelector != nil {
			for _, r := range hook.NamespaceSelector.MatchExpressions {
				if r.Key == corev1.LabelMetadataName {
					byName.MatchExpressions = append(byName.MatchExpressions, r)
				}
			}
			if name, ok := hook.NamespaceSelector.MatchLabels[corev1.LabelMetadataName]; ok {
				byName.MatchLabels = map[string]string{corev1.LabelMetadataName: name}
			}
		}
		selector, err := metav1.LabelSelectorAsSelector(byName)
		return err != nil || selector.Matches(labels.Set{corev1.LabelMetadataName: namespace})
	}
	return len(hooks) > 0 && !slices.ContainsFunc(hooks, selects)
}

// annotatedTrial is a Deployment that mini-hpa would scale.
func (t *task) annotatedTrial() *appsv1.Deployment {
	d := trial()
	d.Annotations = map[string]string{annotations.TargetCPU: "50", annotations.Max: "2"}
	if t.class != "" {
		d.Annotations[annotations.ClassKey] = t.class
	}
	return d
}

// trial is a Deployment that nobody should object to: it keeps to the restricted Pod Security Standard, and has requests and limits.
func trial() *appsv1.Deployment {
	label := map[string]string{"app.kubernetes.io/name": "mini-hpa-selftest"}
	memory, cpu := resource.MustParse("16Mi"), resource.MustParse("10m")
	container := corev1.Container{Name: "app", Image: "registry.k8s.io/pause:3.10",
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory},
			Limits: corev1.ResourceList{corev1.ResourceMemory: memory}},
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "mini-hpa-selftest", Labels: label},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: label}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: label}, Spec: corev1.PodSpec{Containers: []corev1.Container{container},
				SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(65532)),
					SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}}}}}
}
