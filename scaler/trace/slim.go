package trace

import (
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// What is written is listed here field by field, so that a field that may hold a secret gets into a trace only if
// somebody adds it. The results share memory with what they were made from; nothing is written to.

// header is the first line of a trace.
type header struct {
	Workload *object `json:"workload"`
}

// object is a workload of any kind as far as it is kept. Kinds of group apps have these fields; what other kinds have elsewhere is written
// there as well, so that a trace is read without their CustomResourceDefinition.
type object struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              objectSpec `json:"spec"`
}

type objectSpec struct {
	Replicas *int32                  `json:"replicas,omitempty"`
	Selector *metav1.LabelSelector   `json:"selector,omitempty"`
	Template *corev1.PodTemplateSpec `json:"template,omitempty"`
}

// headerOf has identity, own annotations, the selector and what requests are computed from.
func headerOf(w *annotations.Workload) header {
	out := &object{
		TypeMeta: metav1.TypeMeta{APIVersion: w.APIVersion, Kind: w.Kind.Kind},
		// The UID: a new workload of the same name is another one.
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Name, UID: w.UID, Annotations: ownAnnotations(w.Annotations)},
		Spec:       objectSpec{Replicas: &w.Replicas, Selector: w.Selector},
	}
	if w.Template != nil {
		out.Spec.Template = &corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: w.Template.Labels, Annotations: ownAnnotations(w.Template.Annotations)},
			Spec:       podspec.Slim(&w.Template.Spec).Core(),
		}
	}
	return header{Workload: out}
}

func slimSnapshot(s recommend.Snapshot) recommend.Snapshot {
	if s.Pods == nil {
		s.Pods = []*podspec.Pod{} // a list in every line
	}
	if s.PodMetrics == nil {
		s.PodMetrics = []*sample.Pod{}
	}
	if s.Refused != "" {
		s.Refused = "refused" // why is free text, and decides nothing
	}
	return s
}

func ownAnnotations(in map[string]string) map[string]string {
	if !annotations.Selected(in) {
		return nil
	}
	out := maps.Clone(in)
	maps.DeleteFunc(out, func(key, _ string) bool { return !strings.HasPrefix(key, annotations.Prefix) })
	return out
}
