package metrics

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	client "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
)

const fleet = 10_000

// fleetList is a LIST of 10,000 pods with two containers each, as metrics-server labels them.
func fleetList(at time.Time) []metricsv1beta1.PodMetrics {
	items := make([]metricsv1beta1.PodMetrics, fleet)
	for i := range items {
		items[i] = pod(fmt.Sprintf("team-%d", i%50), fmt.Sprintf("app-%d-7c5ddbdf54-%05d", i/10, i), at, "app", "proxy")
		items[i].Labels = map[string]string{"app": fmt.Sprint(i / 10), "pod-template-hash": "7c5ddbdf54"}
	}
	return items
}

// BenchmarkIngest is what a LIST costs after it was decoded.
func BenchmarkIngest(b *testing.B) {
	for name, step := range map[string]time.Duration{"all new": 15 * time.Second, "nothing new": 0} {
		b.Run(name, func(b *testing.B) {
			f, at := NewFeed(Config{}), epoch
			for b.Loop() {
				b.StopTimer()
				at = at.Add(step)
				items := fleetList(at)
				b.StartTimer()
				f.take(samplesOf(items), listed(at))
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	f := NewFeed(Config{})
	items := fleetList(epoch)
	f.take(samplesOf(items), listed(epoch))
	b.ReportAllocs()
	for i := 0; b.Loop(); i = (i + 1) % fleet {
		if newest(f, items[i].Namespace, items[i].Name) == nil {
			b.Fatal("lost")
		}
	}
}

// BenchmarkList is a whole round: a request through the real client, decoding and ingest of 10,000 pods.
func BenchmarkList(b *testing.B) {
	for _, mediaType := range []string{protobufType, jsonType} {
		b.Run(mediaType, func(b *testing.B) {
			body := encode(b, mediaType, fleetList(epoch))
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", mediaType)
				w.Write(body)
			}))
			defer server.Close()
			// Not NewLister, which has a rate limit.
			config := &rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{AcceptContentTypes: acceptedContent}}
			c, err := client.NewForConfig(config)
			if err != nil {
				b.Fatal(err)
			}
			f := NewFeed(Config{Lister: &podLister{client: c.RESTClient()}, Timeout: time.Minute})
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := f.Refresh(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMemory is what stays of 10,000 pods, all kept and one in twenty kept.
func BenchmarkMemory(b *testing.B) {
	for name, keep := range map[string]func(string, string) bool{
		"all kept":          nil,
		"one in 20 is kept": func(_, name string) bool { return name[len(name)-1] == '7' && name[len(name)-2]%2 == 0 },
	} {
		b.Run(name, func(b *testing.B) {
			var before, after runtime.MemStats
			for b.Loop() {
				f := NewFeed(Config{Keep: keep})
				runtime.GC()
				runtime.ReadMemStats(&before)
				f.take(samplesOf(fleetList(epoch)), listed(epoch))
				runtime.GC()
				runtime.ReadMemStats(&after)
				runtime.KeepAlive(f)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/fleet, "bytes/pod")
		})
	}
}
