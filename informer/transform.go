package informer

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// The transforms build a new object from the fields that are read. They do not change the object that they are given, which may be
// shared, and whose other fields are freed with it. They return their own results as they are, because a streamed initial list
// goes through them twice, and objects of other types, such as tombstones, too.

// kept is what a cache holds of an object that can be scaled: its record, and the rest if it is annotated.
type kept struct {
	record
	// choice is nil if the object has no annotation of mini-hpa, and if it is a ReplicaSet that anything controls, or that was made by a
	// Deployment: what controls a ReplicaSet also scales it, and has usually copied its own annotations to it. If somebody else has annotated
	// such a ReplicaSet, the choice is in vain.
	*choice
}

// choice is an object that is annotated. Most are not, and their records are as small without it.
type choice struct {
	selected *annotations.Workload
	// selector is that of the scale of an annotated custom resource; nil if it has none, or one that selects nothing or everything, which
	// cannot be meant.
	selector labels.Selector
	// inVain says that the object is never scaled. It is kept to tell so.
	inVain bool
	// isForeign says that another installation scales the object: it is of another class. What it controls is not scaled here either.
	isForeign bool
}

// DeepCopyObject implements runtime.Object. It shares the parts of the workload, which are never changed.
func (k *kept) DeepCopyObject() runtime.Object {
	same := *k
	return &same
}

// isAnnotated says whether the object is to be scaled, unless another one above it is.
func (k *kept) isAnnotated() bool { return k.isClaimed() && !k.isForeign }

// isClaimed says whether the object is to be scaled by this installation or another one, unless another one above it is.
func (k *kept) isClaimed() bool { return k != nil && k.choice != nil && !k.inVain }

// meantInVain are the annotations of an object that is never scaled.
func (k *kept) meantInVain() map[string]string {
	if k == nil || k.choice == nil || !k.inVain {
		return nil
	}
	return k.selected.Annotations
}

// keptOf keeps the fields of an annotated object that a decision reads, and the identity of any other one.
func keptOf[T metav1.Object](in T, read func(T) *annotations.Workload) *kept {
	k := &kept{record: recordOf(in)}
	if !annotations.Selected(in.GetAnnotations()) {
		return k
	}
	w := read(in)
	w.Owner = k.owner
	w.Annotations = ownAnnotations(w.Annotations)
	if whole := w.Template; whole != nil {
		w.Template = &corev1.PodTemplateSpec{Spec: podspec.Slim(&whole.Spec).Core()}
		keepPlaceholders(&w.Template.Spec, &whole.Spec)
		wakes := w.Annotations[annotations.WakeKey] != "" // its Services are those that select its pods
		if wakes {
			keepWayOfRequests(&w.Template.Spec, &whole.Spec)
		}
		w.Template.Labels = pairs(whole.Labels, func(key string) bool { return wakes || annotations.Announces(key) })
		w.Template.Annotations = pairs(whole.Annotations, func(key string) bool { return isOwn(key) || annotations.Announces(key) })
	}
	w.SetBy, w.Refused = words(w.SetBy), words(w.Refused)
	k.choice = &choice{selected: w}
	return k
}

// ofClass is a transform after which those objects are annotated that are of a class. Of another installation's only the annotations are kept.
func ofClass(class string, slim cache.TransformFunc) cache.TransformFunc {
	return func(obj any) (any, error) {
		out, err := slim(obj)
		k, ok := out.(*kept)
		if !ok || k.choice == nil || k.isForeign || annotations.ClassOf(k.selected.Annotations) == class {
			return out, err
		}
		if k.inVain {
			k.choice = nil // the other installation tells so
			return k, err
		}
		k.choice = &choice{isForeign: true, selected: &annotations.Workload{Annotations: k.selected.Annotations}}
		return k, err
	}
}

func slimDeployment(obj any) (any, error) {
	in, ok := obj.(*appsv1.Deployment)
	if !ok {
		return obj, nil
	}
	return keptOf(in, annotations.OfDeployment), nil
}

func slimStatefulSet(obj any) (any, error) {
	in, ok := obj.(*appsv1.StatefulSet)
	if !ok {
		return obj, nil
	}
	return keptOf(in, annotations.OfStatefulSet), nil
}

// slimReplicaSet keeps no more than the identity of a ReplicaSet that anything controls, or that a Deployment has made. If such a one has
// annotations of mini-hpa, which are in vain there, these are kept, too.
func slimReplicaSet(obj any) (any, error) {
	in, ok := obj.(*appsv1.ReplicaSet)
	if !ok {
		return obj, nil
	}
	if annotations.IsLeftAlone(in) {
		k := &kept{record: recordOf(in)}
		if annotations.AnnotatedInVain(in) {
			k.choice = &choice{inVain: true, selected: &annotations.Workload{APIVersion: appsv1.SchemeGroupVersion.String(), Annotations: ownAnnotations(in.Annotations)}}
		}
		return k, nil
	}
	return keptOf(in, annotations.OfReplicaSet), nil
}

// slimCustom returns the transform of a custom kind.
func slimCustom(kind annotations.Kind) cache.TransformFunc {
	return func(obj any) (any, error) {
		in, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return obj, nil
		}
		k := keptOf(in, kind.Read)
		if k.isAnnotated() {
			k.selector = meant(k.selected.Selector)
		}
		return k, nil
	}
}

// meant returns a selector, or nil if it is none, or selects nothing or everything.
func meant(in *metav1.LabelSelector) labels.Selector {
	selector, err := metav1.LabelSelectorAsSelector(in)
	if in == nil || err != nil || selector.Empty() {
		return nil
	}
	return selector
}

// slim keeps the fields of a pod that a decision reads if a workload can own it, and nothing but its name and version otherwise.
func (w wants) slim(obj any) (any, error) {
	in, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	owner, isOpen := metav1.GetControllerOfNoCopy(in), w.isOpen(in.Namespace)
	if !isOpen && (owner == nil || !w.kinds[kindOf(owner)]) {
		return &keptPod{record: record{namespace: one(in.Namespace), name: in.Name, version: in.ResourceVersion}}, nil
	}
	out := &keptPod{record: recordOf(in), facts: &facts{Pod: podspec.ReadPod(in)}}
	f := out.facts
	f.Namespace, f.Node, f.Phase, f.Ports = out.namespace, one(f.Node), one(f.Phase), one(f.Ports)
	f.Ready.Status, f.Scheduled.Status, f.Unscheduled = one(f.Ready.Status), one(f.Scheduled.Status), words(f.Unscheduled)
	if isOpen || w.hasCustoms() {
		f.labels = sharedPairs(in.Labels)
	}
	return out, nil
}

// slimMeta keeps the identity of an object, and its resource version, on which writes are conditional.
func slimMeta(in *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: in.Namespace, Name: in.Name, UID: in.UID, ResourceVersion: in.ResourceVersion}
}

// keepPlaceholders keeps the images of a pod template that stand for a container that is injected.
func keepPlaceholders(out, in *corev1.PodSpec) {
	for at, c := range podspec.All(in) {
		if c.Image == annotations.PlaceholderImage {
			podspec.At(out, at).Image = annotations.PlaceholderImage
		}
	}
}

// keepWayOfRequests keeps what bears on how requests reach the pods, and how they end: ports, and what is done before a container is told to end.
func keepWayOfRequests(out, in *corev1.PodSpec) {
	out.TerminationGracePeriodSeconds = in.TerminationGracePeriodSeconds
	for at, c := range podspec.All(in) {
		kept := podspec.At(out, at)
		kept.Ports = c.Ports
		if c.Lifecycle != nil {
			kept.Lifecycle = &corev1.Lifecycle{PreStop: c.Lifecycle.PreStop}
		}
	}
}

// hasWayOfRequests says whether something is there that keepWayOfRequests keeps.
func hasWayOfRequests(spec *corev1.PodSpec) bool {
	for _, c := range podspec.All(spec) {
		if len(c.Ports) > 0 || c.Lifecycle != nil {
			return true
		}
	}
	return spec.TerminationGracePeriodSeconds != nil
}

// maxWords is how much of the messages of other controllers is kept, in bytes: as much as an Event repeats.
const maxWords = 300

// words returns the beginning of a text. Usually all pods of a workload have the same text, and then share its memory.
func words(text string) string {
	return one(strings.ToValidUTF8(text[:min(len(text), maxWords)], ""))
}

// ownAnnotations keeps the annotations with mini-hpa's prefix; nil if there are none.
func ownAnnotations(in map[string]string) map[string]string { return pairs(in, isOwn) }

func isOwn(key string) bool { return strings.HasPrefix(key, annotations.Prefix) }

// sharedPairs returns the pairs in memory that all equal texts share; never nil.
func sharedPairs(in map[string]string) map[string]string {
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[one(k)] = one(v)
	}
	return out
}

// pairs returns the pairs whose keys are wanted; nil if there are none.
func pairs(in map[string]string, wanted func(key string) bool) map[string]string {
	var out map[string]string
	for k, v := range in {
		if !wanted(k) {
			continue
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[one(k)] = v
	}
	return out
}
