package informer

import (
	"k8s.io/client-go/util/workqueue"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// fairQueue takes turns between namespaces, so that one in which thousands of workloads want to be looked at does not keep those of
// another waiting; within a namespace it is first in, first out. It is the order of a workqueue, which locks around every call.
type fairQueue struct {
	waiting map[string][]annotations.Key // never holds an empty slice
	turns   []string                     // the namespaces that wait, the next one first
	length  int
}

var _ workqueue.Queue[annotations.Key] = (*fairQueue)(nil)

func newFairQueue() *fairQueue { return &fairQueue{waiting: map[string][]annotations.Key{}} }

// Touch is told of a key that is added while it waits: it keeps its place.
func (q *fairQueue) Touch(annotations.Key) {}

// Push adds a key; a namespace that did not wait has its turn after those that do.
func (q *fairQueue) Push(key annotations.Key) {
	if len(q.waiting[key.Namespace]) == 0 {
		q.turns = append(q.turns, key.Namespace)
	}
	q.waiting[key.Namespace] = append(q.waiting[key.Namespace], key)
	q.length++
}

// Len is the number of keys that wait.
func (q *fairQueue) Len() int { return q.length }

// Pop takes the first key of the namespace whose turn it is. There must be one.
func (q *fairQueue) Pop() annotations.Key {
	namespace := q.turns[0]
	q.turns = q.turns[1:]
	keys := q.waiting[namespace]
	if len(keys) > 1 {
		q.waiting[namespace] = keys[1:]
		q.turns = append(q.turns, namespace)
	} else {
		delete(q.waiting, namespace)
	}
	q.length--
	return keys[0]
}
