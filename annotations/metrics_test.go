package annotations

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// goodMetric is a value of the metrics annotation and what it means.
type goodMetric struct {
	name, value string
	want        []autoscalingv2.MetricSpec
	warnings    []string
}

func quantity(amount string) *resource.Quantity { return new(resource.MustParse(amount)) }

func valueOf(amount string) autoscalingv2.MetricTarget {
	return autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: quantity(amount)}
}

func averageOf(amount string) autoscalingv2.MetricTarget {
	return autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: quantity(amount)}
}

func ofPods(name string, target autoscalingv2.MetricTarget) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{
		Type: autoscalingv2.PodsMetricSourceType,
		Pods: &autoscalingv2.PodsMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: name}, Target: target},
	}
}

func external(name string, selector *metav1.LabelSelector, target autoscalingv2.MetricTarget) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{
		Type: autoscalingv2.ExternalMetricSourceType,
		External: &autoscalingv2.ExternalMetricSource{
			Metric: autoscalingv2.MetricIdentifier{Name: name, Selector: selector}, Target: target,
		},
	}
}

func ofIngress(version string, target autoscalingv2.MetricTarget) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{
		Type: autoscalingv2.ObjectMetricSourceType,
		Object: &autoscalingv2.ObjectMetricSource{
			DescribedObject: autoscalingv2.CrossVersionObjectReference{Kind: "Ingress", Name: "front", APIVersion: version},
			Metric:          autoscalingv2.MetricIdentifier{Name: "ingress_hits"},
			Target:          target,
		},
	}
}

func retyped(kind autoscalingv2.MetricTargetType, target autoscalingv2.MetricTarget) autoscalingv2.MetricTarget {
	target.Type = kind
	return target
}

// roundedUp is what a warning says of an amount that is finer than what is counted in, but for the numbers.
const roundedUp = ": as with an HPA, targets and measured values are rounded up to thousandths; measure in a smaller unit, or write "

func goodMetrics() []goodMetric {
	const (
		podsOf  = `[{"type":"Pods","pods":{"metric":{"name":"rps"},"target":%s}}]`
		objOf   = `[{"type":"Object","object":{"describedObject":{"kind":"Ingress","name":"front","apiVersion":%q},"metric":{"name":"ingress_hits"},"target":%s}}]`
		extOf   = `[{"type":"External","external":{"metric":{"name":"backlog"},"target":%s}}]`
		usageOf = `[{"type":"Resource","resource":{"name":"cpu","target":%s}}]`
	)
	cpu, memory := corev1.ResourceCPU, corev1.ResourceMemory
	one := func(m autoscalingv2.MetricSpec) []autoscalingv2.MetricSpec { return []autoscalingv2.MetricSpec{m} }
	rows := []goodMetric{
		{"one container, as a recorder writes it", `[{"type":"ContainerResource","containerResource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80},"container":"c0"}}]`,
			one(ofContainer("c0", utilization(cpu, 80))), nil},
		{"two metrics, as a recorder writes them", `[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":90}}},{"type":"Pods","pods":{"metric":{"name":"requests_per_second"},"target":{"type":"AverageValue","averageValue":"40"}}}]`,
			[]autoscalingv2.MetricSpec{utilization(cpu, 90), ofPods("requests_per_second", averageOf("40"))}, nil},
		{"an object, as a recorder writes it", `[{"type":"Object","object":{"describedObject":{"kind":"Ingress","name":"front","apiVersion":"networking.k8s.io/v1"},"target":{"type":"Value","value":"120"},"metric":{"name":"ingress_hits"}}}]`,
			one(ofIngress("networking.k8s.io/v1", valueOf("120"))), nil},
		{"external, as a recorder writes it", `[{"type":"External","external":{"metric":{"name":"backlog"},"target":{"type":"AverageValue","averageValue":"30"}}}]`,
			one(external("backlog", nil, averageOf("30"))), nil},
		{"the example", exampleMetrics, []autoscalingv2.MetricSpec{
			ofPods("requests_per_second", averageOf("40")),
			external("queue_length", &metav1.LabelSelector{MatchLabels: map[string]string{"queue": "orders"}}, averageOf("30")),
		}, nil},
		{"JSON over several lines, with tabs", "[\r\n\t{\r\n\t\t\"type\": \"Resource\",\r\n\t\t\"resource\": {\"name\": \"memory\", \"target\": {\"type\": \"AverageValue\", \"averageValue\": \"1Gi\"}}\r\n\t}\r\n]\r\n",
			one(average(memory, "1Gi")), nil},
		{"YAML with a document start, comments and numbers without quotes", "--- # one\n# *all* & more\n- type: Pods # don't & worry\n  pods:\n    metric: {name: a.b:c-d_e}\n    target: {type: AverageValue, averageValue: 0.5}\n",
			one(ofPods("a.b:c-d_e", averageOf("500m"))), nil},
		{"YAML of Windows", "- type: Resource\r\n  resource:\r\n    name: cpu\r\n    target:\r\n      type: Utilization\r\n      averageUtilization: 50\r\n",
			one(utilization(cpu, 50)), nil},
		{"YAML of an old Macintosh", "- type: Resource\r  resource:\r    name: cpu\r    target:\r      type: Utilization\r      averageUtilization: 50\r",
			one(utilization(cpu, 50)), nil},
		{"YAML that is indented", "\n    - type: Resource\n      resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}\n  ",
			one(utilization(cpu, 50)), nil},
		{"null is the same as absent", `[{"type":"Pods","resource":null,"pods":{"metric":{"name":"rps","selector":null},"target":{"type":"AverageValue","averageValue":"1","value":null}}}]`,
			one(ofPods("rps", averageOf("1"))), nil},
		{"a quantity as a JSON number", fmt.Sprintf(podsOf, `{"type":"AverageValue","averageValue":40}`), one(ofPods("rps", averageOf("40"))), nil},
		{"a quantity with an exponent", fmt.Sprintf(podsOf, `{"type":"AverageValue","averageValue":"1e3"}`), one(ofPods("rps", averageOf("1000"))), nil},
		{"a quantity between blanks", fmt.Sprintf(podsOf, `{"type":"AverageValue","averageValue":" 40 "}`), one(ofPods("rps", averageOf("40"))), nil},
		{"the smallest quantity", fmt.Sprintf(podsOf, `{"type":"AverageValue","averageValue":"1n"}`), one(ofPods("rps", averageOf("1n"))),
			[]string{"[0].pods.target.averageValue is 1n and counts as 1m" + roundedUp + "1m"}},
		{"a part of a thousandth", fmt.Sprintf(extOf, `{"type":"AverageValue","averageValue":"0.0025"}`), one(external("backlog", nil, averageOf("2500u"))),
			[]string{"[0].external.target.averageValue is 2500u and counts as 3m" + roundedUp + "3m"}},
		{"a part of a thousandth for all pods", fmt.Sprintf(extOf, `{"type":"Value","value":"100u"}`), one(external("backlog", nil, valueOf("100u"))),
			[]string{"[0].external.target.value is 100u and counts as 1m" + roundedUp + "1m"}},
		{"a part of a thousandth of a core", fmt.Sprintf(usageOf, `{"type":"AverageValue","averageValue":"100500u"}`), one(average(cpu, "100500u")),
			[]string{"[0].resource.target.averageValue is 100500u and counts as 101m" + roundedUp + "101m"}},
		{"whole thousandths", fmt.Sprintf(extOf, `{"type":"AverageValue","averageValue":"3000u"}`), one(external("backlog", nil, averageOf("3m"))), nil},
		{"a quantity beyond 64 bits of thousandths", fmt.Sprintf(podsOf, `{"type":"AverageValue","averageValue":"8Ei"}`), one(ofPods("rps", averageOf("8Ei"))), nil},
		{"the largest exponent", fmt.Sprintf(podsOf, `{"type":"AverageValue","averageValue":1e99}`), one(ofPods("rps", averageOf("1e99"))), nil},
		{"the largest exponent downward", fmt.Sprintf(podsOf, `{"type":"AverageValue","averageValue":"1e-99"}`), one(ofPods("rps", averageOf("1n"))),
			[]string{"[0].pods.target.averageValue is 1e-9 and counts as 1e-3" + roundedUp + "1e-3"}},
		{"names in quotes that are numbers or truth values, in YAML", "- type: External\n  external:\n    metric: {name: backlog, selector: {matchLabels: {\"1\": a, 'yes': \"2\", ! 'true': b}}}\n    target: {type: Value, value: 3}\n",
			one(external("backlog", &metav1.LabelSelector{MatchLabels: map[string]string{"1": "a", "yes": "2", "true": "b"}}, valueOf("3"))), nil},
		{"marks of YAML that mean nothing", "# it's &ok and *fine\n- type: Pods # don't\n  pods:\n    metric: {name: \"s0-*orders\"}\n    target: {type: AverageValue, averageValue: 1}\n" +
			"- type: Pods\n  pods:\n    metric:\n      name: 'a|&b *c'\n    target: {type: AverageValue, averageValue: 1}\n- type: Pods\n  pods:\n    metric:\n      name: a &b *c\n    target: {type: AverageValue, averageValue: 1}\n" +
			"- type: Pods\n  pods:\n    metric:\n      name: '<<'\n    target: {type: AverageValue, averageValue: 1}\n",
			[]autoscalingv2.MetricSpec{ofPods("s0-*orders", averageOf("1")), ofPods("a|&b *c", averageOf("1")), ofPods("a &b *c", averageOf("1")), ofPods("<<", averageOf("1"))}, nil},
		{"YAML with a directive, both marks of a document and a comment after them", "%YAML 1.1\n---\n- type: Resource\n  resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}\n...\n# end\n",
			one(utilization(cpu, 50)), nil},
		{"JSON between the marks of a document", "---\n[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\",\"averageUtilization\":50}}}]\n...\n",
			one(utilization(cpu, 50)), nil},
		{"numbers as YAML writes them", "- {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 0x32}}}\n- {type: Pods, pods: {metric: {name: !!str 1}, target: {type: AverageValue, averageValue: 1_000}}}\n",
			[]autoscalingv2.MetricSpec{utilization(cpu, 50), ofPods("1", averageOf("1000"))}, nil},
		{"an object without a group", fmt.Sprintf(objOf, "v1", `{"type":"AverageValue","averageValue":"3"}`), one(ofIngress("v1", averageOf("3"))), nil},
		{"an object without a version", fmt.Sprintf(objOf, "", `{"type":"Value","value":"3"}`), one(ofIngress("", valueOf("3"))), nil},
		{"an object with both targets", fmt.Sprintf(objOf, "v1", `{"type":"Value","value":"3","averageValue":"2"}`),
			one(ofIngress("v1", autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: quantity("3"), AverageValue: quantity("2")})), nil},
		{"an object whose type is the other one", fmt.Sprintf(objOf, "v1", `{"type":"Value","averageValue":"2"}`),
			one(ofIngress("v1", retyped(autoscalingv2.ValueMetricType, averageOf("2")))),
			[]string{`[0].object.target.type is "Value", but the field of this type is not set: the metric cannot be evaluated`}},
		{"external with a value", fmt.Sprintf(extOf, `{"type":"Value","value":"3"}`), one(external("backlog", nil, valueOf("3"))), nil},
		{"external whose type is the other one", fmt.Sprintf(extOf, `{"type":"AverageValue","value":"3"}`),
			one(external("backlog", nil, retyped(autoscalingv2.AverageValueMetricType, valueOf("3")))),
			[]string{`[0].external.target.type is "AverageValue", but the field that counts is the one of type "Value"`}},
		{"pods whose type is another one", fmt.Sprintf(podsOf, `{"type":"Utilization","averageValue":"3"}`),
			one(ofPods("rps", retyped(autoscalingv2.UtilizationMetricType, averageOf("3")))),
			[]string{`[0].pods.target.type is "Utilization", but the field that counts is the one of type "AverageValue"`}},
		{"a resource whose type is another one", fmt.Sprintf(usageOf, `{"type":"Value","averageValue":"300m"}`),
			one(autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name: cpu, Target: retyped(autoscalingv2.ValueMetricType, averageOf("300m"))}}),
			[]string{`[0].resource.target.type is "Value", but the field that counts is the one of type "AverageValue"`}},
		{"a selector of every kind", `[{"type":"External","external":{"metric":{"name":"backlog","selector":{"matchLabels":{"a":"b","example.com/c":""},"matchExpressions":[{"key":"d","operator":"In","values":["e","f"]},{"key":"g","operator":"Exists"}]}},"target":{"type":"Value","value":"3"}}}]`,
			one(external("backlog", &metav1.LabelSelector{
				MatchLabels: map[string]string{"a": "b", "example.com/c": ""},
				MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: "d", Operator: metav1.LabelSelectorOpIn, Values: []string{"e", "f"}}, {Key: "g", Operator: metav1.LabelSelectorOpExists},
				},
			}, valueOf("3"))), nil},
		{"a label that is a number, in JSON", `[{"type":"External","external":{"metric":{"name":"backlog","selector":{"matchLabels":{"1":"b"}}},"target":{"type":"Value","value":"3"}}}]`,
			one(external("backlog", &metav1.LabelSelector{MatchLabels: map[string]string{"1": "b"}}, valueOf("3"))), nil},
		{"the same twice", `[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":90}}},{"type":"Resource","resource":{"name":"memory","target":{"type":"Utilization","averageUtilization":90}}},{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}}]`,
			[]autoscalingv2.MetricSpec{utilization(cpu, 90), utilization(memory, 90), utilization(cpu, 80)},
			[]string{`[2] measures the same as [0]; the one that asks for more replicas wins`}},
		{"a percent and an amount of the same", `[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":90}}},{"type":"Resource","resource":{"name":"cpu","target":{"type":"AverageValue","averageValue":"2"}}}]`,
			[]autoscalingv2.MetricSpec{utilization(cpu, 90), average(cpu, "2")}, nil},
	}
	for _, name := range []string{"cpu", "memory", "ephemeral-storage", "hugepages-2Mi", "example.com/gpu", "kubernetes.io/batch"} {
		rows = append(rows, goodMetric{"container resource " + name,
			fmt.Sprintf(`[{"type":"ContainerResource","containerResource":{"name":%q,"container":"app","target":{"type":"AverageValue","averageValue":"1"}}}]`, name),
			one(ofContainer("app", average(corev1.ResourceName(name), "1"))), nil})
	}
	return rows
}

func TestGoodMetrics(t *testing.T) {
	for _, tc := range goodMetrics() {
		t.Run(tc.name, func(t *testing.T) {
			got, warnings, errs := parse(map[string]string{Max: "10", Metrics: tc.value})
			if diff := cmp.Diff(basicPolicy(metrics(tc.want...)), got); diff != "" || len(errs) > 0 {
				t.Errorf("errors %v, policy (-want +got):\n%s", errs, diff)
			}
			var said []string
			for _, warning := range warnings {
				if warning.Key != Metrics {
					t.Errorf("warning about %s", warning.Key)
				}
				said = append(said, warning.Message)
			}
			if diff := cmp.Diff(tc.warnings, said); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// badDocument is a value of one of the documents, and what Parse says about it after the name of the annotation.
type badDocument struct {
	name, value string
	want        []string
}

func metricOf(kind, source string) string { return fmt.Sprintf(`[{"type":%q,%s}]`, kind, source) }

func usageTarget(target string) string {
	return metricOf("Resource", `"resource":{"name":"cpu","target":`+target+`}`)
}

func named(identifier string) string {
	return metricOf("Pods", `"pods":{"metric":`+identifier+`,"target":{"type":"AverageValue","averageValue":"1"}}`)
}

func about(object string) string {
	return metricOf("Object", `"object":{"describedObject":`+object+`,"metric":{"name":"x"},"target":{"type":"Value","value":"1"}}`)
}

func inContainer(name, container string) string {
	return metricOf("ContainerResource", fmt.Sprintf(
		`"containerResource":{"name":%q,"container":%q,"target":{"type":"Utilization","averageUtilization":1}}`, name, container))
}

func podsTarget(target string) string {
	return metricOf("Pods", `"pods":{"metric":{"name":"x"},"target":`+target+`}`)
}

func externalTarget(target string) string {
	return metricOf("External", `"external":{"metric":{"name":"x"},"target":`+target+`}`)
}

func objectTarget(target string) string {
	return metricOf("Object", `"object":{"describedObject":{"kind":"K","name":"n"},"metric":{"name":"x"},"target":`+target+`}`)
}

func badMetrics() []badDocument {
	return []badDocument{
		{"a mapping", "type: Pods", []string{
			`: Invalid value: "type: Pods": must be a list of autoscaling/v2 MetricSpec in YAML or JSON, the same as in the spec.metrics of an HPA`,
		}},
		{"a word", "Pods", []string{
			`: Invalid value: "Pods": must be a list of autoscaling/v2 MetricSpec in YAML or JSON, the same as in the spec.metrics of an HPA`,
		}},
		{"nothing but a comment", "# later", []string{
			`: Invalid value: "# later": must be a list of autoscaling/v2 MetricSpec in YAML or JSON, the same as in the spec.metrics of an HPA`,
		}},
		{"null", "null", []string{
			`: Invalid value: "null": must be a list of autoscaling/v2 MetricSpec in YAML or JSON, the same as in the spec.metrics of an HPA`,
		}},
		{"an empty list", "[]", []string{
			`: Invalid value: "[]": must hold at least one metric; remove the annotation if it is not needed`,
		}},
		{"an unknown field and a misspelt case", metricOf("Pods", `"Pods":{},"pods":{"metrics":{},"metric":{"name":"x"},"target":{"type":"AverageValue","averageValue":"1"}}`), []string{
			`[0]: Invalid value: "Pods": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[0].pods: Invalid value: "metrics": is not a field here; must be one of "metric", "target"`,
		}},
		{"a field twice, in JSON", `[{"type":"Pods","type":"Pods"}]`, []string{
			`[0]: Invalid value: "type": is there twice`,
		}},
		{"a field twice, in YAML", "- type: Pods\n  type: Pods", []string{
			`[0]: Invalid value: "type": is there twice`,
		}},
		{"entries that are no mappings", `["Pods",1,true,[]]`, []string{
			`[0]: Invalid value: "Pods": must be a mapping of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[1]: Invalid value: "1": must be a mapping of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[2]: Invalid value: "true": must be a mapping of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[3]: Invalid value: "a list": must be a mapping of "type", "object", "pods", "resource", "containerResource", "external"`,
		}},
		{"an entry that is null", `[null]`, []string{
			`[0].type: Invalid value: "": must be one of "ContainerResource", "External", "Object", "Pods", "Resource"`,
		}},
		{"strings that are not", metricOf("Pods", `"pods":{"metric":{"name":7},"target":{"type":["Value"],"averageValue":{}}}`), []string{
			`[0].pods.metric.name: Invalid value: "7": must be a string; put it in quotes`,
			`[0].pods.target.type: Invalid value: "a list": must be a string`,
			`[0].pods.target.averageValue: Invalid value: "a mapping": must be a quantity such as "500m", "40" or "1Gi"`,
		}},
		{"numbers that are not", `[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":"80"}}},{"type":"Resource","resource":{"name":"cpu","target":{"averageUtilization":80.5}}},{"type":"Resource","resource":{"name":"cpu","target":{"averageUtilization":2147483648}}},{"type":"Resource","resource":{"name":"cpu","target":{"averageUtilization":1e2}}}]`, []string{
			`[0].resource.target.averageUtilization: Invalid value: "80": must be a whole number up to 2147483647, without quotes`,
			`[1].resource.target.averageUtilization: Invalid value: "80.5": must be a whole number up to 2147483647, without quotes`,
			`[2].resource.target.averageUtilization: Invalid value: "2147483648": must be a whole number up to 2147483647, without quotes`,
			`[3].resource.target.averageUtilization: Invalid value: "1e2": must be a whole number up to 2147483647, without quotes`,
		}},
		{"quantities that are not", `[{"type":"Pods","pods":{"target":{"averageValue":"fast","value":""}}},{"type":"Pods","pods":{"target":{"averageValue":"1 Gi","value":true}}},{"type":"Pods","pods":{"target":{"averageValue":"0x10"}}}]`, []string{
			`[0].pods.target.averageValue: Invalid value: "fast": must be a quantity such as "500m", "40" or "1Gi"`,
			`[0].pods.target.value: Invalid value: "": must be a quantity such as "500m", "40" or "1Gi"`,
			`[1].pods.target.averageValue: Invalid value: "1 Gi": must be a quantity such as "500m", "40" or "1Gi"`,
			`[1].pods.target.value: Invalid value: "true": must be a quantity such as "500m", "40" or "1Gi"`,
			`[2].pods.target.averageValue: Invalid value: "0x10": must be a quantity such as "500m", "40" or "1Gi"`,
		}},
		{"quantities that are absurd", `[{"type":"Pods","pods":{"target":{"averageValue":"1e999999999","value":"1e-999999999"}}},{"type":"Pods","pods":{"target":{"averageValue":1e100,"value":"1e+0100"}}}]`, []string{
			`[0].pods.target.averageValue: Invalid value: "1e999999999": must be at most 64 bytes long, with an exponent of at most 2 digits`,
			`[0].pods.target.value: Invalid value: "1e-999999999": must be at most 64 bytes long, with an exponent of at most 2 digits`,
			`[1].pods.target.averageValue: Invalid value: "1e100": must be at most 64 bytes long, with an exponent of at most 2 digits`,
			`[1].pods.target.value: Invalid value: "1e+0100": must be at most 64 bytes long, with an exponent of at most 2 digits`,
		}},
		{"a quantity of many digits", podsTarget(`{"averageValue":"` + strings.Repeat("9", 65) + `"}`), []string{
			`[0].pods.target.averageValue: Invalid value: "9999999999999999999999999999999999999999999999999999999999999999…": must be at most 64 bytes long, with an exponent of at most 2 digits`,
		}},
		{"not a number, in YAML", "- type: Pods\n  pods: {metric: {name: x}, target: {type: AverageValue, averageValue: .nan}}", []string{
			`[0].pods.target.averageValue: Invalid value: ".nan": must be a quantity such as "500m", "40" or "1Gi"`,
		}},
		{"infinity, in YAML", "- type: Pods\n  pods: {metric: {name: x}, target: {type: AverageValue, averageValue: .inf}}", []string{
			`[0].pods.target.averageValue: Invalid value: ".inf": must be a quantity such as "500m", "40" or "1Gi"`,
		}},
		{"no type", `[{"pods":{"metric":{"name":"x"},"target":{"type":"AverageValue","averageValue":"1"}}}]`, []string{
			`[0].type: Invalid value: "": must be one of "ContainerResource", "External", "Object", "Pods", "Resource"`,
			`[0].pods: Forbidden: does not belong to a metric of type ""`,
		}},
		{"an unknown type", `[{"type":"pods"}]`, []string{
			`[0].type: Invalid value: "pods": must be one of "ContainerResource", "External", "Object", "Pods", "Resource"`,
		}},
		{"no source", `[{"type":"Pods"},{"type":"Object"},{"type":"External"},{"type":"Resource"},{"type":"ContainerResource"}]`, []string{
			`[0].pods: Required value: must be set for a metric of type "Pods"`,
			`[1].object: Required value: must be set for a metric of type "Object"`,
			`[2].external: Required value: must be set for a metric of type "External"`,
			`[3].resource: Required value: must be set for a metric of type "Resource"`,
			`[4].containerResource: Required value: must be set for a metric of type "ContainerResource"`,
		}},
		{"the source of another type", metricOf("Pods", `"resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}`), []string{
			`[0].pods: Required value: must be set for a metric of type "Pods"`,
			`[0].resource: Forbidden: does not belong to a metric of type "Pods"`,
		}},
		{"two sources", metricOf("Pods", `"pods":{"metric":{"name":"x"},"target":{"type":"AverageValue","averageValue":"1"}},"resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}`), []string{
			`[0].resource: Forbidden: does not belong to a metric of type "Pods"`,
		}},
		{"a resource without a name or a target", metricOf("Resource", `"resource":{}`), []string{
			`[0].resource.name: Required value: must name a resource such as "cpu"`,
			`[0].resource.target.type: Invalid value: "": must be one of "AverageValue", "Utilization", "Value"`,
			`[0].resource.target.averageUtilization: Required value: must be set, or averageValue`,
		}},
		{"a target without a type", usageTarget(`{"averageUtilization":80}`), []string{
			`[0].resource.target.type: Invalid value: "": must be one of "AverageValue", "Utilization", "Value"`,
		}},
		{"a target of an unknown type", usageTarget(`{"type":"utilization","averageUtilization":80}`), []string{
			`[0].resource.target.type: Invalid value: "utilization": must be one of "AverageValue", "Utilization", "Value"`,
		}},
		{"a utilization of zero", usageTarget(`{"type":"Utilization","averageUtilization":0}`), []string{
			`[0].resource.target.averageUtilization: Invalid value: 0: must be a percent of the request above 0`,
		}},
		{"a negative utilization", usageTarget(`{"type":"Utilization","averageUtilization":-1}`), []string{
			`[0].resource.target.averageUtilization: Invalid value: -1: must be a percent of the request above 0`,
		}},
		{"an amount of zero", usageTarget(`{"type":"AverageValue","averageValue":"0"}`), []string{
			`[0].resource.target.averageValue: Invalid value: "0": must be above 0`,
		}},
		{"a utilization and an amount", usageTarget(`{"type":"Utilization","averageUtilization":80,"averageValue":"1"}`), []string{
			`[0].resource.target.averageValue: Forbidden: must not be set together with averageUtilization`,
		}},
		{"a resource with a value only", usageTarget(`{"type":"Value","value":"1"}`), []string{
			`[0].resource.target.averageUtilization: Required value: must be set, or averageValue`,
		}},
		{"a resource with a value that is negative", usageTarget(`{"type":"Utilization","averageUtilization":80,"value":"-1"}`), []string{
			`[0].resource.target.value: Invalid value: "-1": must be above 0`,
		}},
		{"a container without names", metricOf("ContainerResource", `"containerResource":{"target":{"type":"Utilization","averageUtilization":80}}`), []string{
			`[0].containerResource.name: Required value: must name a resource such as "cpu"`,
			`[0].containerResource.container: Required value: must name a container such as "app"`,
		}},
		{"a container with a bad name", inContainer("cpu", "App_1"), []string{
			`[0].containerResource.container: Invalid value: "App_1": must be the name of a container: up to 63 lowercase letters, digits and "-", with a letter or digit at both ends`,
		}},
		{"a container resource that is no resource", inContainer("gpu", "app"), []string{
			`[0].containerResource.name: Invalid value: "gpu": must be a resource that a container can request, such as "cpu" or "example.com/gpu"`,
		}},
		{"a container resource of a quota", inContainer("requests.cpu", "app"), []string{
			`[0].containerResource.name: Invalid value: "requests.cpu": must be a resource that a container can request, such as "cpu" or "example.com/gpu"`,
		}},
		{"a container resource that is not qualified", inContainer("example.com/a/b", "app"), []string{
			`[0].containerResource.name: Invalid value: "example.com/a/b": must be a resource that a container can request, such as "cpu" or "example.com/gpu"`,
		}},
		{"a container resource with the prefix of quotas", inContainer("requests.example.com/gpu", "app"), []string{
			`[0].containerResource.name: Invalid value: "requests.example.com/gpu": must be a resource that a container can request, such as "cpu" or "example.com/gpu"`,
		}},
		{"a container resource that is too long for a quota", inContainer(strings.Repeat(strings.Repeat("a", 49)+".", 5)[:249]+"/gpu", "app"), []string{
			`[0].containerResource.name: Invalid value: "` + (strings.Repeat("a", 49) + "." + strings.Repeat("a", 14)) + `…": must be a resource that a container can request, such as "cpu" or "example.com/gpu"`,
		}},
		{"a container without a target", metricOf("ContainerResource", `"containerResource":{"name":"cpu","container":"app","target":{"type":"Utilization"}}`), []string{
			`[0].containerResource.target.averageUtilization: Required value: must be set, or averageValue`,
		}},
		{"a container with two targets", metricOf("ContainerResource", `"containerResource":{"name":"cpu","container":"app","target":{"type":"Utilization","averageUtilization":1,"averageValue":"1"}}`), []string{
			`[0].containerResource.target.averageValue: Forbidden: must not be set together with averageUtilization`,
		}},
		{"a metric without a name", named(`{}`), []string{
			`[0].pods.metric.name: Required value: must name a metric`,
		}},
		{"a metric named like a path", named(`{"name":"a/b"}`), []string{
			`[0].pods.metric.name: Invalid value: "a/b": must not be "." or "..", or contain "/" or "%"`,
		}},
		{"a metric with a percent sign", named(`{"name":"%61"}`), []string{
			`[0].pods.metric.name: Invalid value: "%61": must not be "." or "..", or contain "/" or "%"`,
		}},
		{"a metric named dot", named(`{"name":"."}`), []string{
			`[0].pods.metric.name: Invalid value: ".": must not be "." or "..", or contain "/" or "%"`,
		}},
		{"a metric named dot dot", named(`{"name":".."}`), []string{
			`[0].pods.metric.name: Invalid value: "..": must not be "." or "..", or contain "/" or "%"`,
		}},
		{"a metric with escapes for a terminal", named(`{"name":"a\u001b[2J\u202e"}`), []string{
			`[0].pods.metric.name: Invalid value: "a�[2J�": must not contain characters that do not print`,
		}},
		{"a selector with bad labels", named(`{"name":"x","selector":{"matchLabels":{"-a":"b","c":"d e","f":"*"}}}`), []string{
			`[0].pods.metric.selector.matchLabels: Invalid value: "*": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
			`[0].pods.metric.selector.matchLabels: Invalid value: "-a": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
			`[0].pods.metric.selector.matchLabels: Invalid value: "d e": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
		}},
		{"a selector with values that are no strings", named(`{"name":"x","selector":{"matchLabels":{"a":1,"b":true,"a":"c"}}}`), []string{
			`[0].pods.metric.selector.matchLabels: Invalid value: "a": must have a string as its value; put it in quotes`,
			`[0].pods.metric.selector.matchLabels: Invalid value: "b": must have a string as its value; put it in quotes`,
		}},
		{"a selector with a label twice", named(`{"name":"x","selector":{"matchLabels":{"a":"1","a":"2"}}}`), []string{
			`[0].pods.metric.selector.matchLabels: Invalid value: "a": is there twice`,
		}},
		{"a selector with bad expressions", named(`{"name":"x","selector":{"matchExpressions":[{"key":"","operator":"In"},{"key":"a","operator":"Exists","values":["b"]},{"key":"a","operator":"in","values":["b"]},{"key":"a","operator":"In","values":["b c"]}]}}`), []string{
			`[0].pods.metric.selector.matchExpressions[0].key: Invalid value: "": name part must be non-empty`,
			`[0].pods.metric.selector.matchExpressions[0].key: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
			"[0].pods.metric.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
			"[0].pods.metric.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
			`[0].pods.metric.selector.matchExpressions[2].operator: Invalid value: "in": not a valid selector operator`,
			`[0].pods.metric.selector.matchExpressions[3].values[0]: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
		}},
		{"a selector that is a list", named(`{"name":"x","selector":[]}`), []string{
			`[0].pods.metric.selector: Invalid value: "a list": must be a mapping of "matchLabels", "matchExpressions"`,
		}},
		{"labels that are a list", named(`{"name":"x","selector":{"matchLabels":[]}}`), []string{
			`[0].pods.metric.selector.matchLabels: Invalid value: "a list": must be a mapping of labels to values`,
		}},
		{"expressions that are a mapping", named(`{"name":"x","selector":{"matchExpressions":{}}}`), []string{
			`[0].pods.metric.selector.matchExpressions: Invalid value: "a mapping": must be a list`,
		}},
		{"an object without anything", about(`{}`), []string{
			`[0].object.describedObject.kind: Required value: must be a kind such as "Ingress"`,
			`[0].object.describedObject.name: Required value: must name an object of the workload's namespace`,
		}},
		{"an object with bad names", about(`{"kind":"a/b","name":"..","apiVersion":"a/b/c"}`), []string{
			`[0].object.describedObject.kind: Invalid value: "a/b": must not be "." or "..", or contain "/" or "%"`,
			`[0].object.describedObject.name: Invalid value: "..": must not be "." or "..", or contain "/" or "%"`,
			`[0].object.describedObject.apiVersion: Invalid value: "a/b/c": must be a version such as "v1" or "networking.k8s.io/v1"`,
		}},
		{"an object in another namespace", about(`{"kind":"Ingress","name":"front","namespace":"other"}`), []string{
			`[0].object.describedObject: Invalid value: "namespace": is not a field here; must be one of "kind", "name", "apiVersion"`,
		}},
		{"an object without a target", objectTarget(`{"type":"Value"}`), []string{
			`[0].object.target.value: Required value: must be set, or averageValue`,
		}},
		{"an object with a utilization only", objectTarget(`{"type":"Utilization","averageUtilization":5}`), []string{
			`[0].object.target.value: Required value: must be set, or averageValue`,
		}},
		{"an object with values below zero", objectTarget(`{"type":"Value","value":"-1","averageValue":"-2"}`), []string{
			`[0].object.target.value: Invalid value: "-1": must be above 0`,
			`[0].object.target.averageValue: Invalid value: "-2": must be above 0`,
		}},
		{"external without a name", metricOf("External", `"external":{"target":{"type":"Value","value":"1"}}`), []string{
			`[0].external.metric.name: Required value: must name a metric`,
		}},
		{"external without a target", externalTarget(`{"type":"Value"}`), []string{
			`[0].external.target.value: Required value: must be set, or averageValue`,
		}},
		{"external with two targets", externalTarget(`{"type":"Value","value":"1","averageValue":"1"}`), []string{
			`[0].external.target.averageValue: Forbidden: must not be set together with value`,
		}},
		{"external with zero", externalTarget(`{"type":"Value","value":"0"}`), []string{
			`[0].external.target.value: Invalid value: "0": must be above 0`,
		}},
		{"pods without a target", podsTarget(`{}`), []string{
			`[0].pods.target.type: Invalid value: "": must be one of "AverageValue", "Utilization", "Value"`,
			`[0].pods.target.averageValue: Required value: must be set: a metric of the pods has no other target`,
		}},
		{"pods with a value only", podsTarget(`{"type":"Value","value":"1"}`), []string{
			`[0].pods.target.averageValue: Required value: must be set: a metric of the pods has no other target`,
		}},
		{"pods with an amount of zero", podsTarget(`{"type":"AverageValue","averageValue":"0"}`), []string{
			`[0].pods.target.averageValue: Invalid value: "0": must be above 0`,
		}},
		{"more problems than anybody reads", "[" + strings.Repeat(`{"x":1},`, 29) + `{"x":1}]`, []string{
			`[0]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[1]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[2]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[3]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[4]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[5]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[6]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[7]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[8]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[9]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[10]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[11]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[12]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[13]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[14]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[15]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[16]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[17]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[18]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`[19]: Invalid value: "x": is not a field here; must be one of "type", "object", "pods", "resource", "containerResource", "external"`,
			`: Forbidden: has 10 more problems`,
		}},
		{"a value too long to repeat", named(`{"name":"` + strings.Repeat("é", 70) + `/"}`), []string{
			`[0].pods.metric.name: Invalid value: "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé…": must not be "." or "..", or contain "/" or "%"`,
		}},
		{"a syntax error on the third line", "- type: Pods\n  pods:\n   metric: [\n", []string{
			`: Invalid value: "- type: Pods pods: metric: [": cannot be read as one YAML or JSON document: line 3: did not find expected node content`,
		}},
		{"two documents", "- type: Pods\n---\n- type: Pods\n", []string{
			`: Invalid value: "- type: Pods --- - type: Pods": must be a single YAML document`,
		}},
		{"text after the end of the document", "[]\n...\n[]", []string{
			`: Invalid value: "[] ... []": cannot be read as one YAML or JSON document: line 2: did not find expected <document start>`,
		}},
		{"two lists", "[] []", []string{
			`: Invalid value: "[] []": cannot be read as one YAML or JSON document: did not find expected <document start>`,
		}},
		{"an anchor", "- &a {type: Pods}", []string{
			`: Invalid value: "- &a {type: Pods}": must not use YAML anchors, aliases or merges ("&", "*" or "<<" without quotes)`,
		}},
		{"an alias", "- &a\n  type: Pods\n- *a", []string{
			`: Invalid value: "- &a type: Pods - *a": must not use YAML anchors, aliases or merges ("&", "*" or "<<" without quotes)`,
		}},
		{"an alias between brackets", "[{type: Pods},*a]", []string{
			`: Invalid value: "[{type: Pods},*a]": cannot be read as one YAML or JSON document: unknown anchor 'a' referenced`,
		}},
		{"an alias behind quotes", "- 'don''t # '\n- \"a # \": *a", []string{
			`: Invalid value: "- 'don''t # ' - \"a # \": *a": cannot be read as one YAML or JSON document: unknown anchor 'a' referenced`,
		}},
		{"a merge of what is there", "- <<: {type: Pods}", []string{
			`: Invalid value: "- <<: {type: Pods}": must not use YAML anchors, aliases or merges ("&", "*" or "<<" without quotes)`,
		}},
		{"names that are numbers", "- {1: a, '1': b}", []string{
			`: Invalid value: "- {1: a, '1': b}": name "1" in a mapping must be a string; put it in quotes`,
		}},
		{"a name that is a truth value", "- y: a", []string{
			`: Invalid value: "- y: a": name "y" in a mapping must be a string; put it in quotes`,
		}},
		{"a name that is a list", "- ? [a]\n  : b", []string{
			`: Invalid value: "- ? [a] : b": name "" in a mapping must be a string; put it in quotes`,
		}},
		{"a label twice, in YAML", "- type: Pods\n  pods: {metric: {name: x, selector: {matchLabels: {a: b, \"a\": c}}}, target: {type: AverageValue, averageValue: 1}}", []string{
			`[0].pods.metric.selector.matchLabels: Invalid value: "a": is there twice`,
		}},
		{"an unknown field, in YAML", "- type: Pods\n  pods: {\"metrics\": {}, metric: {name: x}, target: {type: AverageValue, averageValue: 1}}", []string{
			`[0].pods: Invalid value: "metrics": is not a field here; must be one of "metric", "target"`,
		}},
		{"words of YAML that are no strings", "- type: Pods\n  pods: {metric: {name: 1, selector: {matchLabels: {a: no, b: 010, c: .inf}}}, target: {type: on, averageValue: yes}}", []string{
			`[0].pods.metric.name: Invalid value: "1": must be a string; put it in quotes`,
			`[0].pods.metric.selector.matchLabels: Invalid value: "a": must have a string as its value; put it in quotes`,
			`[0].pods.metric.selector.matchLabels: Invalid value: "b": must have a string as its value; put it in quotes`,
			`[0].pods.metric.selector.matchLabels: Invalid value: "c": must have a string as its value; put it in quotes`,
			`[0].pods.target.type: Invalid value: "true": must be a string; put it in quotes`,
			`[0].pods.target.averageValue: Invalid value: "true": must be a quantity such as "500m", "40" or "1Gi"`,
		}},
		{"a tag", "- type: !!binary UG9kcw==", []string{
			`: Invalid value: "- type: !!binary UG9kcw==": must not use YAML tags other than "!!str"`,
		}},
		{"a tag of a list", "!!str []", []string{
			`: Invalid value: "!!str []": must not use YAML tags other than "!!str"`,
		}},
		{"an anchor that is a name", "- &a type: Pods", []string{
			`: Invalid value: "- &a type: Pods": must not use YAML anchors, aliases or merges ("&", "*" or "<<" without quotes)`,
		}},
		{"an empty document after the first", "[]\n---\n", []string{
			`: Invalid value: "[] ---": must be a single YAML document`,
		}},
		{"names that are null", "- {~: a, 18446744073709551615: b}", []string{
			`: Invalid value: "- {~: a, 18446744073709551615: b}": name "~" in a mapping must be a string; put it in quotes`,
		}},
		{"nesting", strings.Repeat("[", 17) + strings.Repeat("]", 17), []string{
			`: Invalid value: "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]": is nested too deep; at most 16 levels are allowed`,
		}},
		{"deeper nesting than any parser takes", strings.Repeat("[", 16000), []string{
			`: Invalid value: "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…": cannot be read as one YAML or JSON document: exceeded max depth of 10000`,
		}},
		{"control characters", "- type: \x1b[2J", []string{
			`: Invalid value: "- type: �[2J": must not contain control characters other than line breaks and tabs`,
		}},
		{"a line break that only YAML knows", "# a\u2028- type: Pods", []string{
			`: Invalid value: "# a - type: Pods": must not contain control characters other than line breaks and tabs`,
		}},
		{"a byte order mark", "\ufeff[]", []string{
			`: Invalid value: "�[]": must not contain control characters other than line breaks and tabs`,
		}},
		{"broken UTF-8", "- type: \xff", []string{
			`: Invalid value: "- type: �": must be valid UTF-8`,
		}},
		{"only blanks", " \n\t ", []string{
			`: Invalid value: "": must not be empty; remove the annotation if it is not needed`,
		}},
		{"too long", strings.Repeat("#", 16<<10+1), []string{
			`: Invalid value: "################################################################…": is 16385 bytes long; must be at most 16384`,
		}},
	}
}

// TestRepeatedMetrics: every kind of metric is recognized when it comes a second time, and no other one is taken for it.
func TestRepeatedMetrics(t *testing.T) {
	const target = `"target":{"type":"AverageValue","averageValue":"1"}`
	object := func(version, kind, name, metric string) string {
		return fmt.Sprintf(`{"type":"Object","object":{"describedObject":{"apiVersion":%q,"kind":%q,"name":%q},"metric":{"name":%q},%s}}`, version, kind, name, metric, target)
	}
	container := func(name, container string) string {
		return fmt.Sprintf(`{"type":"ContainerResource","containerResource":{"name":%q,"container":%q,%s}}`, name, container, target)
	}
	of := func(kind, field, name, labels string) string {
		return fmt.Sprintf(`{"type":%q,%q:{"metric":{"name":%q,"selector":{"matchLabels":{%s}}},%s}}`, kind, field, name, labels, target)
	}
	different := []string{
		object("v1", "K", "n", "m"), object("v2", "K", "n", "m"), object("v1", "L", "n", "m"), object("v1", "K", "o", "m"), object("v1", "K", "n", "l"),
		container("cpu", "a"), container("cpu", "b"), container("memory", "a"),
		of("Pods", "pods", "m", ""), of("Pods", "pods", "n", ""), of("Pods", "pods", "m", `"a":"b"`),
		of("External", "external", "m", ""), of("External", "external", "n", ""), of("External", "external", "m", `"a":"b"`),
	}
	_, warnings, errs := parse(map[string]string{Max: "10", Metrics: "[" + strings.Join(different, ",") + "]"})
	if len(warnings)+len(errs) > 0 {
		t.Errorf("different metrics: warnings %v, errors %v", warnings, errs)
	}
	for _, one := range different {
		_, warnings, errs := parse(map[string]string{Max: "10", Metrics: "[" + one + "," + one + "]"})
		if len(warnings) != 1 || len(errs) > 0 {
			t.Errorf("%s twice: warnings %v, errors %v", one, warnings, errs)
		}
	}
	_, warnings, _ = parse(map[string]string{Max: "10", Metrics: "[" + strings.Repeat(different[5]+",", 99) + different[5] + "]"})
	if len(warnings) != maxProblems {
		t.Errorf("%d warnings about one annotation", len(warnings))
	}
}

func TestBadMetrics(t *testing.T) {
	for _, tc := range badMetrics() {
		t.Run(tc.name, func(t *testing.T) { mustRefuse(t, Metrics, tc) })
	}
}

// TestProblemsAreCounted: the twenty-first problem is counted, and so are all that follow.
func TestProblemsAreCounted(t *testing.T) {
	for _, problems := range []int{20, 21, 500} {
		_, _, errs := parse(map[string]string{Max: "x", Metrics: "[" + strings.Repeat(`{"x":1},`, problems-1) + `{"x":1}]`})
		want := fmt.Sprintf("metadata.annotations[mini-hpa/metrics]: Forbidden: has %d more problems", problems-maxProblems)
		if told := strings.Contains(errs.ToAggregate().Error(), want); told != (problems > maxProblems) {
			t.Errorf("%d problems: %v", problems, errs)
		}
	}
}

func mustRefuse(t *testing.T, key string, tc badDocument) {
	t.Helper()
	all := map[string]string{Max: "10", key: tc.value}
	if key != Metrics {
		all[TargetCPU] = "50"
	}
	_, _, errs := parse(all)
	var got []string
	for _, line := range texts(errs) {
		got = append(got, strings.TrimPrefix(line, "metadata.annotations["+key+"]"))
	}
	if diff := cmp.Diff(tc.want, got); diff != "" {
		t.Errorf("%q (-want +got):\n%s", tc.value, diff)
	}
}

// TestFieldsOfV2beta1 are refused with what they are called now.
func TestFieldsOfV2beta1(t *testing.T) {
	for metric, want := range map[string]string{
		"{type: Resource, resource: {name: cpu, targetAverageUtilization: 80}}":                                  `"targetAverageUtilization": is a field of autoscaling/v2beta1; in v2 write target: {type: Utilization, averageUtilization: 80}`,
		"{type: Resource, resource: {name: memory, targetAverageValue: 1Gi}}":                                    `in v2 write target: {type: AverageValue, averageValue: "1Gi"}`,
		"{type: ContainerResource, containerResource: {name: cpu, container: app, targetAverageUtilization: 5}}": `in v2 write target: {type: Utilization, averageUtilization: 5}`,
		"{type: Pods, pods: {metricName: rps, targetAverageValue: 40}}":                                          `"metricName": is a field of autoscaling/v2beta1; in v2 write metric: {name: "rps"}`,
		"{type: Pods, pods: {metric: {name: a}, selector: {}, targetAverageValue: 40}}":                          `"selector": is a field of autoscaling/v2beta1; in v2 write metric: {selector: ...}`,
		"{type: External, external: {metricName: q, metricSelector: {}, targetValue: 3}}":                        `in v2 write target: {type: Value, value: 3}`,
		"{type: External, external: {metricName: q, targetAverageValue: 3}}":                                     `in v2 write target: {type: AverageValue, averageValue: 3}`,
		"{type: Object, object: {target: {kind: Ingress, name: main}, metricName: rps, targetValue: 100}}":       `"kind": autoscaling/v2 names the object in describedObject`,
		"{type: Object, object: {metricName: rps, averageValue: 100}}":                                           `in v2 write target: {type: AverageValue, averageValue: 100}`,
		"{type: Resource, resource: {name: cpu, targetAverageUtilisation: 80}}":                                  `is not a field here; must be one of "name", "target"`,
		"{type: Resource, resource: {name: cpu, targetAverageUtilization: [1]}}":                                 `averageUtilization: <a list>}`,
	} {
		_, _, errs := parse(map[string]string{Max: "10", Metrics: "[" + metric + "]"})
		var text []string
		for _, e := range errs {
			text = append(text, e.Error())
		}
		if !strings.Contains(strings.Join(text, "\n"), want) {
			t.Errorf("%s: %q lacks %s", metric, text, want)
		}
	}
}
