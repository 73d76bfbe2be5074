package generate

// mood is how often what goes wrong in a workload's cluster. Most workloads have a few troubles, some none, some many.
type mood struct {
	// edge is the chance of an exact ratio at an evaluation.
	edge float64
	// outside is the chance of a change of the replicas by somebody else; zero that it is to 0.
	outside, zero float64
	// flap is a pod's chance of a readiness change, fail of failing or finishing, slow of a slow start.
	flap, fail, slow float64
	// gap is the chance that a pod has no sample for a while, hole that a container misses in one, blind that half of
	// the pods have none.
	gap, hole, blind float64
	// outage is the chance that a metrics API fails for some evaluations, empty that it returns an empty list.
	outage, empty float64
	// surge is the chance that a rollout begins, stray that samples of pods that are gone stay.
	surge, stray float64
	// foreign is the chance that a pod differs from the template, lag that the status differs from the pods.
	foreign, lag float64
	// unseen is the chance that only some of the pods, or none, are seen.
	unseen float64
	// aligned says that pods start and change on the evaluations' own times, so that periods end exactly at one.
	aligned bool
	// noise is how much pods differ from each other.
	noise float64
	// huge and none are the chance of a very large usage, up to where sums wrap around, and of none.
	huge, none float64
}

func newMood(d dice) mood {
	if d.chance(0.08) {
		return mood{noise: 0.05}
	}
	sometimes := func(p, rate float64) float64 {
		if d.chance(p) {
			return rate * (0.3 + d.Float64())
		}
		return 0
	}
	return mood{
		edge: sometimes(0.5, 0.5), outside: sometimes(0.35, 0.04), zero: sometimes(0.4, 0.4),
		flap: sometimes(0.4, 0.03), fail: sometimes(0.3, 0.02), slow: sometimes(0.4, 0.4),
		gap: sometimes(0.4, 0.04), hole: sometimes(0.25, 0.06), blind: sometimes(0.2, 0.1),
		outage: sometimes(0.35, 0.05), empty: sometimes(0.15, 0.05),
		surge: sometimes(0.3, 0.04), stray: sometimes(0.35, 0.6),
		foreign: sometimes(0.25, 0.12), lag: sometimes(0.3, 0.2), unseen: sometimes(0.15, 0.06),
		aligned: d.chance(0.3), noise: pick(d, 0, 0.02, 0.1, 0.5),
		huge: sometimes(0.1, 0.1), none: sometimes(0.15, 0.05),
	}
}
