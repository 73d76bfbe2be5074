package authority

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	firstRetry = 100 * time.Millisecond
	// longestRetry and longestLook are for lives of days; shorter lives shorten them to slowFraction of the CA's.
	longestRetry = 30 * time.Second
	longestLook  = 10 * time.Second
	slowFraction = 20
	// quietConflicts in a row are how replicas agree; more are worth a line in the log.
	quietConflicts = 5
)

// Run keeps the certificates until ctx ends. What it served last is served after that too. It may be called again after
// it returned, which it does when nothing is left running.
func (a *Authority) Run(ctx context.Context) {
	informers, err := a.watches()
	if err != nil { // only of informers that were started before
		a.config.Log.Error("changes will be noticed late", zap.Error(err))
	}
	var running sync.WaitGroup
	defer running.Wait()
	for _, informer := range informers {
		running.Go(func() { informer.RunWithContext(ctx) })
	}
	a.loop(ctx)
}

// loop looks whenever something changed or is due, at a bounded pace.
func (a *Authority) loop(ctx context.Context) {
	backoff := a.backoff()
	for failures := 0; a.pace.Wait(ctx) == nil; {
		next, err := a.lookInTime(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := time.Until(next)
		if err == nil {
			failures, backoff = 0, a.backoff()
		} else {
			failures++
			pause = min(pause, backoff.Step())
		}
		if !errors.Is(err, errMoved) || failures > quietConflicts {
			a.looking.tell(err)
		}
		a.rest(ctx, pause)
	}
}

// lookInTime gives up on an API server that does not answer: a leaf may have to be renewed meanwhile.
func (a *Authority) lookInTime(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, min(longestLook, a.config.CALife/slowFraction))
	defer cancel()
	return a.look(ctx)
}

func (a *Authority) backoff() wait.Backoff {
	return wait.Backoff{Duration: firstRetry, Factor: 2, Jitter: 0.5, Steps: math.MaxInt,
		Cap: min(longestRetry, a.config.CALife/slowFraction)}
}

// rest lasts until the pause is over, the bell rings or ctx ends.
func (a *Authority) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-a.bell:
	}
}
