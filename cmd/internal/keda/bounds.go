package keda

import (
	"fmt"
	"slices"
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// bounds are the most and the fewest replicas.
func (c *conversion) bounds() {
	spec := &c.from.Spec
	most, fewest := valueOr(spec.MaxReplicaCount, usualMax), valueOr(spec.MinReplicaCount, 0)
	c.all[annotations.Max] = strconv.Itoa(int(most))
	switch idle := spec.IdleReplicaCount; {
	case idle != nil && *idle != 0:
		c.lost("spec.idleReplicaCount", fmt.Sprint(*idle), "is lost: KEDA itself only takes 0", "")
	case fewest == 0:
		fewest = c.fewest("spec.minReplicaCount", 0)
	case idle != nil:
		fewest = c.fewest("spec.idleReplicaCount", fewest)
	}
	if fewest != 1 {
		c.all[annotations.Min] = strconv.Itoa(int(fewest))
	}
	if len(c.hours) > 0 && c.isUpDisabled() {
		c.lost("spec.triggers", "", "have hours, which add replicas here also while scaling up is disabled", "remove "+annotations.ScheduleKey+" for as long as it is")
	}
}

// fewest are the fewest replicas of a workload that KEDA puts to 0 by the field at the path, and that has so many, or one, while a trigger is active. They
// are those where mini-hpa could not wake it, or would not put it to sleep:
//
//	what is left of the triggers          puts it to sleep                wakes it
//	a metric of something else            when it is 0                    when it is above 0, unless scaling up is disabled
//	hours alone                           when they are over              when they begin
//	hours, and CPU or memory of its pods  not at all, but a line could    when they begin
//	CPU or memory of its pods             not at all                      not at all
func (c *conversion) fewest(path string, awake int32) int32 {
	least := max(awake, 1)
	is := fmt.Sprintf("is %d here: ", least)
	switch {
	case c.isUpDisabled():
		c.lost(path, "0", is+"while scaling up is disabled nothing could wake it", fmt.Sprintf("set %s to \"0\" when it is allowed again", annotations.Min))
		return least
	case !c.tells() && len(c.hours) == 0 && awake == 0 && c.hasOnly("cpu", "memory"):
		c.tell(path, "0", is+"nothing else than CPU and memory could wake it, and KEDA keeps one then, too", "")
		return least
	case !c.tells() && len(c.hours) == 0:
		c.lost(path, "0", is+"nothing that is converted could wake it", "")
		return least
	case c.tells() || len(c.metrics) == 0 || isAlways(c.hours):
	case c.hasOnly("cpu", "memory", "cron") && c.dropped == 0:
		c.hours = append(c.hours, rest())
		c.tell(path, "0", "is the last line of "+annotations.ScheduleKey+", as CPU and memory put nothing to sleep: replicas go as soon as the other lines are over, where KEDA waits for cooldownPeriod",
			"let these lines end later, if work is still under way then")
		return 0
	default:
		c.lost(path, "0", is+"CPU and memory put nothing to sleep, and what is lost of the triggers may be what should keep it awake at other hours", "add a last line such as \"daily 00:00-24:00 replicas=0\" to "+annotations.ScheduleKey+", if nothing should")
		return least
	}
	if awake > 1 {
		c.lost("spec.minReplicaCount", fmt.Sprint(awake), "is kept beside idleReplicaCount as "+annotations.WakeReplicas+": so many there are at least when the workload wakes, but not as long as it is awake",
			"set "+annotations.ScaleDownPolicies+", if going below that while awake does harm")
		c.all[annotations.WakeReplicas] = strconv.Itoa(int(awake))
	}
	return 0
}

// tells says whether something of what is converted says when there is nothing to do.
func (c *conversion) tells() bool {
	return len(c.lines) > 0 || slices.ContainsFunc(c.metrics, func(m autoscalingv2.MetricSpec) bool { return m.External != nil || m.Object != nil })
}

// isUpDisabled says whether a behavior, or a pause, lets nothing be added by metrics.
func (c *conversion) isUpDisabled() bool {
	b := c.behavior()
	return c.all[annotations.ScaleUpPolicies] == disabled || b != nil && b.ScaleUp != nil && b.ScaleUp.SelectPolicy != nil && *b.ScaleUp.SelectPolicy == autoscalingv2.DisabledPolicySelect
}

// hasOnly says whether all triggers are of these kinds.
func (c *conversion) hasOnly(kinds ...string) bool {
	return !slices.ContainsFunc(c.from.Spec.Triggers, func(t Trigger) bool { return !slices.Contains(kinds, t.Type) })
}
