package play

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

// A change waits for its reason and for a look at its sample, but not forever.
func TestChangesWaitForTheirReason(t *testing.T) {
	const s = time.Second
	began := 10 * s
	point := func(at time.Duration, utilization, replicas int32) story.Point {
		return story.Point{At: at, Utilization: utilization, Replicas: replicas}
	}
	early := []story.Point{point(9*s, 20, 1), point(15*s, 20, 1)}
	tests := map[string]struct {
		now    time.Duration
		points []story.Point
		reason string
		last   bool
		want   string
	}{
		"no reason yet":           {now: 17 * s, points: append(early, point(16*s, 220, 5)), want: ""},
		"no look yet":             {now: 17 * s, points: early, reason: "hot", want: ""},
		"both":                    {now: 17 * s, points: append(early, point(16*s, 220, 5)), reason: "hot", want: "0:16   2200m         220%    1 -> 5  #####       hot"},
		"never told":              {now: 18 * s, points: append(early, point(16*s, 220, 5)), want: "0:16   2200m         220%    1 -> 5  #####"},
		"the phase is over":       {now: 17 * s, points: early, last: true, want: "0:16   2200m          20%    1 -> 5  #####\n  0:17   2200m          20%         5  #####"},
		"the one before is known": {now: 17 * s, points: early, reason: "hot", last: true, want: "0:16   2200m          20%    1 -> 5  #####       hot\n  0:17   2200m          20%         5  #####"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			phase := story.Phase{Workloads: []story.Workload{{Name: "web"}}, Load: story.Steady(220)}
			rows := newReporter(&out, story.Act{Phase: phase, Began: began}, 1000, 5*s)
			track := story.Track{Workload: "web", Points: tt.points, Changes: []story.Change{
				{At: 8 * s, From: 2, To: 1}, // of the phase before: never printed
				{At: 16 * s, From: 1, To: 5, Reason: tt.reason},
			}}
			if err := rows.report(story.Seen{Began: began, Now: tt.now, Tracks: []story.Track{track}}, tt.last); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, strings.TrimSpace(out.String())); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}
