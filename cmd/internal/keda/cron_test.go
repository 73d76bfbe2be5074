package keda

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/hpa"
)

// TestHours: what hours are beside minReplicaCount, idleReplicaCount and other triggers.
func TestHours(t *testing.T) {
	const (
		cpu        = "{type: cpu, metricType: Utilization, metadata: {value: '60'}}"
		kafka      = "{type: kafka, metadata: {bootstrapServers: 'k:1', consumerGroup: g, topic: t}}"
		day        = "{type: cron, metadata: {timezone: UTC, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: '5'}}"
		night      = "{type: cron, metadata: {timezone: UTC, start: 0 18 * * *, end: 0 8 * * *, desiredReplicas: '2'}}"
		nothing    = "{type: cron, metadata: {timezone: UTC, start: 0 20 * * *, end: 0 8 * * *, desiredReplicas: '0'}}"
		same       = "{type: cron, metadata: {timezone: UTC, start: 0 8 * * *, end: 0 8 * * *, desiredReplicas: '3'}}"
		cloudwatch = "{type: aws-cloudwatch, metadata: {}}"
		zero       = "minReplicaCount: 0, triggers: "
	)
	for name, test := range map[string]struct {
		spec string
		want map[string]string
		lost []string
		told string
	}{
		"hours that ask for nothing": {zero + "[" + nothing + "]", map[string]string{annotations.ScheduleKey: "daily 20:00-08:00 min=1\n", annotations.Min: "0"}, []string{metadata + "desiredReplicas"},
			"is 1 here: KEDA until 2.15 kept so many while a cron trigger was active, and newer versions do not take 0"},
		"hours that ask for nothing, of what has more": {"minReplicaCount: 3, triggers: [" + nothing + "]", map[string]string{annotations.ScheduleKey: "daily 20:00-08:00 min=3\n", annotations.Min: "3"}, []string{metadata + "desiredReplicas"},
			"is 3 here: "},
		"start and end are the same":                   {"triggers: [" + cpu + ", " + same + "]", map[string]string{annotations.TargetCPU: "60"}, []string{"spec.triggers[1].metadata"}, "start and end are the same, which KEDA does not take"},
		"start and end are the same, and nothing else": {"triggers: [" + same + "]", nil, []string{"spec.triggers[0].metadata", "spec.triggers"}, "start and end are the same, which KEDA does not take"},
		"no zone": {strings.Replace(zero+"["+day+"]", "timezone: UTC, ", "", 1), map[string]string{annotations.ScheduleKey: "daily 08:00-18:00 min=5\n", annotations.Min: "0"}, []string{metadata + "timezone"}, "is UTC here"},
		"hours and CPU": {zero + "[" + cpu + ", " + day + "]", map[string]string{annotations.TargetCPU: "60", annotations.ScheduleKey: "daily 08:00-18:00 min=5\ndaily 00:00-24:00 replicas=0\n", annotations.Min: "0"}, nil,
			"is the last line of mini-hpa/schedule"},
		"hours and CPU, and a cooldown": {"cooldownPeriod: 600, " + zero + "[" + cpu + ", " + day + "]", map[string]string{annotations.TargetCPU: "60", annotations.ScheduleKey: "daily 08:00-18:00 min=5\ndaily 00:00-24:00 replicas=0\n", annotations.Min: "0"}, nil,
			"where KEDA waits for cooldownPeriod"},
		"all hours and CPU": {zero + "[" + cpu + ", " + night + ", " + day + "]", map[string]string{annotations.TargetCPU: "60", annotations.ScheduleKey: "daily 08:00-18:00 min=5\ndaily 18:00-08:00 min=2\n", annotations.Min: "0"}, nil, ""},
		"hours and CPU of what is idle": {"minReplicaCount: 7, idleReplicaCount: 0, triggers: [" + cpu + ", " + day + "]",
			map[string]string{annotations.TargetCPU: "60", annotations.ScheduleKey: "daily 08:00-18:00 min=7\ndaily 00:00-24:00 replicas=0\n", annotations.Min: "0"}, nil, "is the last line of mini-hpa/schedule"},
		"hours, CPU and what is lost": {zero + "[" + cpu + ", " + day + ", " + cloudwatch + "]", map[string]string{annotations.TargetCPU: "60", annotations.ScheduleKey: "daily 08:00-18:00 min=5\n"},
			[]string{"spec.triggers[2].type", "spec.minReplicaCount"}, "is 1 here: CPU and memory put nothing to sleep"},
		"hours, CPU and hours that are lost": {zero + "[" + cpu + ", " + day + ", " + same + "]", map[string]string{annotations.TargetCPU: "60", annotations.ScheduleKey: "daily 08:00-18:00 min=5\n"},
			[]string{"spec.triggers[2].metadata", "spec.minReplicaCount"}, "is 1 here: CPU and memory put nothing to sleep"},
		"hours and messages": {zero + "[" + day + ", " + kafka + "]", map[string]string{annotations.SourcesKey: "kafka group=g topic=t target=10", annotations.ScheduleKey: "daily 08:00-18:00 min=5\n", annotations.Min: "0"}, nil, ""},
		"hours while nothing is added": {"advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleUp: {selectPolicy: Disabled}}}}, " + zero + "[" + day + "]",
			map[string]string{annotations.ScheduleKey: "daily 08:00-18:00 min=5\n", annotations.ScaleUpPolicies: "disabled"}, []string{"spec.minReplicaCount", "spec.triggers"}, "have hours, which add replicas here also while scaling up is disabled"},
	} {
		t.Run(name, func(t *testing.T) {
			all, _, remarks := convert(t, test.spec)
			if all != nil {
				delete(all, annotations.Max)
			}
			if diff := cmp.Diff(test.want, all) + cmp.Diff(test.lost, lost(remarks)); diff != "" {
				t.Errorf("(-want +got):\n%s\n%+v", diff, remarks)
			}
			if !slices.ContainsFunc(remarks, func(r hpa.Remark) bool { return strings.Contains(r.Why, test.told) }) && test.told != "" {
				t.Errorf("no %q in %+v", test.told, remarks)
			}
		})
	}
}
