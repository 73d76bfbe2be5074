package scaler

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// inner are the annotated objects of which it was told that another one, which controls them, is scaled in their place. The zero value is
// ready to use.
type inner struct {
	mu   sync.Mutex
	told map[annotations.Key]types.UID
}

// news remembers that an object is an inner one, or with an empty UID that it is not, and says whether that is to be told.
func (i *inner) news(key annotations.Key, uid types.UID) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if uid == "" || i.told[key] == uid {
		if uid == "" {
			delete(i.told, key)
		}
		return false
	}
	if i.told == nil {
		i.told = map[annotations.Key]types.UID{}
	}
	i.told[key] = uid
	return true
}

func (i *inner) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.told)
}
