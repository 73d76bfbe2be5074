package podspec

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations/amount"
)

// JSON is a pod spec that is read from JSON, with the fields that Slim keeps and images. Nobody may have checked what it is read from, and
// to read a quantity such as 1e-999999999 takes hours, so its quantities are bounded; see amount.Read.
type JSON struct {
	Containers     []containerJSON `json:"containers"`
	InitContainers []containerJSON `json:"initContainers"`
	Overhead       amount.ListJSON `json:"overhead"`
	Resources      *resourcesJSON  `json:"resources"`
	// Grace is not kept by Slim, either.
	Grace *int64 `json:"terminationGracePeriodSeconds"`
}

type containerJSON struct {
	Name          string                         `json:"name"`
	Image         string                         `json:"image"`
	RestartPolicy *corev1.ContainerRestartPolicy `json:"restartPolicy"`
	Resources     resourcesJSON                  `json:"resources"`
	// Ports and Lifecycle are not kept by Slim: they bear on how requests reach a container, and on its end.
	Ports     []corev1.ContainerPort `json:"ports"`
	Lifecycle *corev1.Lifecycle      `json:"lifecycle"`
}

type resourcesJSON struct {
	Requests amount.ListJSON `json:"requests"`
	Limits   amount.ListJSON `json:"limits"`
}

func (r resourcesJSON) requirements() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: r.Requests.List(), Limits: r.Limits.List()}
}

// Spec returns it as the API's type.
func (j JSON) Spec() corev1.PodSpec {
	spec := corev1.PodSpec{Containers: containersOf(j.Containers), InitContainers: containersOf(j.InitContainers), Overhead: j.Overhead.List(), TerminationGracePeriodSeconds: j.Grace}
	if j.Resources != nil {
		whole := j.Resources.requirements()
		spec.Resources = &whole
	}
	return spec
}

func containersOf(in []containerJSON) []corev1.Container {
	if in == nil {
		return nil
	}
	out := make([]corev1.Container, len(in))
	for i, c := range in {
		out[i] = corev1.Container{Name: c.Name, Image: c.Image, RestartPolicy: c.RestartPolicy, Resources: c.Resources.requirements(), Ports: c.Ports, Lifecycle: c.Lifecycle}
	}
	return out
}

// TemplateJSON is a pod template that is read from JSON; see JSON.
type TemplateJSON struct {
	Metadata struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec JSON `json:"spec"`
}

// ReadTemplate returns the pod template of a custom resource, decoded from JSON as maps and lists. It is nil if the value is none: without
// containers, or with something in it that cannot be read.
func ReadTemplate(value any) *corev1.PodTemplateSpec {
	members, _ := value.(map[string]any)
	spec, _ := members["spec"].(map[string]any)
	if containers, _ := spec["containers"].([]any); len(containers) == 0 {
		return nil
	}
	var t TemplateJSON
	if text, err := json.Marshal(members); err != nil || json.Unmarshal(text, &t) != nil {
		return nil
	}
	return &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: t.Metadata.Labels, Annotations: t.Metadata.Annotations}, Spec: t.Spec.Spec()}
}
