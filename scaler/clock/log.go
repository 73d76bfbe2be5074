package clock

import (
	"time"

	"k8s.io/apimachinery/pkg/labels"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// Window is what a custom or external value covers if it does not say (HPA: metricServerDefaultMetricWindow).
const Window = time.Minute

// How long the newest timestamp of a pod, and of a value, outlives earlier ones being received instead: see Stamp.Next. A stuck replica
// of an adapter may answer many times in a row.
const podPatience, valuePatience = 2 * time.Minute, 5 * time.Minute

// Log has the stamps of all that was received together, by what they are of, and those of pods that had a sample not long before. It is
// a value: what is received next makes the next Log. The nil Log is that of nothing.
type Log map[string]Stamp

// Pods takes samples of pods of one namespace and says when each was taken.
func (l Log) Pods(samples []*sample.Pod, received time.Time) (Log, []time.Time) {
	next, taken := make(Log, len(samples)), make([]time.Time, len(samples))
	for i, s := range samples {
		before, _ := l.before(next, s.Name)
		stamp := before.Next(s.Time, received, Believable(s.Window), podPatience)
		next[s.Name], taken[i] = stamp, stamp.Taken
	}
	for name, stamp := range l {
		if _, again := next[name]; !again && stamp.Remembered(received) {
			next[name] = stamp
		}
	}
	return next, taken
}

// Custom takes the values of one custom metric and says when each was taken.
func (l Log) Custom(values []custommetricsv1beta2.MetricValue, received time.Time) (Log, []time.Time) {
	next, taken := make(Log, len(values)), make([]time.Time, len(values))
	for i := range values {
		v := &values[i]
		key := v.DescribedObject.Kind + "/" + v.DescribedObject.Name
		stamp := l.adapted(next, key, v.Timestamp.Time, v.WindowSeconds, received)
		next[key], taken[i] = stamp, stamp.Taken
	}
	return next, taken
}

// External takes the values of one external metric and says when each was taken.
func (l Log) External(values []externalmetricsv1beta1.ExternalMetricValue, received time.Time) (Log, []time.Time) {
	next, taken := make(Log, len(values)), make([]time.Time, len(values))
	for i := range values {
		v := &values[i]
		key := labels.Set(v.MetricLabels).String()
		stamp := l.adapted(next, key, v.Timestamp.Time, v.WindowSeconds, received)
		next[key], taken[i] = stamp, stamp.Taken
	}
	return next, taken
}

// before is the stamp of what was received before: in the same answer, if that holds several of that key.
func (l Log) before(next Log, key string) (Stamp, bool) {
	if stamp, known := next[key]; known {
		return stamp, true
	}
	stamp, known := l[key]
	return stamp, known
}

// adapted is the stamp of a value that its adapter stamps, which may go on serving one that is long past. It may believably be as
// old as what it covers.
func (l Log) adapted(next Log, key string, timestamp time.Time, windowSeconds *int64, received time.Time) Stamp {
	before, known := l.before(next, key)
	if !known {
		return doubted(timestamp, received)
	}
	believable := Window
	if windowSeconds != nil {
		window := time.Duration(*windowSeconds) * time.Second
		believable = max(window, Believable(window))
	}
	return before.Next(timestamp, received, believable, valuePatience)
}
