package informer

import (
	"k8s.io/client-go/util/workqueue"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// fairQueue gives namespaces turns, so that workloads do not wait for thousands of another namespace. Within a namespace it is first
// in, first out. It is the order of a workqueue, which locks around every call.
type fairQueue struct {
	waiting map[string][]annotations.Key // never holds an empty slice
	turns   []string                     // the waiting namespaces, the next one first
	length  int
}

var _ workqueue.Queue[annotations.Key] = (*fairQueue)(nil)

func newFairQueue() *fairQueue { return &fairQueue{waiting: map[string][]annotations.Key{}} }

// Touch does nothing: a key that is added again while it waits keeps its place.
func (q *fairQueue) Touch(annotations.Key) {}

// Push adds a key. If its namespace was not waiting, its turn comes after those of all that are.
func (q *fairQueue) Push(key annotations.Key) {
	if len(q.waiting[key.Namespace]) == 0 {
		q.turns = append(q.turns, key.Namespace)
	}
	q.waiting[key.Namespace] = append(q.waiting[key.Namespace], key)
	q.length++
}

// Len is the number of waiting keys.
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
