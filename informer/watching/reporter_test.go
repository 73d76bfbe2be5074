package watching

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var errDown = errors.New("connection refused")

func TestWhatCountsAsAFailedWatch(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	cases := map[string]struct {
		err    error
		want   []string
		reason string
	}{
		"closed by the server":     {io.EOF, nil, ""},
		"cut off":                  {fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), nil, ""},
		"resource version too old": {apierrors.NewResourceExpired("compacted"), nil, ""},
		"refused":                  {errDown, []string{"watching pods (0 more failures since the last report): connection refused"}, FailedRefused},
		"no answer":                {fmt.Errorf("%w within 1m0s", errNoAnswer), []string{"watching pods (0 more failures since the last report): no answer within 1m0s"}, FailedUnreachable},
		"a right is missing": {apierrors.NewForbidden(pods, "", errors.New("no")),
			[]string{"watching pods (0 more failures since the last report): pods is forbidden: no"}, FailedForbidden},
		"a token that is not known": {fmt.Errorf("listing: %w", apierrors.NewUnauthorized("who")),
			[]string{"watching pods (0 more failures since the last report): listing: who"}, FailedForbidden},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var told []string
			w := NewWatches("", nil)
			o := w.Reporter("pods", func(err error) { told = append(told, err.Error()) })
			o.Failed(t.Context(), nil, c.err)
			check(t, "told", told, c.want)
			want := map[Failure]uint64{}
			if c.reason != "" {
				want[Failure{"pods", c.reason}] = 1
			}
			check(t, "counted", w.Failures(), want)
		})
	}
}

func TestAWatchThatEndsWithTheProgramHasNotFailed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := NewWatches("", nil).Reporter("pods", func(err error) { t.Errorf("told: %v", err) })
	o.Failed(ctx, nil, fmt.Errorf("listing: %w", ctx.Err()))
}
