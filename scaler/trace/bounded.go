package trace

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/amount"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// Reading a quantity such as 1e-999999999 takes hours. So what a trace holds is read into types whose quantities are bounded, see
// amount.Read; a field that could hold others, and that no decision depends on, is not read at all. Fields of the same name in
// a struct that is embedded are hidden by those here.

type podMetrics struct {
	metav1.ObjectMeta `json:"metadata"`
	Timestamp         metav1.Time     `json:"timestamp"`
	Window            metav1.Duration `json:"window"`
	Containers        []struct {
		Name  string          `json:"name"`
		Usage amount.ListJSON `json:"usage"`
	} `json:"containers"`
}

func (m *podMetrics) whole() *sample.Pod {
	if m == nil {
		return nil
	}
	s := &sample.Pod{Namespace: m.Namespace, Name: m.Name, Time: m.Timestamp.Time, Window: m.Window.Duration}
	for _, c := range m.Containers {
		s.Containers = append(s.Containers, sample.Container{Name: c.Name, Usage: sample.UsageOf(c.Usage.List())})
	}
	return s
}

type customValue struct {
	custommetricsv1beta2.MetricValue
	Value amount.JSON `json:"value"`
}

func (v customValue) whole() custommetricsv1beta2.MetricValue {
	v.MetricValue.Value = v.Value.Quantity
	return v.MetricValue
}

type externalValue struct {
	externalmetricsv1beta1.ExternalMetricValue
	Value amount.JSON `json:"value"`
}

func (v externalValue) whole() externalmetricsv1beta1.ExternalMetricValue {
	v.ExternalMetricValue.Value = v.Value.Quantity
	return v.ExternalMetricValue
}

type hint struct {
	recommend.Hint
	Target *amount.JSON `json:"target"`
	Recent *amount.JSON `json:"recent"`
}

func (h hint) whole() recommend.Hint {
	if h.Target != nil {
		h.Hint.Target = &h.Target.Quantity
	}
	if h.Recent != nil {
		h.Hint.Recent = &h.Recent.Quantity
	}
	return h.Hint
}

// hintsOf converts hints; nil stays nil.
func hintsOf(in map[string]hint) map[string]recommend.Hint {
	if in == nil {
		return nil
	}
	out := make(map[string]recommend.Hint, len(in))
	for id, h := range in {
		out[id] = h.whole()
	}
	return out
}

// appsObject is a workload of a kind of group apps. All of them have these fields.
type appsObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Replicas *int32                `json:"replicas"`
		Selector *metav1.LabelSelector `json:"selector"`
		Template struct {
			metav1.ObjectMeta `json:"metadata"`
			Spec              podspec.JSON `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

func (o *appsObject) whole() *annotations.Workload {
	template := corev1.PodTemplateSpec{ObjectMeta: o.Spec.Template.ObjectMeta, Spec: o.Spec.Template.Spec.Spec()}
	switch o.Kind {
	case "StatefulSet":
		return annotations.OfStatefulSet(&appsv1.StatefulSet{ObjectMeta: o.ObjectMeta,
			Spec: appsv1.StatefulSetSpec{Replicas: o.Spec.Replicas, Selector: o.Spec.Selector, Template: template}})
	case "ReplicaSet":
		return annotations.OfReplicaSet(&appsv1.ReplicaSet{ObjectMeta: o.ObjectMeta,
			Spec: appsv1.ReplicaSetSpec{Replicas: o.Spec.Replicas, Selector: o.Spec.Selector, Template: template}})
	}
	return annotations.OfDeployment(&appsv1.Deployment{ObjectMeta: o.ObjectMeta,
		Spec: appsv1.DeploymentSpec{Replicas: o.Spec.Replicas, Selector: o.Spec.Selector, Template: template}})
}

// customObject is a workload of another kind, in the form of a Recorder or in its own: what has another type there than in group apps is
// not read, and its replicas may be elsewhere, but no decision depends on these.
type customObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              map[string]any `json:"spec"`
}

func (o *customObject) whole() *annotations.Workload {
	kind := annotations.Kind{GroupVersionKind: o.GroupVersionKind(), ReplicasPath: ".spec.replicas", SelectorPath: ".spec.selector"}
	read := &unstructured.Unstructured{Object: map[string]any{"spec": o.Spec}}
	read.SetNamespace(o.Namespace)
	read.SetName(o.Name)
	read.SetUID(o.UID)
	read.SetAnnotations(o.Annotations)
	w := kind.Read(read)
	if members, ok := o.Spec["selector"].(map[string]any); ok {
		selector := &metav1.LabelSelector{}
		if text, err := json.Marshal(members); err == nil && json.Unmarshal(text, selector) == nil {
			w.Selector = selector
		}
	}
	return w
}

// scalable says what keeps objects of a kind from being the workload of a trace: those of the core group have no scale subresource, apart
// from ReplicationControllers, which mini-hpa does not scale. A kind that is not named is a Deployment.
func scalable(t metav1.TypeMeta) error {
	const want = "want one with a scale subresource, such as a Deployment"
	switch group := t.GroupVersionKind().Group; {
	case t.Kind == "" || inApps(t):
		return nil
	case t.APIVersion == "":
		return fmt.Errorf("the workload is a %q without an apiVersion; %s", t.Kind, want)
	case group == "":
		return fmt.Errorf("the workload is a %q (apiVersion %q); %s", t.Kind, t.APIVersion, want)
	}
	return nil
}

// inApps says whether a kind is one of those that are built in; of these the apiVersion may be missing, as in lists of kubectl.
func inApps(t metav1.TypeMeta) bool {
	kind := t.GroupVersionKind().GroupKind()
	if t.APIVersion == "" {
		kind.Group = appsv1.GroupName
	}
	_, ok := annotations.BuiltinOf(kind)
	return ok
}

// each converts the items of a list; nil stays nil.
func each[In, Out any](in []In, whole func(In) Out) []Out {
	if in == nil {
		return nil
	}
	out := make([]Out, len(in))
	for i := range in {
		out[i] = whole(in[i])
	}
	return out
}

// eachOf converts the lists of a map; nil stays nil.
func eachOf[In, Out any](in map[string][]In, whole func(In) Out) map[string][]Out {
	if in == nil {
		return nil
	}
	out := make(map[string][]Out, len(in))
	for name, list := range in {
		out[name] = each(list, whole)
	}
	return out
}
