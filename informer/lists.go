package informer

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/lru"
)

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
