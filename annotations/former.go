package annotations

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// formerly says what autoscaling/v2 has in place of a field of autoscaling/v2beta1, with the field's value, or "" if that was never a
// field. In v2beta1 the fields of a metric and of its target were side by side; v2 has a "metric" and a "target" for them.
func formerly(in reflect.Type, name string, value any) string {
	isObject, isTarget := in == reflect.TypeFor[autoscalingv2.ObjectMetricSource](), in == reflect.TypeFor[autoscalingv2.MetricTarget]()
	isSource := !isTarget && hasTarget(in)
	v2 := ""
	switch {
	case isSource && name == "targetAverageUtilization":
		v2 = "target: {type: Utilization, averageUtilization: " + written(value) + "}"
	case isSource && name == "targetAverageValue", isObject && name == "averageValue":
		v2 = "target: {type: AverageValue, averageValue: " + written(value) + "}"
	case isSource && name == "targetValue":
		v2 = "target: {type: Value, value: " + written(value) + "}"
	case isSource && name == "metricName":
		v2 = "metric: {name: " + written(value) + "}"
	case isSource && (name == "metricSelector" || name == "selector"):
		v2 = "metric: {selector: ...} with the same selector"
	case isTarget && (name == "apiVersion" || name == "kind" || name == "name"):
		return "autoscaling/v2 names the object in describedObject, and a target is a type and a number"
	default:
		return ""
	}
	return "is a field of autoscaling/v2beta1; in v2 write " + v2
}

// hasTarget says whether a type is one of the sources of a metric.
func hasTarget(t reflect.Type) bool {
	_, ok := t.FieldByName("Target")
	return ok
}

// written is a scalar as YAML has it.
func written(value any) string {
	switch v := value.(type) {
	case json.Number:
		return clean(string(v), shown)
	case string:
		return strconv.Quote(clean(v, shown))
	}
	return fmt.Sprintf("<%s>", describe(value))
}
