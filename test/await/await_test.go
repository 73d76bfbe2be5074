package await

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestUntil(t *testing.T) {
	t.Parallel()
	notYet, dead := errors.New("not yet"), errors.New("dead")
	for name, tc := range map[string]struct {
		answers []error // one after the other; the last one again and again
		want    error
		after   time.Duration
		says    string
	}{
		"so at once":     {answers: []error{nil}},
		"so later":       {answers: []error{notYet, notYet, Final(nil)}, after: 2 * time.Second},
		"never":          {answers: []error{notYet}, want: notYet, after: time.Minute, says: "not within 1m0s; the last answer was: not yet"},
		"never any more": {answers: []error{notYet, Final(dead)}, want: dead, after: time.Second, says: "dead"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began, asked := time.Now(), 0
				err := Within(t.Context(), time.Minute, time.Second, func(context.Context) error {
					asked++
					return tc.answers[min(asked, len(tc.answers))-1]
				})
				if !errors.Is(err, tc.want) || err != nil && !strings.Contains(err.Error(), tc.says) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
				if took := time.Since(began); took != tc.after {
					t.Errorf("it took %s, want %s", took, tc.after)
				}
			})
		})
	}
}

func TestItEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	err := Until(ctx, time.Hour, func(context.Context) error {
		cancel(errors.New("enough"))
		return errors.New("not yet")
	})
	if err == nil || err.Error() != "enough; the last answer was: not yet" {
		t.Error(err)
	}
}
