package informer

import (
	"fmt"

	"k8s.io/client-go/tools/cache"
)

// named returns an object by its name, or the zero T if it is not there.
func named[T any](store cache.Store, key cache.ObjectName) T {
	// The in-memory store has no error to return.
	obj, _, _ := store.GetByKey(key.String())
	found, _ := obj.(T)
	return found
}

// indexed returns what an index holds under a value, in no order.
func indexed[T any](indexer cache.Indexer, index, value string) []T {
	objs, err := indexer.ByIndex(index, value)
	if err != nil {
		// The only possible error is a wrong name of the index. Going on without pods would lead to wrong decisions.
		panic(fmt.Errorf("searching the cache: %w", err))
	}
	found := make([]T, 0, len(objs))
	for _, obj := range objs {
		if o, ok := obj.(T); ok {
			found = append(found, o)
		}
	}
	return found
}

// typed asserts the type that a transform has made: an informer holds no other.
func typed[T any](obj any) T {
	t, ok := obj.(T)
	if !ok {
		panic(fmt.Errorf("an informer holds a %T", obj))
	}
	return t
}
