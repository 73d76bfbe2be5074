package sources

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// mostValue is the largest number that can be said in thousandths, as a resource.Quantity has them.
const mostValue = math.MaxInt64 / 1000

// counted is the answer to a question about one number. What is not a number, or below 0, is a Fault.
func counted(value float64) (metrics.Answer, error) {
	switch {
	case math.IsNaN(value):
		return metrics.Answer{}, unanswered("has no number for it (NaN)", fmt.Errorf("the value is %v", value))
	case math.IsInf(value, 0) || value > mostValue:
		return metrics.Answer{}, unanswered("has no finite number for it", fmt.Errorf("the value is %v", value))
	case value < 0:
		return metrics.Answer{}, unanswered("has a negative number for it", fmt.Errorf("the value is %v", value))
	}
	// What is above 0 stays above 0: it says that there is something to do.
	return answerOf(*resource.NewMilliQuantity(int64(math.Ceil(value*1000)), resource.DecimalSI)), nil
}

// answerOf is an Answer of one value.
func answerOf(value resource.Quantity) metrics.Answer {
	return metrics.Answer{External: []externalmetricsv1beta1.ExternalMetricValue{{Value: value}}}
}

// readNumber reads a number in decimal notation.
func readNumber(text string) (float64, error) {
	if strings.Trim(text, "0123456789+-.eE") != "" { // no hexadecimal, no underscores; NaN and Inf are the caller's
		return 0, fmt.Errorf("%q is no number", text)
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return value, nil
}

// queryOf is the query of an entry that a question is about, by the name of its metric; nil where the entry has none of that name.
func queryOf(e *catalog.Entry, q metrics.Question) *catalog.Query {
	for i := range e.Queries {
		if e.Queries[i].Name == q.Metric {
			return &e.Queries[i]
		}
	}
	return nil
}

// valueIn is what stands for a variable of a template.
func valueIn(p catalog.Parameters, variable string) (string, error) {
	value, ok := p.Get(variable)
	if !ok {
		value, ok = p.Get("$" + variable)
	}
	if !ok {
		return "", unanswered("was asked without a value that it needs", fmt.Errorf("no value of %q", variable))
	}
	return value, nil
}
