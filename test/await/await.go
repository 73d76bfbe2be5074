// Package await waits until something is so.
package await

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Until asks at once and then every interval until the answer is nil, final or cut off by the end of ctx. That error has the cause of the end,
// and the last answer.
func Until(ctx context.Context, interval time.Duration, ask func(ctx context.Context) error) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		answer := ask(ctx)
		var last final
		if answer == nil || errors.As(answer, &last) {
			return last.error
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; the last answer was: %w", context.Cause(ctx), answer)
		case <-tick.C:
		}
	}
}

// Within is Until that gives up after a time.
func Within(ctx context.Context, patience, interval time.Duration, ask func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	return Until(ctx, interval, ask)
}

// final is an answer that cannot change any more.
type final struct{ error }

// Final makes an error an answer after which nobody asks again. Of nil it makes nil.
func Final(err error) error {
	if err == nil {
		return nil
	}
	return final{err}
}
