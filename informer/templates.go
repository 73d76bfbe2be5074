package informer

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/lru"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// templatesKept is how many templates are remembered: enough for the owners that roll out or scale at about the same time, which are far
// fewer than exist. Forgetting one only costs memory, for its next pods. The template of an owner without pods is dropped at once.
const templatesKept = 8192

// templates lets the pods of one owner, such as a ReplicaSet, share what they have from their template. With one container, a pod takes
// 0.8 kB if it is one of five in a ReplicaSet, and 1.6 kB if it is alone (BenchmarkMemory).
type templates struct {
	last  *lru.Cache
	equal equal
}

func newTemplates() templates { return templates{lru.New(templatesKept), newEqual()} }

// workloads is a transform of workloads, with shared templates and annotations.
func (t templates) workloads(slim cache.TransformFunc) cache.TransformFunc {
	return func(obj any) (any, error) {
		out, err := slim(obj)
		if k, ok := out.(*kept); ok && k.isAnnotated() {
			k.selected.Annotations = t.equal.pairs(k.selected.Annotations)
			if k.selected.Template != nil {
				k.selected.Template = t.equal.template(k.selected.Template)
			}
		}
		return out, err
	}
}

// pods is the transform of pods, with shared specs.
func (t templates) pods(w wants) cache.TransformFunc {
	return func(obj any) (any, error) {
		out, err := w.slim(obj)
		if pod, ok := out.(*keptPod); ok && pod.facts != nil && pod.owner != nil {
			f := pod.facts
			shared := t.share(template{pod.owner, f.Spec, f.labels})
			pod.owner, f.Owner, f.Spec = shared.owner, shared.owner.UID, shared.spec
			if maps.Equal(f.labels, shared.labels) {
				f.labels = shared.labels
			}
		}
		return out, err
	}
}

// template has what the pods of one owner usually have in common.
type template struct {
	owner  *metav1.OwnerReference
	spec   *podspec.Spec
	labels map[string]string // of the pod that came first; nil if they are not kept
}

// share returns the template of an earlier pod of the same owner if it is equal. It may differ, because pods are resized in place and
// webhooks add containers.
func (t templates) share(own template) template {
	earlier, _ := t.last.Get(own.owner.UID)
	if shared, known := earlier.(template); known && sameOwner(shared.owner, own.owner) && shared.spec.IsEqual(own.spec) && (shared.labels != nil || own.labels == nil) {
		return shared
	}
	own.spec = t.equal.spec(own.spec)
	t.last.Add(own.owner.UID, own)
	return own
}

// forget drops the template of an owner.
func (t templates) forget(owner types.UID) { t.last.Remove(owner) }

// equalKept is how many things of a kind are remembered that others may equal. Forgetting one only costs memory, for the next that equals it.
const equalKept = 1024

// Of annotations fewer are remembered, and none whose text is long: workloads that have theirs from one chart or script usually come one after
// the other, and a document of many lines is seldom that of another workload, too.
const (
	annotationsKept    = 256
	longestAnnotations = 1024 // bytes
)

// equal lets a Deployment, its pods, and others that happen to have the same containers share them, and containers with equal requests or
// limits those: a list of one resource takes 0.7 kB, ten times its text. Workloads with equal annotations share these. Each has what was seen last, by
// its text.
type equal struct{ templates, specs, lists, annotations *lru.Cache }

func newEqual() equal {
	return equal{lru.New(equalKept), lru.New(equalKept), lru.New(equalKept), lru.New(annotationsKept)}
}

// share returns what was seen earlier under the same text, or else what is made.
func share[T any](seen *lru.Cache, text string, made func() T) T {
	if earlier, known := seen.Get(text); known {
		return typed[T](earlier)
	}
	own := made()
	seen.Add(text, own)
	return own
}

func (e equal) template(own *corev1.PodTemplateSpec) *corev1.PodTemplateSpec {
	if hasWayOfRequests(&own.Spec) { // which is not a part of a podspec.Spec
		for _, c := range podspec.All(&own.Spec) {
			c.Resources = e.resources(c.Resources)
		}
		return own
	}
	spec := e.spec(podspec.View(&own.Spec))
	if len(own.Labels)+len(own.Annotations) > 0 {
		own.Spec = spec.Core()
		return own
	}
	return share(e.templates, textOfSpec(spec), func() *corev1.PodTemplateSpec { return &corev1.PodTemplateSpec{Spec: spec.Core()} })
}

func (e equal) spec(own *podspec.Spec) *podspec.Spec {
	return share(e.specs, textOfSpec(own), func() *podspec.Spec {
		made := &podspec.Spec{Containers: slices.Clone(own.Containers), InitContainers: slices.Clone(own.InitContainers), Overhead: e.list(own.Overhead)}
		for _, c := range made.All {
			c.Resources = e.resources(c.Resources)
		}
		if own.Resources != nil {
			made.Resources = new(e.resources(*own.Resources))
		}
		return made
	})
}

func (e equal) pairs(own map[string]string) map[string]string {
	text := fmt.Sprintf("%q", own) // sorted by key
	if len(text) > longestAnnotations {
		return own
	}
	return share(e.annotations, text, func() map[string]string { return own })
}

func (e equal) resources(own corev1.ResourceRequirements) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: e.list(own.Requests), Limits: e.list(own.Limits)}
}

func (e equal) list(own corev1.ResourceList) corev1.ResourceList {
	if len(own) == 0 {
		return nil
	}
	return share(e.lists, textOf(own), func() corev1.ResourceList { return own })
}

// textOfSpec returns the same text for two specs if and only if they are equal.
func textOfSpec(s *podspec.Spec) string {
	var text []byte
	add := func(r *corev1.ResourceRequirements) {
		text = append(append(append(text, textOf(r.Requests)...), '/'), textOf(r.Limits)...)
	}
	for at, c := range s.All {
		var policy corev1.ContainerRestartPolicy
		if c.RestartPolicy != nil {
			policy = *c.RestartPolicy
		}
		text = fmt.Appendf(text, "%s %q %q %q ", at.List, c.Name, c.Image, policy)
		add(&c.Resources)
	}
	text = append(append(text, ';'), textOf(s.Overhead)...)
	if s.Resources != nil {
		text = append(text, ';')
		add(s.Resources)
	}
	return string(text)
}

// textOf returns the same text for two lists if and only if they are equal. Names of resources cannot contain its separators.
func textOf(list corev1.ResourceList) string {
	var text []byte
	for _, name := range slices.Sorted(maps.Keys(list)) {
		q := list[name]
		text = append(append(append(text, name...), '='), q.String()...)
		text = append(append(append(text, ' '), q.Format...), ',')
	}
	return string(text)
}
