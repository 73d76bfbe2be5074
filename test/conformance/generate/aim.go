package generate

// aim sets the ratio that each metric is to have at this evaluation: on the curve, or exactly at an edge.
func (w *Workload) aim() {
	takers := 0.0
	for _, p := range w.world.pods {
		if p.serves() {
			takers += p.factor
		}
	}
	for _, m := range w.metrics {
		d := w.dice
		m.now, m.nudge, m.edge = m.curve.at(w.world.tick)/max(takers, 1), 0, false
		switch {
		case d.chance(w.mood.edge):
			up, down := w.tolerances()
			m.now = pick(d, 1, 1+up, 1-down, 1+up, 1-down, 1.1, 0.9, 0.5, 2, 3, 10, 0.75, 1.25)
			m.nudge, m.edge = pick(d, int64(0), 0, 0, 1, -1, 2, -2), true
		case d.chance(w.mood.none):
			m.now = 0
		case d.chance(w.mood.huge):
			m.now = pick(d, 1e3, 1e5, 1e8, 1e9, 1e10, 1e12, 1e14, 1e16, 1e18)
		}
	}
	if w.zero.on {
		w.work()
	}
}

func (w *Workload) tolerances() (up, down float64) {
	up, down = 0.1, 0.1
	b := w.HPA.Spec.Behavior
	if b.ScaleUp != nil && b.ScaleUp.Tolerance != nil {
		up = b.ScaleUp.Tolerance.AsApproximateFloat64()
	}
	if b.ScaleDown != nil && b.ScaleDown.Tolerance != nil {
		down = b.ScaleDown.Tolerance.AsApproximateFloat64()
	}
	return up, max(min(down, 1), 0)
}
