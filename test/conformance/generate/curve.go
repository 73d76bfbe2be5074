package generate

import "math"

// curve is how the load goes: the number of pods that would be exactly at the target, at each evaluation.
type curve struct {
	kind        string
	low, high   float64
	length      float64
	phase, walk float64
	dice        dice
}

func newCurve(d dice, most, least int32) curve {
	top := max(float64(most)*pick(d, 0.3, 0.5, 0.7, 0.85, 1, 1.3, 2), float64(least))
	return curve{kind: pick(d, "flat", "wave", "wave", "step", "square", "square", "ramp", "spikes", "walk", "walk"),
		low: top * d.Float64() * 0.5, high: top, length: float64(pick(d, d.between(3, 12), d.between(10, 70))), phase: d.Float64(),
		walk: float64(least) + d.Float64()*top/2, dice: d}
}

func (c *curve) at(tick int) float64 {
	x := float64(tick)/c.length + c.phase
	span := c.high - c.low
	switch c.kind {
	case "wave":
		return c.low + span*(0.5+0.5*math.Sin(2*math.Pi*x))
	case "step":
		if x > 1 {
			return c.high
		}
		return c.low
	case "square":
		if math.Mod(x, 1) < 0.5 {
			return c.high
		}
		return c.low
	case "ramp":
		return c.low + span*math.Mod(x, 2)/2
	case "spikes":
		if c.dice.chance(0.06) {
			return c.high * 2
		}
		return c.low
	case "walk":
		c.walk = min(max(c.walk+(c.dice.Float64()-0.5)*c.high*0.15, 0), c.high)
		return c.walk
	}
	return c.low + span/2
}
