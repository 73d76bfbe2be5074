package migrate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/hpa"
)

// section is what the values of a Helm chart say of autoscaling in one place:
//
//	autoscaling:                              # "helm create"
//	  enabled: true
//	  minReplicas: 1
//	  maxReplicas: 100
//	  targetCPUUtilizationPercentage: 80
//	worker: {autoscaling: {hpa: {enabled: true, maxReplicas: 5, targetCPU: 50}}}   # others
//
// Which workload is meant, only the templates know.
type section struct {
	fields map[string]any
	// beside are the names of the values next to it, or to what it is in.
	beside []string
	// parameter is what sets a value of a section by itself; the section has nothing else then.
	parameter string
}

// What sections are called, and the values in them. A target is a percent of the request.
var (
	sectionNames = []string{"autoscaling", "hpa", "horizontalPodAutoscaler"}
	targetNames  = map[string]corev1.ResourceName{
		"targetCPUUtilizationPercentage": corev1.ResourceCPU, "targetCPUUtilization": corev1.ResourceCPU, "targetCPU": corev1.ResourceCPU,
		"targetMemoryUtilizationPercentage": corev1.ResourceMemory, "targetMemoryUtilization": corev1.ResourceMemory, "targetMemory": corev1.ResourceMemory,
	}
)

// Other values in them.
const (
	valueEnabled  = "enabled"
	valueMin      = "minReplicas"
	valueMax      = "maxReplicas"
	valueMetrics  = "metrics"
	valueBehavior = "behavior"
)

// deepest is how many mappings and lists a section may be in.
const deepest = 16

// says is whether they tell how far, or on what, something is scaled.
func (s *section) says() bool {
	for name := range s.fields {
		if targetNames[name] != "" || name == valueMin || name == valueMax {
			return true
		}
	}
	return false
}

// autoscaler is the HPA that the chart of "helm create" makes of the values, whether they say on what it is scaled, and what is lost. What is empty counts as
// not there, as in templates.
func (s *section) autoscaler() (made []byte, isTargeted bool, lost []hpa.Remark, err error) {
	spec := map[string]any{"scaleTargetRef": json.RawMessage(`{"apiVersion": "apps/v1", "kind": "Deployment", "name": "unknown"}`)}
	var metrics []any
	seen := map[corev1.ResourceName]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.fields)) {
		value, resource, why := s.fields[name], targetNames[name], ""
		n, isNumber := wholeNumber(value)
		list, isList := value.([]any)
		switch {
		case name == valueEnabled || isEmpty(value):
		case name == valueBehavior:
			spec[name] = value
		case name == valueMetrics && isList:
			metrics = append(metrics, list...)
		case name == valueMetrics:
			why = "it is no list of autoscaling/v2"
		case resource == "" && name != valueMin && name != valueMax:
			why = "what it means is known to the chart's templates alone"
		case !isNumber:
			why = "it is no whole number"
		case resource == "":
			spec[name] = n
		case seen[resource]:
			why = "another value says the same"
		default:
			seen[resource] = true
			metrics = append(metrics, json.RawMessage(fmt.Sprintf(`{"type": "Resource", "resource": {"name": %q, "target": {"type": "Utilization", "averageUtilization": %d}}}`, resource, n)))
		}
		if why != "" {
			lost = append(lost, hpa.Remark{Path: name, Value: inLine(value), Why: "is not read: " + why, Do: "convert what the chart renders: " + render, Lost: true})
		}
	}
	if len(metrics) > 0 {
		spec[valueMetrics] = metrics
	}
	made, err = json.Marshal(map[string]any{"apiVersion": "autoscaling/v2", "spec": spec})
	return made, len(metrics) > 0, lost, err
}

// render is how a chart's values are converted by way of what its templates make of them.
const render = "helm template . | mini-hpa migrate -f -"

// assumed remarks on a section that has no target. What was not read may have one.
func assumed(isLost bool) hpa.Remark {
	const why = "says nothing of a target that is read: that is 80 % of the CPU request, which an API server fills in where an HPA has none"
	if !isLost {
		return hpa.Remark{Why: why}
	}
	return hpa.Remark{Why: why + "; what is not read may say another one", Do: "set " + annotations.TargetCPU + " to what is meant, or convert what the chart renders: " + render, Lost: true}
}

// inLine is a value as YAML writes it in one line.
func inLine(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	var n yaml.Node
	if err := n.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	n.Style = yaml.FlowStyle
	text, err := yaml.Marshal(&n)
	if err != nil {
		return fmt.Sprint(value)
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

// annotationsValue is the value beside the section by whose name it is the annotations of the workload; empty if there is none.
func (s *section) annotationsValue() string {
	for _, name := range s.beside {
		switch strings.ToLower(name) {
		case "deploymentannotations", "statefulsetannotations", "workloadannotations", "controllerannotations":
			return name
		}
	}
	return ""
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// wholeNumber is a number of a field of 32 bits, which may stand in quotes.
func wholeNumber(value any) (int64, bool) {
	n, err := strconv.ParseInt(fmt.Sprint(value), 10, 32)
	return n, err == nil
}
