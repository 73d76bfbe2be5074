package informer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"
)

// outageReminder is how often a watch that keeps failing is reported. The reflector itself retries with a backoff of
// 0.8 s to 30 s.
const outageReminder = time.Minute

// outage reports of the failures of one watch the first, and then one a minute with the number of those in between. Its
// reflector calls it from one goroutine.
type outage struct {
	what     string
	report   func(error)
	reported time.Time
	silent   int // failures since then that were not reported
}

// failed is told that a list or watch ended with an error. Whatever the error is, the reflector tries again.
func (o *outage) failed(ctx context.Context, _ *cache.Reflector, err error) {
	if ctx.Err() != nil || routine(err) {
		return
	}
	now := time.Now()
	if !o.reported.IsZero() && now.Sub(o.reported) < outageReminder {
		o.silent++
		return
	}
	o.report(fmt.Errorf("watching %s (%d more failures since the last report): %w", o.what, o.silent, err))
	o.reported, o.silent = now, 0
}

// routine says whether this is how watches end in everyday life: closed by the server, or resumed from a version that
// the server no longer has.
func routine(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || apierrors.IsResourceExpired(err)
}
