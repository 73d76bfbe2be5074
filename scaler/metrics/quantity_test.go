package metrics

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// oddQuantities are what a publisher may say, in JSON, and what is made of it; "" if it is not read.
var oddQuantities = map[string]string{
	`"1e-999999999"`: "1n", `"-1e-999999999"`: "-1n", `"1E-99999"`: "1n", `"1e-18"`: "1n", `1e-18`: "1n", `1e-999999999`: "1n",
	`"1e999999999"`: "1e30", `"-1E+999999999"`: "-1e30", `"1E+400"`: "1e30", `1e400`: "1e30", `"0e999999999"`: "0",
	`"` + strings.Repeat("9", 10_000) + `"`: "", strings.Repeat("9", 10_000): "", `"0.` + strings.Repeat("0", 10_000) + `1"`: "",
	`"NaN"`: "", `"Inf"`: "", `"0x10"`: "", `""`: "", `"one"`: "", `true`: "", `{}`: "", `[1]`: "", `"1e99999999999999999999"`: "",
	`null`: "0", `5`: "5", `"1.5Gi"`: "1.5Gi", `"-5"`: "-5",
}

// inNoTime fails if reading a quantity does not end.
func inNoTime(t *testing.T, what string, read func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		read()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("%.40s takes more than a minute", what)
	}
}

func sameQuantity(got resource.Quantity, want string) bool {
	return want != "" && got.Cmp(resource.MustParse(want)) == 0
}

// TestNoQuantityTakesTime: one that would take hours to parse, or that nobody can, costs no other pod its sample.
func TestNoQuantityTakesTime(t *testing.T) {
	inJSON := func(cpu string) []byte {
		item := `{"metadata":{"name":%q,"namespace":"shop"},"timestamp":"2026-01-01T00:00:00Z","window":"15s","containers":[{"name":"app","usage":{"cpu":%s}}]}`
		return []byte(`{"kind":"PodMetricsList","items":[` + fmt.Sprintf(item, "a", cpu) + "," + fmt.Sprintf(item, "b", `"1"`) + `]}`)
	}
	within := func(field int, text []byte) []byte { return message(field<<3|wireBytes, len(text), string(text)) }
	inProtobuf := func(cpu string) []byte {
		pod := func(name, cpu string) []byte {
			usage := append(within(1, []byte("cpu")), within(2, within(1, []byte(cpu)))...)
			meta := append(within(1, []byte(name)), within(3, []byte("shop"))...)
			return within(itemsField, append(within(1, meta), within(4, append(within(1, []byte("app")), within(2, usage)...))...))
		}
		return append([]byte(magic), append(within(typeField, within(2, []byte("PodMetricsList"))), within(rawField, append(pod("a", cpu), pod("b", "1")...))...)...)
	}
	check := func(name, said, want string, body []byte) {
		inNoTime(t, said, func() {
			got, err := readList(bytes.NewReader(body), 0)
			read := len(got.Samples) == 2 && sameQuantity(got.Samples[0].Containers[0].Usage[0].Quantity, want)
			told := len(got.Samples) == 1 && got.Unreadable == 1 && got.Samples[0].Name == "b" && strings.HasPrefix(got.Why.Error(), "pod shop/a: ")
			if err != nil || want != "" && !read || want == "" && !told {
				t.Errorf("%s, %.40s: %d samples, %d unreadable (%.200v), error %v; want %q", name, said, len(got.Samples), got.Unreadable, got.Why, err, want)
			}
		})
	}
	for said, want := range oddQuantities {
		check("JSON", said, want, inJSON(said))
		var text string
		if json.Unmarshal([]byte(said), &text) == nil && said != "null" {
			check("protobuf", said, want, inProtobuf(text))
		}
	}
}

// TestNoQuantityOfAnAdapterTakesTime, and of the values of pods each is for itself, while a sum of values is of all of them.
func TestNoQuantityOfAnAdapterTakesTime(t *testing.T) {
	for name, q := range map[string]Question{
		"Pods":     {Source: "custom", Type: autoscalingv2.PodsMetricSourceType},
		"Object":   {Source: "custom", Type: autoscalingv2.ObjectMetricSourceType, Object: autoscalingv2.CrossVersionObjectReference{Kind: "Namespace", APIVersion: "v1"}},
		"External": {Source: "external", Type: autoscalingv2.ExternalMetricSourceType},
	} {
		q.Namespace, q.Metric = "shop", "hits"
		for _, version := range []string{"v1beta1", "v1beta2"} {
			a := newAdapter()
			a.set("/apis/custom.metrics.k8s.io", fmt.Sprintf(customGroup, version))
			r := readersOf(t, a)
			for said, want := range oddQuantities {
				if said == "null" {
					want = "" // an adapter that says nothing has not said that there is nothing to do
				}
				item := `{"describedObject":{"kind":"Pod","name":"%s"},"value":%s}`
				all := []string{fmt.Sprintf(item, "a", said), fmt.Sprintf(item, "b", `"1"`)}
				if name == "Object" {
					all = all[:1]
				}
				items := strings.Join(all, ",") + "]}"
				a.set(strings.Replace(customV1, "v1beta1", version, 1)+"pods/*/hits", `{"kind":"MetricValueList","apiVersion":"custom.metrics.k8s.io/`+version+`","items":[`+items)
				a.set(strings.Replace(customV1, "v1beta1", version, 1)+"metrics/hits", `{"kind":"MetricValueList","apiVersion":"custom.metrics.k8s.io/`+version+`","items":[`+items)
				a.set(externalV1+"hits", `{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","items":[`+items)
				inNoTime(t, said, func() {
					got, err := r.Fetch(t.Context(), q)
					var values []resource.Quantity
					for _, v := range got.Custom {
						values = append(values, v.Value)
					}
					for _, v := range got.External {
						values = append(values, v.Value)
					}
					read := len(values) == len(all) && sameQuantity(values[0], want)
					alone := name == "Pods" && err == nil && len(got.Custom) == 1 && got.Custom[0].DescribedObject.Name == "b"
					refused := name != "Pods" && err != nil && strings.Contains(err.Error(), "value 1 of")
					if want != "" && !read || want == "" && !alone && !refused {
						t.Errorf("%s of %s, %.40s: values %v, error %v; want %q", name, version, said, values, err, want)
					}
				})
			}
		}
	}
}

// TestAValueThatIsMissingIsNotZero: a workload would be put to sleep.
func TestAValueThatIsMissingIsNotZero(t *testing.T) {
	for _, item := range []string{`{}`, `{"metricName":"backlog"}`, `{"value":null}`} {
		a := newAdapter()
		a.set(externalV1+"backlog", `{"items":[`+item+`]}`)
		a.set(customV2+"metrics/backlog", `{"items":[`+item+`]}`)
		r := readersOf(t, a)
		for _, q := range []Question{
			{Source: "external", Type: autoscalingv2.ExternalMetricSourceType},
			{Source: "custom", Type: autoscalingv2.ObjectMetricSourceType, Object: autoscalingv2.CrossVersionObjectReference{Kind: "Namespace", APIVersion: "v1"}},
		} {
			q.Namespace, q.Metric = "shop", "backlog"
			if answer, err := r.Fetch(t.Context(), q); err == nil || !strings.Contains(err.Error(), "value 1 of 1 cannot be read: it has no value") {
				t.Errorf("%s, %s: %v, error %v", q.Type, item, answer, err)
			}
		}
	}
}

// TestNoValueThatCanBeReadIsAnError: it is told why.
func TestNoValueThatCanBeReadIsAnError(t *testing.T) {
	a := newAdapter()
	a.set(customV2+"pods/*/hits", values("v1beta2", "web-a", "seven"))
	q := Question{Source: "custom", Type: autoscalingv2.PodsMetricSourceType, Namespace: "shop", Metric: "hits"}
	if _, err := readersOf(t, a).Fetch(t.Context(), q); err == nil || !strings.Contains(err.Error(), `value 1 of 1 cannot be read: quantity \"seven\"`) {
		t.Errorf("error %v", err)
	}
}

// TestBothVersionsSayTheSame, each in fields of its own.
func TestBothVersionsSayTheSame(t *testing.T) {
	q := Question{Source: "custom", Type: autoscalingv2.PodsMetricSourceType, Namespace: "shop", Metric: "hits"}
	var answers []Answer
	for version, item := range map[string]string{
		"v1beta1": `"metricName":"hits","window":30,"selector":{"matchLabels":{"a":"b"}}`,
		"v1beta2": `"metric":{"name":"hits","selector":{"matchLabels":{"a":"b"}}},"windowSeconds":30`,
	} {
		a := newAdapter()
		a.set("/apis/custom.metrics.k8s.io", fmt.Sprintf(customGroup, version))
		a.set(strings.Replace(customV1, "v1beta1", version, 1)+"pods/*/hits",
			`{"kind":"MetricValueList","items":[{"describedObject":{"kind":"Pod","name":"a"},"timestamp":"2026-03-01T12:00:00Z","value":"7",`+item+`}]}`)
		answer, err := readersOf(t, a).Fetch(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		answer.Asked, answer.Taken = time.Time{}, nil // both are of the moment of asking
		answers = append(answers, answer)
	}
	v := answers[0].Custom[0]
	if diff := gocmp.Diff(answers[0], answers[1]); diff != "" || v.Metric.Name != "hits" || v.Metric.Selector == nil || v.WindowSeconds == nil || *v.WindowSeconds != 30 {
		t.Errorf("(-one +other):\n%s", diff)
	}
}
