package scaler

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// inner are the annotated objects of which it was told that another one, which controls them, is scaled in their place, or may be. The zero
// value is ready to use.
type inner struct {
	mu   sync.Mutex
	told map[annotations.Key]innerNews
}

// innerNews is what was told of which object.
type innerNews struct {
	uid  types.UID
	text string
}

// news remembers what an object is told as an inner one, or with no text that it is none, and says whether that is to be told.
func (i *inner) news(key annotations.Key, n innerNews) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if n.text == "" || i.told[key] == n {
		if n.text == "" {
			delete(i.told, key)
		}
		return false
	}
	if i.told == nil {
		i.told = map[annotations.Key]innerNews{}
	}
	i.told[key] = n
	return true
}

func (i *inner) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.told)
}
