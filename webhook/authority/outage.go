package authority

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"
)

// reminder is how often something that keeps failing is logged.
const reminder = time.Minute

// outage logs of the failures of one thing the first, then one a minute, and the end. Any goroutine may tell it.
type outage struct {
	what string
	log  *zap.Logger

	mu     sync.Mutex
	logged time.Time // zero while nothing fails
	silent int       // failures since then that were not logged
}

// tell is told how it went. nil ends an outage; of a watch nobody tells that.
func (o *outage) tell(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil && !o.logged.IsZero():
		o.log.Info(o.what + ": works again")
		o.logged, o.silent = time.Time{}, 0
	case err == nil:
	case !o.logged.IsZero() && now.Sub(o.logged) < reminder:
		o.silent++
	default:
		o.log.Warn(o.what+": fails", zap.Error(err), zap.Int("unreported", o.silent))
		o.logged, o.silent = now, 0
	}
}

// watchFailed is told by a reflector that a list or watch ended. Whatever the reason is, the reflector tries again.
func (o *outage) watchFailed(ctx context.Context, _ *cache.Reflector, err error) {
	routine := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || apierrors.IsResourceExpired(err)
	if ctx.Err() == nil && !routine {
		o.tell(err)
	}
}
