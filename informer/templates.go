package informer

import (
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
	lists lists
}

func newTemplates() templates { return templates{lru.New(templatesKept), newLists()} }

// workloads is a transform of workloads, with shared requests and limits.
func (t templates) workloads(slim cache.TransformFunc) cache.TransformFunc {
	return func(obj any) (any, error) {
		out, err := slim(obj)
		if k, ok := out.(*kept); ok && k.isAnnotated() && k.selected.Template != nil {
			t.lists.shareAll(k.selected.Template.Spec.Containers)
			t.lists.shareAll(k.selected.Template.Spec.InitContainers)
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
	t.lists.shareAll(own.spec.Containers)
	t.lists.shareAll(own.spec.InitContainers)
	own.spec.Overhead = t.lists.share(own.spec.Overhead)
	if r := own.spec.Resources; r != nil {
		r.Requests, r.Limits = t.lists.share(r.Requests), t.lists.share(r.Limits)
	}
	t.last.Add(own.owner.UID, own)
	return own
}

// forget drops the template of an owner.
func (t templates) forget(owner types.UID) { t.last.Remove(owner) }

// listsKept is how many lists are remembered. Forgetting one only costs memory, for the next containers that have it.
const listsKept = 1024

// lists lets containers with equal requests or limits share them: those of a Deployment, of its pods, and of others that happen to
// have the same. A list of one resource takes 0.7 kB, ten times its text.
type lists struct{ last *lru.Cache }

func newLists() lists { return lists{lru.New(listsKept)} }

// shareAll replaces the lists of a pod by equal ones that were seen earlier.
func (l lists) shareAll(containers []corev1.Container) {
	for i := range containers {
		r := &containers[i].Resources
		r.Requests, r.Limits = l.share(r.Requests), l.share(r.Limits)
	}
}

func (l lists) share(list corev1.ResourceList) corev1.ResourceList {
	if len(list) == 0 {
		return nil
	}
	key := textOf(list)
	if earlier, known := l.last.Get(key); known {
		if shared, ok := earlier.(corev1.ResourceList); ok {
			return shared
		}
	}
	l.last.Add(key, list)
	return list
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
