package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// stormQuestion is one kind of request.
type stormQuestion struct {
	kind string
	// share is how often it is asked among stormMix's.
	share int
	// cause is the field of the one cause for which it is denied; "" if it is good.
	cause string
	// ask sends the one with a number.
	ask func(ctx context.Context, client kubernetes.Interface, i int) error
}

// judge says whether an answer is the right one.
func (q *stormQuestion) judge(err error) stormOutcome {
	switch {
	case err == nil && q.cause == "":
		return stormRight
	case err == nil:
		return stormUnchecked
	case !apierrors.IsInvalid(err):
		return stormFailed
	case q.cause != "" && stormCauses(err) == fmt.Sprint([]string{q.cause}):
		return stormRight
	}
	return stormDenied
}

// stormCauses are the fields of an Invalid error's causes.
func stormCauses(err error) string {
	var fields []string
	if status, ok := err.(apierrors.APIStatus); ok && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			fields = append(fields, cause.Field)
		}
	}
	return fmt.Sprint(fields)
}

const (
	stormMax     = "metadata.annotations[mini-hpa/max]"
	stormTarget  = "metadata.annotations[mini-hpa/target-cpu]"
	stormRequest = "spec.template.spec.containers[0].resources.requests[cpu]"
	// stormStanding Deployments exist, to be updated. They are so many that hardly ever two update one at the same time.
	stormStanding = 64
)

// stormQuestions are those of the storm, half of them good and half of them bad. Most are dry runs, which cost the API server less.
func stormQuestions() []stormQuestion {
	return []stormQuestion{
		{kind: "good create", share: 12, ask: stormCreate(true, nil)},
		{kind: "good create, only a limit", share: 6, ask: stormCreate(true, func(d *appsv1.Deployment) {
			r := &d.Spec.Template.Spec.Containers[0].Resources
			r.Requests, r.Limits = nil, r.Requests
		})},
		{kind: "max below min", share: 6, cause: stormMax, ask: stormCreate(true, func(d *appsv1.Deployment) { d.Annotations["mini-hpa/min"] = "11" })},
		{kind: "target that is none", share: 6, cause: stormTarget, ask: stormCreate(true, func(d *appsv1.Deployment) { d.Annotations["mini-hpa/target-cpu"] = "plenty" })},
		{kind: "no CPU request", share: 6, cause: stormRequest, ask: stormCreate(true, stormNoRequest)},
		{kind: "good update", share: 6, ask: stormUpdate(func(i int) any { return stormAnnotated(fmt.Sprint(10 + i%90)) })},
		{kind: "bad update of an annotation", share: 3, cause: stormMax, ask: stormUpdate(func(int) any { return stormAnnotated("0") })},
		{kind: "bad update of the template", share: 3, cause: stormRequest, ask: stormUpdate(stormBadTemplate)},
		{kind: "good create for good", share: 1, ask: stormCreate(false, nil)},
		{kind: "bad create for good", share: 1, cause: stormRequest, ask: stormCreate(false, stormNoRequest)},
	}
}

// stormMix repeats each question as often as its share says.
func stormMix(questions []stormQuestion) []stormQuestion {
	var mix []stormQuestion
	for _, q := range questions {
		mix = append(mix, slices.Repeat([]stormQuestion{q}, q.share)...)
	}
	return mix
}

// stormPlain are the dry runs among them that need nothing to exist: those of users who are not what a test is about.
func stormPlain() []stormQuestion {
	var mix []stormQuestion
	for _, q := range stormQuestions()[:5] {
		q.share /= 6
		mix = append(mix, q)
	}
	return stormMix(mix)
}

func stormCreate(dry bool, change func(*appsv1.Deployment)) func(context.Context, kubernetes.Interface, int) error {
	return func(ctx context.Context, client kubernetes.Interface, i int) error {
		d := stormDeployment(fmt.Sprintf("new-%d", i))
		if change != nil {
			change(d)
		}
		options := metav1.CreateOptions{}
		if dry {
			options.DryRun = []string{metav1.DryRunAll}
		}
		_, err := client.AppsV1().Deployments(stormNamespace).Create(ctx, d, options)
		return err
	}
}

func stormUpdate(change func(i int) any) func(context.Context, kubernetes.Interface, int) error {
	return func(ctx context.Context, client kubernetes.Interface, i int) error {
		patch, err := json.Marshal(change(i))
		if err != nil {
			return err
		}
		_, err = client.AppsV1().Deployments(stormNamespace).Patch(ctx, fmt.Sprintf("standing-%d", i%stormStanding),
			types.StrategicMergePatchType, patch, metav1.PatchOptions{})
		return err
	}
}

func stormAnnotated(most string) any {
	return map[string]any{"metadata": map[string]any{"annotations": map[string]any{"mini-hpa/max": most}}}
}

// stormBadTemplate is a new template whose container has no request. It is no rollback, which the webhook has to find out.
func stormBadTemplate(i int) any {
	container := map[string]any{"name": "app", "image": fmt.Sprintf("app:%d", i), "resources": map[string]any{"requests": nil}}
	return map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{container}}}}}
}

func stormNoRequest(d *appsv1.Deployment) {
	d.Spec.Template.Spec.Containers[0].Resources = corev1.ResourceRequirements{}
}

// stormDeployment is a good one, without replicas: no pods are in the way.
func stormDeployment(name string) *appsv1.Deployment {
	labels, replicas := map[string]string{"app": name}, int32(0)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: prefixed(map[string]string{"target-cpu": "50", "min": "1", "max": "10"})},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: maps.Clone(labels)}, Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "app", Image: "app", Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}}}}},
	}
}

// standing creates the Deployments that are updated.
func (s *storm) standing() {
	s.t.Helper()
	for i := range stormStanding {
		d := stormDeployment(fmt.Sprintf("standing-%d", i))
		if _, err := s.client.AppsV1().Deployments(stormNamespace).Create(s.t.Context(), d, metav1.CreateOptions{}); err != nil {
			s.t.Fatal(err)
		}
	}
}
