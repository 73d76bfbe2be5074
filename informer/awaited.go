package informer

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

// awaited is a kind of object that is waited for until its first list has come, or it is known that none will.
type awaited struct {
	came  <-chan struct{} // closed when the first list has come; nil if only end ends the wait
	ended chan struct{}
	once  sync.Once
}

// end ends the wait, though the list may still come.
func (a *awaited) end() { a.once.Do(func() { close(a.ended) }) }

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// fill returns true when everything that is waited for has come or will not, and false if ctx ends before that.
func fill(ctx context.Context, awaited []*awaited) bool {
	for _, a := range awaited {
		select {
		case <-a.came:
		case <-a.ended:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// withheld says whether an error means that no list will come, rather than that the API server does not answer.
func withheld(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsNotFound(err) }

// optional is how long extensions and custom kinds are waited for. They belong to others, and the API that serves them may be broken.
const optional = 30 * time.Second

// handleError gets the errors of those who do not say where they are to go.
func handleError(err error) {
	utilruntime.HandleErrorWithContext(context.Background(), err, "mini-hpa informers")
}
