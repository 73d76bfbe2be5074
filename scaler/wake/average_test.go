package wake

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestRequestsAtATime(t *testing.T) {
	type look struct {
		at       time.Duration
		counters map[string]float64
	}
	one := func(seconds ...float64) []look {
		var all []look
		for i, s := range seconds {
			all = append(all, look{time.Duration(i) * time.Second, map[string]float64{"a": s}})
		}
		return all
	}
	tests := map[string]struct {
		looks []look
		want  float64 // below 0: not known
	}{
		"nothing is known":               {nil, -1},
		"one look says nothing":          {one(7), -1},
		"nobody":                         {one(7, 7), 0},
		"two at a time":                  {one(7, 9, 11), 2},
		"between two looks":              {one(0, 0.25), 0.25},
		"two processes":                  {[]look{{0, map[string]float64{"a": 1, "b": 5}}, {2 * time.Second, map[string]float64{"a": 3, "b": 9}}}, 3},
		"one has begun again":            {[]look{{0, map[string]float64{"a1": 100}}, {time.Second, map[string]float64{"a1": 101}}, {2 * time.Second, map[string]float64{"a2": 50}}, {3 * time.Second, map[string]float64{"a2": 51}}}, 1},
		"one is gone":                    {[]look{{0, map[string]float64{"a": 1, "b": 1}}, {time.Second, map[string]float64{"a": 2}}}, 1},
		"one was set back":               {one(9, 1, 1.25), 0.25},
		"more than before show at once":  {one(0, 1, 2, 3, 4, 104), 100},
		"fewer show later":               {one(0, 10, 20, 30, 40, 40), 8},
		"what was 10 s ago is forgotten": {one(0, 100, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200), 0},
		"seldom looked at":               {[]look{{0, map[string]float64{"a": 0}}, {time.Minute, map[string]float64{"a": 60}}, {2 * time.Minute, map[string]float64{"a": 180}}}, 2},
		"many come after a gap":          {[]look{{0, map[string]float64{"a": 0}}, {15 * time.Second, map[string]float64{"a": 0}}, {15500 * time.Millisecond, map[string]float64{"a": 50}}}, 100},
		"a moment after a gap": {[]look{{0, map[string]float64{"a": 0}}, {15 * time.Second, map[string]float64{"a": 30}}, {15100 * time.Millisecond, map[string]float64{"a": 40}}},
			40 / 15.1},
		"at the same moment": {[]look{{0, map[string]float64{"a": 0}}, {0, map[string]float64{"a": 0}}}, -1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var a Average
			for _, l := range tc.looks {
				a = a.After(time.Unix(0, 0).Add(l.at), l.counters)
			}
			got, known := a.Requests()
			if known != (tc.want >= 0) || known && math.Abs(got-tc.want) > 1e-9 {
				t.Errorf("%v (%v), want %v", got, known, tc.want)
			}
		})
	}
}

// TestAnAverageStaysSmall however often it is looked at, and is a value: what it came of stays as it was.
func TestAnAverageStaysSmall(t *testing.T) {
	var a Average
	at := time.Unix(0, 0)
	for i := range 10_000 {
		before := fmt.Sprint(a)
		next := a.After(at, map[string]float64{"a": float64(i) * 0.02})
		if fmt.Sprint(a) != before {
			t.Fatalf("look %d has changed what was before", i)
		}
		a, at = next, at.Add(10*time.Millisecond)
	}
	got, _ := a.Requests()
	if len(a.sums) > sumsKept+3 || math.Abs(got-2) > 1e-6 {
		t.Errorf("%d sums, %v requests at a time, want 2", len(a.sums), got)
	}
}
