package metrics

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"k8s.io/metrics/pkg/client/clientset/versioned/scheme"

	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

const (
	protobufType = "application/vnd.kubernetes.protobuf"
	jsonType     = "application/json"
)

// epoch is the publisher's time at which scripts begin.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// listerFunc is a scripted Lister.
type listerFunc func(ctx context.Context) ([]metricsv1beta1.PodMetrics, error)

func (f listerFunc) List(ctx context.Context) (Listing, error) {
	items, err := f(ctx)
	return Listing{Samples: samplesOf(items)}, err
}

// fakeSource is a Source of one of the metrics APIs.
type fakeSource struct {
	name string
	ask  func(context.Context, Question) (Answer, error)
}

func (s fakeSource) Ask(ctx context.Context, q Question) (Answer, error) { return s.ask(ctx, q) }

func (s fakeSource) String() string { return s.name + " metrics API" }

func (s fakeSource) Close() {}

// both APIs answer alike.
func both(ask func(context.Context, Question) (Answer, error)) map[string]Source {
	return map[string]Source{"custom": fakeSource{"custom", ask}, "external": fakeSource{"external", ask}}
}

// samplesOf are those of the items of a LIST.
func samplesOf(items []metricsv1beta1.PodMetrics) (all []sample.Pod) {
	known := names{}
	for i := range items {
		all = append(all, sampleOf(&items[i], known))
	}
	return all
}

// newest is what a feed has of a pod.
func newest(f *Feed, namespace, name string) *sample.Pod {
	s, _ := f.Sample(namespace, name)
	return s
}

// listed is a LIST that took no time.
func listed(at time.Time) observation { return observation{sent: at, done: at} }

// pod is one item of a LIST.
func pod(namespace, name string, at time.Time, containers ...string) metricsv1beta1.PodMetrics {
	p := metricsv1beta1.PodMetrics{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.Now()},
		Timestamp:  metav1.NewTime(at),
		Window:     metav1.Duration{Duration: 15 * time.Second},
	}
	for _, c := range containers {
		p.Containers = append(p.Containers, metricsv1beta1.ContainerMetrics{Name: c, Usage: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("123456789n"),
			corev1.ResourceMemory: resource.MustParse("52428Ki"),
		}})
	}
	return p
}

// encode is the body of an answer.
func encode(t testing.TB, mediaType string, items []metricsv1beta1.PodMetrics) []byte {
	t.Helper()
	info, ok := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), mediaType)
	if !ok {
		t.Fatalf("no serializer of %s", mediaType)
	}
	encoder := scheme.Codecs.EncoderForVersion(info.Serializer, metricsv1beta1.SchemeGroupVersion)
	body, err := runtime.Encode(encoder, &metricsv1beta1.PodMetricsList{Items: items})
	if err != nil {
		t.Fatal(err)
	}
	return body
}
