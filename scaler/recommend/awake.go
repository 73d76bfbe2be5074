package recommend

import (
	"fmt"
	"time"
)

// stayAwake holds a replica until nothing has been active for the window of scale-down, and for mini-hpa/sleep-after. A metric that failed within
// that time may have been.
func (v *view) stayAwake(d draft) draft {
	after := v.policy.IdleTime()
	ends := v.history.active.Add(after)
	if d.Desired > 0 || v.Replicas == 0 || !v.repairs(RepairIdle) || !ends.After(v.Time) {
		return d
	}
	d.Next = earlier(d.Next, ends)
	d.Repairs |= RepairIdle.when(v.history.active.Add(window(v.policy.Down)).After(v.Time))
	held := int32(1)
	if disabled(v.policy.Down) {
		held = v.Replicas // the last step is the only one
	}
	d.step(StageActivation, "", held, ReasonSleepAfter, &awake{v.Time.Sub(v.history.active), after})
	return d
}

// awake is how long nothing has been active, and how long that must be.
type awake struct{ idle, after time.Duration }

// String says how long it will stay awake.
func (a *awake) String() string {
	return fmt.Sprintf("known to be inactive for %s; it sleeps after %s", whole(a.idle), whole(a.after))
}
