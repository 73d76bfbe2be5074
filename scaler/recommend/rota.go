package recommend

import (
	"fmt"
	"slices"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/schedule"
)

// attend sets the replicas to the least that the schedule allows, where there is no metric that could ask for more, or none that has a value
// while the workload sleeps.
func (v *view) attend(d draft) draft {
	if v.Compat || v.stranded() || slices.ContainsFunc(v.policy.Metrics, func(m annotations.Metric) bool { return !v.asleep || m.IsTotal() }) {
		return d
	}
	d.Active, d.Reason, d.final = ActiveScheduled, Text{&rota{v.policy.Schedule, v.Time, v.policy.Min}}, true
	d.step(StageSchedule, "", v.policy.Min, ReasonScheduled, d.Reason.Facts)
	return v.limit(d)
}

// rota is what a schedule asks for at a moment.
type rota struct {
	schedule schedule.Schedule
	at       time.Time
	replicas int32
}

// String says which line counts.
func (r *rota) String() string {
	if w, ok := r.schedule.At(r.at); ok {
		return fmt.Sprintf("%s asks for %d", w, r.replicas)
	}
	return fmt.Sprintf("no line of %s counts: %s is %d", annotations.ScheduleKey, annotations.Min, r.replicas)
}
