package keda

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/hpa"
)

// Convert says what a ScaledObject is in annotations, adds the entries to the file that its triggers need, and remarks on what is lost. There are
// no annotations if nothing is left to scale on. Whether mini-hpa takes them is for annotations.Defaults.Review to say.
func Convert(o *ScaledObject, file *File) (map[string]string, []hpa.Remark) {
	c := &conversion{from: o, file: file, all: map[string]string{}}
	if container := o.Spec.ScaleTargetRef.EnvSourceContainerName; container != "" {
		c.tell("spec.scaleTargetRef.envSourceContainerName", container, "has the environment that triggers are about; it is not read", "look there for what the file is to be filled in with")
	}
	for i := range o.Spec.Triggers {
		c.trigger(i)
	}
	if len(c.lines)+len(c.hours)+len(c.metrics) == 0 {
		c.lost("spec.triggers", "", "have nothing that mini-hpa can scale on, so that there are no annotations", "")
		return nil, c.remarks
	}
	c.advanced()
	c.pause()
	c.bounds()
	c.writeTriggers()
	c.idle()
	c.fallback()
	c.others()
	return c.all, c.remarks
}

// writeTriggers joins what came of the triggers.
func (c *conversion) writeTriggers() {
	if len(c.lines) > 0 {
		c.all[annotations.SourcesKey] = strings.Join(c.lines, "\n")
	}
	if len(c.metrics) > 0 {
		spec := autoscalingv2.HorizontalPodAutoscalerSpec{Metrics: c.metrics}
		for key, value := range hpa.Annotations(&spec) {
			if key != annotations.Max {
				c.all[key] = value
			}
		}
	}
	if len(c.hours) > 0 {
		c.all[annotations.ScheduleKey] = scheduleText(c.zone, c.hours)
	}
}

// idle is when it sleeps, and how often it is looked at.
func (c *conversion) idle() {
	spec := &c.from.Spec
	sleeps := c.all[annotations.Min] == "0"
	// Without a sleep-after the window of scale-down alone counts, and with one the longer of them. Neither does where only hours put to sleep.
	if cooldown, window := valueOr(spec.CooldownPeriod, usualCooldown), c.scaleDownWindow(); sleeps && (c.tells() || len(c.metrics) == 0) {
		if cooldown != usualCooldown || cooldown > window {
			c.all[annotations.SleepAfter] = seconds(cooldown)
		}
		if cooldown < window {
			c.lost("spec.cooldownPeriod", fmt.Sprint(cooldown), fmt.Sprintf("is shorter than the stabilization of scale-down (%d s), which counts for the last replica, too", window),
				"set "+annotations.ScaleDownStabilization+" to as much, if all of scale-down may be as quick")
		}
	}
	if initial := valueOr(spec.InitialCooldownPeriod, 0); sleeps && initial > 0 {
		c.lost("spec.initialCooldownPeriod", fmt.Sprint(initial), "is lost: the time before sleep counts from the first look at a workload", "")
	}
	if spec.PollingInterval != nil && *spec.PollingInterval != 15 {
		c.all[annotations.SyncPeriod] = seconds(*spec.PollingInterval)
	}
}

// scaleDownWindow is in seconds.
func (c *conversion) scaleDownWindow() int32 {
	if b := c.behavior(); b != nil && b.ScaleDown != nil {
		return valueOr(b.ScaleDown.StabilizationWindowSeconds, usualCooldown)
	}
	return usualCooldown
}

func (c *conversion) fallback() {
	f := c.from.Spec.Fallback
	if f == nil {
		return
	}
	const path = "spec.fallback.behavior"
	switch f.Behavior {
	case "", "static", "currentReplicasIfHigher":
	case "currentReplicas":
		c.tell(path, f.Behavior, "needs no annotation: while a metric fails nothing is scaled in anyway", "")
		return
	case "currentReplicasIfLower":
		c.lost(path, f.Behavior, fmt.Sprintf("is lost: while a metric fails nothing is scaled in, not even what is above %d replicas", f.Replicas), "")
		return
	default:
		c.lost(path, f.Behavior, "is lost: while a metric fails nothing is scaled in", "")
		return
	}
	switch {
	case f.Replicas < 1:
		c.lost("spec.fallback.replicas", fmt.Sprint(f.Replicas), "is lost: while a metric fails nothing is scaled in", "")
		return
	case f.Behavior != "currentReplicasIfHigher":
		c.tell("spec.fallback.replicas", fmt.Sprint(f.Replicas), "are the fewest here while a trigger fails, where KEDA also scales in to them", "")
	}
	after := max(f.FailureThreshold, 0) * valueOr(c.from.Spec.PollingInterval, usualPolling)
	c.all[annotations.FallbackKey] = fmt.Sprintf("%d after %s", f.Replicas, seconds(after))
}

func (c *conversion) advanced() {
	a := c.from.Spec.Advanced
	if a == nil {
		return
	}
	if a.RestoreToOriginalReplicaCount {
		c.lost("spec.advanced.restoreToOriginalReplicaCount", "true", "is lost: replicas stay as they are when the annotations are removed", "")
	}
	m := a.ScalingModifiers
	if m.Formula != "" {
		c.lost("spec.advanced.scalingModifiers.formula", m.Formula, "is lost: each trigger is a metric by itself here, and the one that asks for the most replicas wins",
			"write the formula into one query, of Prometheus for one")
	}
	for _, of := range [...]struct{ name, value string }{{"target", m.Target}, {"activationTarget", m.ActivationTarget}, {"metricType", string(m.MetricType)}} {
		if of.value != "" {
			c.lost("spec.advanced.scalingModifiers."+of.name, of.value, "is lost with the formula: each trigger has its own", "")
		}
	}
	if config := a.HorizontalPodAutoscalerConfig; config != nil {
		if config.Name != "" {
			c.tell("spec.advanced.horizontalPodAutoscalerConfig.name", config.Name, "is not needed: there is no HPA", "")
		}
		o := autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{Behavior: config.Behavior.DeepCopy()}}
		hpa.Default(&o)
		hpa.AddBehavior(c.all, o.Spec.Behavior)
	}
}

// pause is what annotations of the ScaledObject say.
func (c *conversion) pause() {
	pairs := c.from.Annotations
	at := func(key string) string { return "metadata.annotations[" + annotations.GroupPausing + key + "]" }
	get := func(key string) (string, bool) {
		value, ok := pairs[annotations.GroupPausing+key]
		off, err := strconv.ParseBool(value)
		return value, ok && (off || err != nil)
	}
	if _, ok := get("paused"); ok {
		c.all[annotations.ModeKey] = string(annotations.ModePaused)
	}
	if replicas, ok := pairs[annotations.GroupPausing+"paused-replicas"]; ok {
		c.all[annotations.ModeKey] = string(annotations.ModePaused)
		c.lost(at("paused-replicas"), replicas, "only pauses: mini-hpa sets no replicas meanwhile", fmt.Sprintf("kubectl scale --replicas=%s, once", replicas))
	}
	for _, direction := range [...]struct{ key, annotation, rules string }{
		{"paused-scale-in", annotations.ScaleDownPolicies, "scaleDown.policies"}, {"paused-scale-out", annotations.ScaleUpPolicies, "scaleUp.policies"},
	} {
		value, ok := get(direction.key)
		switch {
		case !ok:
		case c.all[annotations.Behavior] != "":
			c.lost(at(direction.key), value, "is lost beside "+annotations.Behavior, "set selectPolicy: Disabled in it for as long as it lasts")
		default:
			if policies := c.all[direction.annotation]; policies != "" && policies != disabled {
				c.lost("spec.advanced.horizontalPodAutoscalerConfig.behavior."+direction.rules, policies, "gives way to "+annotations.GroupPausing+direction.key+", which is the same annotation here",
					fmt.Sprintf("set %s to %q when that is over", direction.annotation, policies))
			}
			c.all[direction.annotation] = disabled
		}
	}
}

// others are the annotations of KEDA that pause nothing.
func (c *conversion) others() {
	for _, key := range slices.Sorted(maps.Keys(c.from.Annotations)) {
		domain, name, _ := strings.Cut(key, "/")
		path, value := "metadata.annotations["+key+"]", c.from.Annotations[key]
		switch {
		case domain != annotations.GroupKEDA && !strings.HasSuffix(domain, "."+annotations.GroupKEDA):
		case key == annotations.GroupPausing+"force-activation":
			if on, err := strconv.ParseBool(value); (on || err != nil) && c.all[annotations.Min] == "0" {
				do := fmt.Sprintf("set %s to %q for as long as it lasts", annotations.Min, fmt.Sprint(max(1, valueOr(c.from.Spec.MinReplicaCount, 0))))
				if slices.ContainsFunc(c.hours, func(h hours) bool { return h.replicas == 0 }) {
					do += ", and take the last line out of " + annotations.ScheduleKey
				}
				c.lost(path, value, "is lost: a workload that has nothing to do sleeps", do)
			}
		case domain+"/" != annotations.GroupPausing:
			c.tell(path, value, "is not needed: there is no HPA", "")
		case name != "paused" && name != "paused-replicas" && name != "paused-scale-in" && name != "paused-scale-out":
			c.lost(path, value, "is not known", "compare docs/migrate.md")
		}
	}
}

// seconds is a duration without units that are 0.
func seconds(n int32) string {
	text := (time.Duration(n) * time.Second).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// nothingAlike is why most of what is lost is.
const nothingAlike = "is lost: there is nothing like it here"

// trigger converts one of them.
func (c *conversion) trigger(i int) {
	t := &c.from.Spec.Triggers[i]
	g := &given{conversion: c, trigger: t, path: fmt.Sprintf("spec.triggers[%d]", i), left: maps.Clone(t.Metadata)}
	kind, ok := kinds()[t.Type]
	if !ok {
		c.lost(g.path+".type", t.Type, "is lost: mini-hpa has no source of this kind",
			"ask it by an external scaler for KEDA, by an exporter and a Prometheus, or serve it as an external metric (docs/sources.md)")
		return
	}
	kind(g)
	if t.UseCachedMetrics {
		c.tell(g.path+".useCachedMetrics", "true", "is not needed: all that look at a metric have the answer of one question", "")
	}
	if t.MetricType != "" && t.MetricType != autoscalingv2.AverageValueMetricType && !g.isTyped {
		c.lost(g.path+".metricType", string(t.MetricType), nothingAlike, "")
	}
	if t.AuthenticationRef != nil && !g.isTrusted {
		c.tell(g.path+".authenticationRef", g.authentication(), "is not read: nothing has to be known of it here", "")
	}
	for _, key := range slices.Sorted(maps.Keys(g.left)) {
		value := g.left[key]
		if !isPlain(key) {
			value = ""
		}
		c.lost(g.path+".metadata."+key, value, nothingAlike, "")
	}
}
