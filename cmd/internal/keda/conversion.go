package keda

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations/hpa"
)

// What KEDA has where a ScaledObject says nothing (apis/keda/v1alpha1 and pkg/scaling of KEDA).
const (
	usualMax      = 100
	usualPolling  = 30
	usualCooldown = 300
)

// disabled is what annotations say of a direction that is not scaled in.
const disabled = "disabled"

// conversion is that of one ScaledObject.
type conversion struct {
	from    *ScaledObject
	file    *File
	all     map[string]string
	lines   []string
	hours   []hours
	zone    string
	remarks []hpa.Remark
	// metrics are those that have no annotation of their own.
	metrics []autoscalingv2.MetricSpec
	// dropped is how many triggers nothing has come of that could have.
	dropped int
}

// behavior is that of the HPA that KEDA makes; nil if the ScaledObject has none.
func (c *conversion) behavior() *autoscalingv2.HorizontalPodAutoscalerBehavior {
	if a := c.from.Spec.Advanced; a != nil && a.HorizontalPodAutoscalerConfig != nil {
		return a.HorizontalPodAutoscalerConfig.Behavior
	}
	return nil
}

func (c *conversion) lost(path, value, why, do string) {
	c.remarks = append(c.remarks, hpa.Remark{Path: path, Value: value, Why: why, Do: do, Lost: true})
}

func (c *conversion) tell(path, value, why, do string) {
	c.remarks = append(c.remarks, hpa.Remark{Path: path, Value: value, Why: why, Do: do})
}

func valueOr(p *int32, usual int32) int32 {
	if p == nil {
		return usual
	}
	return *p
}
