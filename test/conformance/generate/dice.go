package generate

import (
	"math/rand/v2"
	"time"
)

// dice is the randomness of one workload; the same seed gives the same workload.
type dice struct {
	*rand.Rand
	base uint64
}

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 0x6d696e692d687061)), seed} }

// chance is true with probability p.
func (d dice) chance(p float64) bool { return d.Float64() < p }

// between is at least low and at most high.
func (d dice) between(low, high int) int { return low + d.IntN(high-low+1) }

// seconds is a duration of whole seconds, as timestamps in objects are.
func (d dice) seconds(low, high int) time.Duration {
	return time.Duration(d.between(low, high)) * time.Second
}

// seeded is the randomness of one named part, whatever order the parts are generated in.
func (d dice) seeded(part string) dice {
	seed := uint64(len(part))
	for _, c := range part {
		seed = seed*31 + uint64(c)
	}
	return newDice(seed ^ d.base)
}

// lasting counts down what goes on for some evaluations, and begins it with probability p, for up to longest of them.
func (d dice) lasting(left *int, p float64, longest int) bool {
	if *left > 0 {
		*left--
	} else if d.chance(p) {
		*left = d.between(1, longest)
	}
	return *left > 0
}

func pick[T any](d dice, choices ...T) T { return choices[d.IntN(len(choices))] }
