package metrics

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations/amount"
)

// customItem is a value of the custom metrics API, of v1beta2 or v1beta1, whose quantity, which hides the embedded one, is bounded.
type customItem struct {
	custommetricsv1beta2.MetricValue
	Value *amount.JSON `json:"value"`
	// These are fields of v1beta1.
	MetricName string                `json:"metricName"`
	Window     *int64                `json:"window"`
	Selector   *metav1.LabelSelector `json:"selector"`
}

func (c customItem) whole() (custommetricsv1beta2.MetricValue, error) {
	v := c.MetricValue
	if c.Value == nil {
		return v, errNoValue
	}
	v.TypeMeta, v.Value = metav1.TypeMeta{}, c.Value.Quantity
	v.Metric.Name = cmp.Or(v.Metric.Name, c.MetricName)
	v.Metric.Selector = cmp.Or(v.Metric.Selector, c.Selector)
	v.WindowSeconds = cmp.Or(v.WindowSeconds, c.Window)
	return v, nil
}

// externalItem is a value of the external metrics API whose quantity, which hides the embedded one, is bounded.
type externalItem struct {
	externalmetricsv1beta1.ExternalMetricValue
	Value *amount.JSON `json:"value"`
}

func (e externalItem) whole() (externalmetricsv1beta1.ExternalMetricValue, error) {
	v := e.ExternalMetricValue
	if e.Value == nil {
		return v, errNoValue
	}
	v.TypeMeta, v.Value = metav1.TypeMeta{}, e.Value.Quantity
	return v, nil
}

// errNoValue is told of a value that is null or missing. The HPA controller reads it as 0, which here may put a workload to sleep.
var errNoValue = errors.New("it has no value")

// readValues reads the items of a list in JSON that can be read. unreadable is why the first of the others cannot; nil if all can.
func readValues[In interface{ whole() (Out, error) }, Out any](text []byte, kind string) (values []Out, unreadable, err error) {
	var list struct {
		Kind  string            `json:"kind"`
		Items []json.RawMessage `json:"items"`
	}
	if err := utiljson.Unmarshal(text, &list); err != nil {
		return nil, nil, err
	}
	if list.Kind != "" && list.Kind != kind {
		return nil, nil, fmt.Errorf("the answer is of kind %s instead of %s", quote(list.Kind), kind)
	}
	values = make([]Out, 0, len(list.Items))
	for i, item := range list.Items {
		var in In
		var value Out
		err := utiljson.Unmarshal(item, &in)
		if err == nil {
			value, err = in.whole()
		}
		if err != nil {
			unreadable = cmp.Or(unreadable, fmt.Errorf("value %d of %d cannot be read: %w", i+1, len(list.Items), err))
			continue
		}
		values = append(values, value)
	}
	return values, unreadable, nil
}
