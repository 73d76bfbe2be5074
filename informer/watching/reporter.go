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

// reportInterval is how often a watch that keeps failing is reported. The reflector retries with a backoff of 0.8 s to 30 s.
const reportInterval = time.Minute

// Reporter reports failures of one watch: the first, and then one a minute with the number of failures in between.
type Reporter struct {
	resource string
	// What is the name in reports; the name in the API unless it is changed.
	What    string
	watches *Watches
	report  func(error)

	mu       sync.Mutex
	reported time.Time
	silent   int // unreported failures since then
	// starting and stillStarting are when the API server first and last said that it is about to serve the objects.
	starting, stillStarting time.Time
}

// Reporter makes the reporter of the objects that have this name in the API.
func (w *Watches) Reporter(resource string, report func(error)) *Reporter {
	return &Reporter{resource: resource, What: resource, watches: w, report: report}
}

// Failed notes that a list or watch ended with an error. Whatever the error is, the reflector tries again.
func (o *Reporter) Failed(ctx context.Context, _ *cache.Reflector, err error) {
	if ctx.Err() != nil || routine(err) || o.isStarting(err) {
		return
	}
	o.watches.count(o.resource, reasonOf(err))
	o.note(err)
}

// startLimit is how long an API server may be about to serve a kind of object. Usually it takes a second or two.
const startLimit = 10 * time.Second

// isStarting says whether an error is no more than what an API server answers for a moment when a CustomResourceDefinition is new, or when
// it has been started itself (k8s.io/apiserver: storage/cacher/ready.go). If the API server knows what is in the way, it says more.
func (o *Reporter) isStarting(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsTooManyRequests(err) || !errors.As(err, &status) || status.Status().Message != "storage is (re)initializing" {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Sub(o.stillStarting) > reportInterval {
		o.starting = now
	}
	o.stillStarting = now
	return now.Sub(o.starting) < startLimit
}

// reasonOf returns the reason for which a request failed.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errNoAnswer):
		return FailedUnreachable
	case apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
		return FailedForbidden
	}
	return FailedRefused
}

// note reports a failure, if the last report is long enough ago.
func (o *Reporter) note(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if !o.reported.IsZero() && now.Sub(o.reported) < reportInterval {
		o.silent++
		return
	}
	o.report(fmt.Errorf("watching %s (%d more failures since the last report): %w", o.What, o.silent, err))
	o.reported, o.silent = now, 0
}

// routine says whether watches normally end this way: closed by the server, or because the server no longer has the version from
// which they should go on.
func routine(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || apierrors.IsResourceExpired(err)
}
