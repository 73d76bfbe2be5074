package amount

import (
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// TestCheck: where a quantity stands that would take hours, and that nothing else is one.
func TestCheck(t *testing.T) {
	hpa := func(metric string) string { return `{"spec": {"metrics": [{}, ` + metric + `]}}` }
	const must = ": must be at most 500 bytes long, with an exponent of at most 3 digits"
	for name, test := range map[string]struct {
		document string
		into     any
		want     string // nothing if it is quick
	}{
		"large": {hpa(`{"resource": {"target": {"averageValue": "1e999999999"}}}`), &autoscalingv2.HorizontalPodAutoscaler{},
			`spec.metrics[1].resource.target.averageValue: Invalid value: "1e999999999"` + must},
		"small":             {hpa(`{"external": {"target": {"value": "1e-999999999"}}}`), &autoscalingv2.HorizontalPodAutoscaler{}, `spec.metrics[1].external.target.value: Invalid value: "1e-999999999"` + must},
		"a number":          {hpa(`{"external": {"target": {"value": 1E+1000}}}`), &autoscalingv2.HorizontalPodAutoscaler{}, `spec.metrics[1].external.target.value: Invalid value: "1E+1000"` + must},
		"long":              {hpa(`{"external": {"target": {"value": "1` + strings.Repeat("0", 500) + `"}}}`), &autoscalingv2.HorizontalPodAutoscaler{}, `"1` + strings.Repeat("0", 39) + `..."` + must},
		"another case":      {`{"Spec": {"Behavior": {"ScaleUp": {"Tolerance": "1e-9999"}}}}`, &autoscalingv2.HorizontalPodAutoscaler{}, "Spec.Behavior.ScaleUp.Tolerance: "},
		"the first of two":  {`{"spec": {"behavior": {"scaleUp": {"tolerance": "1e-9999", "tolerance": "1"}}}}`, &autoscalingv2.HorizontalPodAutoscaler{}, "tolerance: "},
		"of a map":          {`{"overhead": {"cpu": "1e-9999"}}`, corev1.PodSpec{}, "overhead.cpu: "},
		"of a list":         {`[{"value": "1"}, {"value": "1e9999"}]`, []autoscalingv2.MetricTarget{}, "[1].value: "},
		"blanks around it":  {hpa(`{"resource": {"target": {"averageValue": " 1e3     "}}}`), &autoscalingv2.HorizontalPodAutoscaler{}, ""},
		"slow, with blanks": {hpa(`{"resource": {"target": {"averageValue": " 1e3000 "}}}`), &autoscalingv2.HorizontalPodAutoscaler{}, "averageValue: "},
		"as large as usual": {hpa(`{"resource": {"target": {"averageValue": "1e999"}}}`), &autoscalingv2.HorizontalPodAutoscaler{}, ""},
		"a label":           {hpa(`{"external": {"metric": {"selector": {"matchLabels": {"value": "1e999999999"}}}}}`), &autoscalingv2.HorizontalPodAutoscaler{}, ""},
		"no field":          {`{"value": "1e999999999", "spec": [{"value": "1e999999999"}], "metadata": "1e999999999"}`, &autoscalingv2.HorizontalPodAutoscaler{}, ""},
		"nothing":           {"null", &autoscalingv2.HorizontalPodAutoscaler{}, ""},
		"no JSON":           {`{"spec": {"behavior": {"scaleUp": {"tolerance": "1e-9999"}}}`, &autoscalingv2.HorizontalPodAutoscaler{}, ""},
		"too deep":          {strings.Repeat("[", 1<<20), []any{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			said := ""
			if err := Check([]byte(test.document), test.into); err != nil {
				said = err.Error()
			}
			if (said == "") != (test.want == "") || !strings.Contains(said, test.want) {
				t.Errorf("%q, want %q", said, test.want)
			}
		})
	}
}
