package annotations

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/schedule"
)

// maxPatience bounds how long a workload may be kept awake, or a metric fail, before something happens.
const maxPatience = 24 * time.Hour

func setSleepAfter(p *draft, value string) error {
	after, ok := duration(value, 0, maxPatience)
	if !ok {
		return errors.New(`must be a duration from "0s" to "24h", with a unit, such as "10m"`)
	}
	p.sleepAfter = after
	return nil
}

func setWakeReplicas(p *draft, value string) error {
	n, ok := number(value, 1, math.MaxInt32)
	p.wake = int32(n)
	return bound(ok, 1)
}

func setFallback(p *draft, value string) error {
	words := strings.Fields(value)
	if len(words) != 3 || words[1] != "after" {
		return errFallback
	}
	n, isNumber := number(words[0], 1, math.MaxInt32)
	after, isDuration := duration(words[2], 0, maxPatience)
	if !isNumber || !isDuration {
		return errFallback
	}
	p.fallback = Fallback{Replicas: int32(n), After: after}
	return nil
}

var errFallback = fmt.Errorf(`must be a number of replicas from 1 to %d, "after", and a duration from "0s" to "24h", such as "3 after 2m"`, math.MaxInt32)

// IsTotal says whether the metric describes something else than the pods, so that it has a value while there are none: an Object or External
// metric. Only such a metric can say that there is nothing to do, and that there is something again.
func (m *Metric) IsTotal() bool { return m.Spec.Object != nil || m.Spec.External != nil }

// zones are those of all schedules: few, and each is read once.
var zones schedule.Zones

func setSchedule(p *draft, value string) error {
	var err error
	p.schedule, err = schedule.Parse(value, &zones)
	return err
}

// checkSchedule checks a line that sets only one bound against the other bound of the annotations, and warns of lines that never count.
func (p *draft) checkSchedule(annotations map[string]string) {
	for line := range p.schedule.Lines() {
		if low, high := line.Bounds(p.min, p.max); p.max != unread && low > high {
			p.wrong(Path(ScheduleKey).Index(line.Number-1), strings.Join(strings.Fields(annotations[ScheduleKey]), " "), fmt.Sprintf("%s: min (%d) must be at most max (%d); what the line does not say is that of %s and %s", line, low, high, Min, Max))
		}
	}
	for _, line := range p.schedule.Shadowed() {
		p.warnings = append(p.warnings, Warning{Key: ScheduleKey, Rule: FoundScheduleShadowed, Message: fmt.Sprintf("%s never counts: lines above it cover all of its hours, and the first that fits counts", line)})
	}
}

// checkPast warns of lines all of whose dates are over.
func (p *draft) checkPast(now time.Time) []Warning {
	var warnings []Warning
	if now.IsZero() {
		return nil
	}
	for _, line := range p.schedule.Past(now) {
		warnings = append(warnings, Warning{Key: ScheduleKey, Rule: FoundSchedulePast, Message: fmt.Sprintf("%s never counts any more: all its dates are over", line)})
	}
	return warnings
}

// checkZero warns of what has no effect, or not all of it.
func (p *draft) checkZero(annotations map[string]string) {
	policy := Policy{Min: p.min, Max: p.max, Schedule: p.schedule}
	fewest, most := policy.Widest()
	if len(p.errs) > 0 || most == 0 {
		return
	}
	for _, least := range [...]struct {
		key      string
		replicas int32
	}{{WakeReplicas, p.wake}, {FallbackKey, p.fallback.Replicas}} {
		if least.replicas > most {
			p.warnings = append(p.warnings, Warning{Key: least.key, Rule: FoundDoubtful, Message: fmt.Sprintf("is more than %d, which is the most that there will be", most)})
		}
	}
	if fewest > 0 {
		p.warnIdle(annotations)
		p.warnWake()
	}
}

// checkWakes demands that something wakes a workload that may sleep. What is recorded may be decided on all the same: the HPA controller
// does not demand it.
func (p *draft) checkWakes(annotations map[string]string) field.ErrorList {
	if len(p.errs) > 0 || p.max == 0 || p.min > 0 || p.lifts() {
		return nil
	}
	why := fmt.Sprintf("nothing would wake it: a workload without pods has no CPU, memory or metric of its pods. Set %s to 1, add a line to %s, an External or Object metric to %s, or a line with a min or replicas above 0 to %s, or let requests wake it (%s)", Min, SourcesKey, Metrics, ScheduleKey, WakeKey)
	if p.up.choice == autoscalingv2.DisabledPolicySelect {
		why = fmt.Sprintf("nothing would wake it, because scaling up is disabled. Set %s to 1, or allow scaling up", Min)
	} else if slices.ContainsFunc(p.metrics(), func(m Metric) bool { return m.IsTotal() }) {
		return nil
	}
	return field.ErrorList{field.Invalid(Path(Min), annotations[Min], why).WithOrigin(FoundNothingWakes)}
}

// checkWakesIdle demands something that says when nobody uses a workload that requests wake. While there are pods they do not go through the
// activator, so that it cannot say it.
func (p *draft) checkWakesIdle(annotations map[string]string) field.ErrorList {
	policy := Policy{Min: p.min, Max: p.max, Schedule: p.schedule}
	fewest, most := policy.Widest()
	if len(p.errs) > 0 || !p.wakes.Requests || p.wakes.Always || fewest > 0 || most == 0 {
		return nil
	}
	if slices.ContainsFunc(p.metrics(), func(m Metric) bool { return m.IsTotal() && m.Source != SourceActivator }) {
		return nil
	}
	return field.ErrorList{field.Invalid(Path(WakeKey), clean(strings.Join(strings.Fields(annotations[WakeKey]), " "), shown), fmt.Sprintf(
		"nothing says when nobody uses the workload: while there are pods, requests do not go through the activator. Add a line to %s that counts requests, which needs no target, or an External or Object metric to %s, or write path=always", SourcesKey, Metrics)).WithOrigin(FoundNothingSaysIdle)}
}

// warnWake warns of what has no effect on a workload that never sleeps.
func (p *draft) warnWake() {
	if w := &p.wakes; w.Requests && !w.Always && !w.HoldUnready {
		p.warnings = append(p.warnings, Warning{Key: WakeKey, Rule: FoundDoubtful, Message: fmt.Sprintf("has no effect: the workload never sleeps, as it always has a replica or more; set %s to 0, or hold-on=unready", Min)})
	}
}

// lifts says whether a line of the schedule wakes the workload.
func (p *draft) lifts() bool {
	shadowed := p.schedule.Shadowed()
	for line := range p.schedule.Lines() {
		if slices.Contains(shadowed, line) {
			continue
		}
		if low, _ := line.Bounds(p.min, p.max); low > 0 {
			return true
		}
	}
	return false
}

// warnIdle warns of annotations about sleep on a workload that never sleeps.
func (p *draft) warnIdle(annotations map[string]string) {
	for _, key := range [...]string{SleepAfter, WakeReplicas} {
		if _, set := annotations[key]; set {
			p.warnings = append(p.warnings, Warning{Key: key, Rule: FoundDoubtful, Message: "has no effect: the workload never sleeps, as it always has a replica or more"})
		}
	}
}
