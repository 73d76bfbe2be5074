//go:build linux

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// spread is a distribution.
type spread struct{ P50, P99, Last time.Duration }

func (s spread) String() string {
	return fmt.Sprintf("p50 %s, p99 %s, last %s", rounded(s.P50), rounded(s.P99), rounded(s.Last))
}

func rounded(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

func spreadOf(all []time.Duration) spread {
	if len(all) == 0 {
		return spread{}
	}
	slices.Sort(all)
	at := func(q float64) time.Duration { return all[min(len(all)-1, int(math.Ceil(q*float64(len(all))))-1)] }
	return spread{at(0.5), at(0.99), all[len(all)-1]}
}

// point is a counter at a time.
type point struct {
	at    time.Time
	count float64
}

const (
	// look is how often the counter is read, hence how exact the ages are.
	look = 500 * time.Millisecond
	// longest bounds the watching of a contender that needs long for a round.
	longest = 5 * time.Minute
)

// ages is how old the last evaluation of a workload is, over workloads and time. It comes from the number of evaluations alone: both
// contenders look at each workload once in a round, so the workload that was looked at k evaluations ago has waited since then.
func (a *arena) ages(ctx context.Context, c contender) (spread, error) {
	var seen []point
	began := time.Now()
	for {
		n, err := c.evaluations(ctx)
		if err != nil {
			return spread{}, err
		}
		seen = append(seen, point{time.Now(), n})
		if rounds := (n - seen[0].count) / float64(a.size); rounds >= 2 && time.Since(began) > 2*period || time.Since(began) > longest {
			ages := agesOf(seen, a.size)
			if len(ages) == 0 {
				return spread{}, fmt.Errorf("in %s only %.0f evaluations of %d workloads", longest, n-seen[0].count, a.size)
			}
			return spreadOf(ages), nil
		}
		if err := pause(ctx, look); err != nil {
			return spread{}, err
		}
	}
}

// agesOf looks back from each time before which there was a whole round, at every hundredth workload of the round.
func agesOf(seen []point, size int) []time.Duration {
	var ages []time.Duration
	for i, now := range seen {
		if now.count-seen[0].count < float64(size) {
			continue
		}
		for k := range 100 {
			then := now.count - float64(size)*(float64(k)+0.5)/100
			j, _ := slices.BinarySearchFunc(seen[:i+1], then, func(p point, count float64) int {
				if p.count <= count {
					return -1
				}
				return 1
			})
			ages = append(ages, now.at.Sub(seen[max(0, j-1)].at))
		}
	}
	return ages
}
