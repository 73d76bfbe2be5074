package metrics

import (
	"fmt"

	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// Listing is what a LIST has brought.
type Listing struct {
	Samples []sample.Pod
	// Unreadable is how many more there were that could not be read, Why the reason for the first of them; nil if there were none.
	Unreadable int
	Why        error
}

// keepable is what the samples of a LIST may take in memory: a third more than those of 150,000 pods of two containers do, which is the
// largest cluster that Kubernetes supports.
const keepable = 128 << 20

// listing is a LIST that is being read.
type listing struct {
	Listing
	known names
	// spent is what the samples take in memory, about, keepable what they may.
	spent, keepable int
}

// add takes over an item, or what is wrong with it.
func (l *listing) add(item *metricsv1beta1.PodMetrics, err error) error {
	if err != nil {
		if l.Unreadable++; l.Why == nil {
			l.Why = fmt.Errorf("pod %s/%s: %s", item.Namespace, item.Name, quote(err.Error()))
		}
		return nil
	}
	s := sampleOf(item, l.known)
	if l.spent += sizeOf(&s); l.spent > l.keepable {
		return &excess{fmt.Sprintf("its samples, %d of which were read, take more than the %s of memory that are kept for them", len(l.Samples), sizeText(int64(l.keepable)))}
	}
	l.Samples = append(l.Samples, s)
	return nil
}

func checkKind(got string) error {
	if got != "PodMetricsList" {
		return fmt.Errorf("the answer is of kind %s instead of PodMetricsList", quote(got))
	}
	return nil
}
