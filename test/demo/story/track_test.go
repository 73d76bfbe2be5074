package story

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTrack(t *testing.T) {
	const s = time.Second
	track := Track{
		Workload: "web",
		Points:   []Point{{At: 1 * s, Replicas: 1}, {At: 2 * s, Replicas: 1}, {At: 4 * s, Replicas: 5}},
		Changes:  []Change{{At: 3 * s, From: 1, To: 5}, {At: 5 * s, From: 5, To: 2}},
	}
	tests := map[string]struct {
		from, to        time.Duration
		points, changes int
		replicas        int32
	}{
		"everything":                     {from: 0, to: 9 * s, points: 3, changes: 2, replicas: 2},
		"both ends belong to it":         {from: 1 * s, to: 3 * s, points: 2, changes: 1, replicas: 5},
		"a point after the change":       {from: 0, to: 4 * s, points: 3, changes: 1, replicas: 5},
		"before the first change":        {from: 0, to: 2 * s, points: 2, replicas: 1},
		"before anything was seen":       {from: 0, to: s / 2},
		"a stretch in which nothing was": {from: 6 * s, to: 9 * s},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			part := track.Between(tt.from, tt.to)
			got := []int32{int32(len(part.Points)), int32(len(part.Changes)), part.Replicas()}
			if diff := cmp.Diff([]int32{int32(tt.points), int32(tt.changes), tt.replicas}, got); diff != "" {
				t.Errorf("points, changes, replicas (-want +got):\n%s", diff)
			}
		})
	}
}
