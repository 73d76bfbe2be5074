package recommend

import "fmt"

// stranded says whether the workload must not go on sleeping, because the requests that were to wake it cannot any more.
func (v *view) stranded() bool {
	return v.asleep && v.Stranded != "" && v.policy.Max > 0 && !v.Compat
}

// rescue wakes a workload that requests were to wake, and cannot any more: whatever else wakes it does not see who comes. Once it is awake, it is decided on
// as ever. A schedule that asks for 0 replicas now has its way.
func (v *view) rescue(d draft) draft {
	least := v.wakeReplicas()
	if !v.stranded() || least <= d.asked.replicas {
		return d
	}
	floor := &rescue{v.Stranded}
	d.Steps = append(d.Steps, Step{Stage: StageActivation, From: max(d.asked.replicas, 0), To: least, Reason: ReasonStranded, Detail: Text{floor}})
	d.asked.replicas, d.asked.alone, d.asked.metric, d.asked.state, d.asked.floor = least, nothing, "", floor, true
	if d.asked.valid == 0 && d.asked.failed == "" {
		d.asked.failed = ActiveScheduled // there is no metric
	}
	return d
}

// rescue is why.
type rescue struct{ because string }

// String says why.
func (r *rescue) String() string {
	return fmt.Sprintf("requests can wake it no more: %s: wakes", r.because)
}
