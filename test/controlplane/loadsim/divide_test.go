package loadsim

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

// noon is when the tests begin; off is a time relative to it.
var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func off(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

func during(from, to float64) span { return span{off(from), off(to)} }

func since(from float64) span { return span{from: off(from)} }

func TestDivide(t *testing.T) {
	t.Parallel()
	always := []span{since(-100)}
	for name, story := range map[string]struct {
		loads     []load
		consumers []consumer
		want      map[types.UID]float64 // average millicores over the ten seconds from noon
	}{
		"one pod takes all": {
			[]load{{off(-50), Constant(1000)}},
			[]consumer{{"a", always, unlimited}},
			map[types.UID]float64{"a": 1000},
		},
		"four pods take a quarter each": {
			[]load{{off(-50), Constant(1000)}},
			[]consumer{{"a", always, unlimited}, {"b", always, unlimited}, {"c", always, unlimited}, {"d", always, unlimited}},
			map[types.UID]float64{"a": 250, "b": 250, "c": 250, "d": 250},
		},
		"who comes later relieves the others from then on": {
			[]load{{off(-50), Constant(1000)}},
			[]consumer{{"a", always, unlimited}, {"b", []span{since(6)}, unlimited}},
			map[types.UID]float64{"a": 600 + 200, "b": 200},
		},
		"who is unready for a while takes nothing then": {
			[]load{{off(-50), Constant(1000)}},
			[]consumer{{"a", always, unlimited}, {"b", []span{during(-9, 2), since(8)}, unlimited}},
			map[types.UID]float64{"a": 100 + 600 + 100, "b": 100 + 100},
		},
		"who left before counts for nothing": {
			[]load{{off(-50), Constant(1000)}},
			[]consumer{{"a", always, unlimited}, {"b", []span{during(-9, 0)}, unlimited}},
			map[types.UID]float64{"a": 1000},
		},
		"a load that nobody takes is lost": {
			[]load{{off(-50), Constant(1000)}},
			[]consumer{{"a", []span{since(7)}, unlimited}},
			map[types.UID]float64{"a": 300},
		},
		"a limit throttles, and what is over is not given to others": {
			[]load{{off(-50), Constant(1000)}},
			[]consumer{{"a", always, 200}, {"b", always, unlimited}},
			map[types.UID]float64{"a": 200, "b": 500},
		},
		"a limit throttles the bursts, not their average": {
			[]load{{off(0), Burst(0, 1000, 10*time.Second, 5*time.Second)}},
			[]consumer{{"a", always, 600}},
			map[types.UID]float64{"a": 300},
		},
		"a load that changes within the window counts by time": {
			[]load{{off(-50), Constant(1000)}, {off(4), Constant(2000)}, {off(9), nil}},
			[]consumer{{"a", always, unlimited}},
			map[types.UID]float64{"a": 400 + 1000},
		},
		"a curve goes by its own time": {
			[]load{{off(-3), Steps(Step{0, 100}, Step{5 * time.Second, 1100})}},
			[]consumer{{"a", always, unlimited}},
			map[types.UID]float64{"a": 20 + 880},
		},
		"the edges of a square curve are met, wherever the window lies": {
			[]load{{off(-0.013), Burst(0, 1000, 20*time.Second, 5*time.Second)}},
			[]consumer{{"a", always, unlimited}},
			map[types.UID]float64{"a": 498.7},
		},
		"a ramp is averaged": {
			[]load{{off(0), func(since time.Duration) int64 { return int64(4 * since / time.Millisecond) }}},
			[]consumer{{"a", always, unlimited}},
			map[types.UID]float64{"a": 20000},
		},
		"a negative load is none": {
			[]load{{off(0), Constant(-1000)}},
			[]consumer{{"a", always, unlimited}},
			map[types.UID]float64{"a": 0},
		},
		"no load at all": {nil, []consumer{{"a", always, unlimited}}, map[types.UID]float64{"a": 0}},
		"no pods at all": {[]load{{off(-50), Constant(1000)}}, nil, map[types.UID]float64{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := map[types.UID]float64{}
			for uid, used := range divide(story.loads, story.consumers, during(0, 10)) {
				got[uid] = math.Round(used/10*1e6) / 1e6
			}
			if diff := cmp.Diff(story.want, got); diff != "" {
				t.Errorf("average millicores (-want +got):\n%s", diff)
			}
		})
	}
}

func BenchmarkDivide(b *testing.B) {
	loads := []load{{off(-50), Burst(200, 2200, 20*time.Second, 10*time.Second)}}
	var consumers []consumer
	for i := range 100 {
		consumers = append(consumers, consumer{types.UID(rune('a' + i)), []span{since(float64(i%10) / 10)}, unlimited})
	}
	for b.Loop() {
		divide(loads, consumers, during(0, 15))
	}
}
