package loadsim

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// at are the loads of a curve at some times.
func at(c Curve, times ...time.Duration) []int64 {
	var loads []int64
	for _, t := range times {
		loads = append(loads, c(t))
	}
	return loads
}

func TestCurves(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, story := range map[string]struct {
		curve Curve
		at    []time.Duration
		want  []int64
	}{
		"a constant load never changes":          {Constant(700), []time.Duration{0, s, time.Hour}, []int64{700, 700, 700}},
		"before the first step there is nothing": {Steps(Step{2 * s, 5}), []time.Duration{0, 2*s - 1, 2 * s}, []int64{0, 0, 5}},
		"steps may come in any order":            {Steps(Step{9 * s, 3}, Step{0, 1}, Step{5 * s, 2}), []time.Duration{0, 5 * s, 9 * s, 99 * s}, []int64{1, 2, 3, 3}},
		"far steps are in order too":             {Steps(Step{1 << 62, 2}, Step{-1 << 62, 1}), []time.Duration{0}, []int64{1}},
		"no steps are no load":                   {Steps(), []time.Duration{0}, []int64{0}},
		"a burst comes first and comes again":    {Burst(1, 9, 20*s, 5*s), []time.Duration{0, 5*s - 1, 5 * s, 20*s - 1, 20 * s, 25 * s}, []int64{9, 9, 1, 1, 9, 1}},
		"a burst without a period does not end":  {Burst(1, 9, 0, 0), []time.Duration{0, s}, []int64{9, 9}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(story.want, at(story.curve, story.at...)); diff != "" {
				t.Errorf("loads (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStepsDoesNotTouchItsArguments(t *testing.T) {
	t.Parallel()
	steps := []Step{{time.Minute, 2}, {0, 1}}
	c := Steps(steps...)
	if diff := cmp.Diff([]Step{{time.Minute, 2}, {0, 1}}, steps); diff != "" {
		t.Errorf("the caller's steps (-want +got):\n%s", diff)
	}
	steps[1].Load = 77
	if got := c(0); got != 1 {
		t.Errorf("load after the caller changed its steps = %d, want 1", got)
	}
}
