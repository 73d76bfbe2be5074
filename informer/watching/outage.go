package watching

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"
)

// outageReminder is how often a watch that keeps failing is reported. The reflector itself retries with a backoff of
// 0.8 s to 30 s.
const outageReminder = time.Minute

// Outage reports of the failures of one watch the first, and then one a minute with the number of those in between.
type Outage struct {
	resource string
	// What is watched, as it is told; the name in the API, if nothing else is set.
	What    string
	watches *Watches
	report  func(error)

	mu       sync.Mutex
	reported time.Time
	silent   int // failures since then that were not reported
}

// Outage begins to watch over what has this name in the API.
func (w *Watches) Outage(resource string, report func(error)) *Outage {
	return &Outage{resource: resource, What: resource, watches: w, report: report}
}

// Failed is told that a list or watch ended with an error. Whatever the error is, the reflector tries again.
func (o *Outage) Failed(ctx context.Context, _ *cache.Reflector, err error) {
	if ctx.Err() != nil || routine(err) {
		return
	}
	o.watches.count(o.resource, reasonOf(err))
	o.note(err)
}

// reasonOf is the reason of a failure that ended a request.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errNoAnswer):
		return FailedUnreachable
	case apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
		return FailedForbidden
	}
	return FailedRefused
}

// note reports a failure, if it is time to.
func (o *Outage) note(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if !o.reported.IsZero() && now.Sub(o.reported) < outageReminder {
		o.silent++
		return
	}
	o.report(fmt.Errorf("watching %s (%d more failures since the last report): %w", o.What, o.silent, err))
	o.reported, o.silent = now, 0
}

// routine says whether this is how watches end in everyday life: closed by the server, or resumed from a version that
// the server no longer has.
func routine(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || apierrors.IsResourceExpired(err)
}
