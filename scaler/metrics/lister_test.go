package metrics

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// serve answers every request of a test and counts them.
func serve(t *testing.T, answer http.HandlerFunc) (url string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		answer(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL, requests
}

func TestListerReadsProtobufAndJSON(t *testing.T) {
	stories := map[string]struct{ mediaType, namespace, path string }{
		"protobuf, all namespaces": {protobufType, "", "/apis/metrics.k8s.io/v1beta1/pods"},
		"JSON, all namespaces":     {jsonType, "", "/apis/metrics.k8s.io/v1beta1/pods"},
		"protobuf, one namespace":  {protobufType, "shop", "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"},
		"JSON, one namespace":      {jsonType, "shop", "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			sent := []metricsv1beta1.PodMetrics{pod("shop", "a", epoch, "app", "proxy"), pod("shop", "b", epoch.Add(time.Second), "app")}
			var path, query, accept string
			url, requests := serve(t, func(w http.ResponseWriter, r *http.Request) {
				path, query, accept = r.URL.Path, r.URL.RawQuery, r.Header.Get("Accept")
				w.Header().Set("Content-Type", story.mediaType)
				w.Write(encode(t, story.mediaType, sent))
			})
			l, err := NewLister(&rest.Config{Host: url}, story.namespace)
			if err != nil {
				t.Fatal(err)
			}
			got, err := l.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(samplesOf(sent), got.Samples); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
			want := []any{story.path, "", "application/vnd.kubernetes.protobuf,application/json", int32(1)}
			if diff := gocmp.Diff(want, []any{path, query, accept, requests.Load()}); diff != "" {
				t.Errorf("path, query, accepted, requests (-want +got):\n%s", diff)
			}
		})
	}
}

// TestListerAsksOnce: the schedule decides about retries, whatever the server proposes.
func TestListerAsksOnce(t *testing.T) {
	for _, code := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInternalServerError} {
		url, requests := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(code)
		})
		l, err := NewLister(&rest.Config{Host: url}, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.List(t.Context()); err == nil || requests.Load() != 1 {
			t.Errorf("%d: %d requests, error %v", code, requests.Load(), err)
		}
	}
}

// TestListerExpectsAsManyAgain: the next list is read into memory of its size.
func TestListerExpectsAsManyAgain(t *testing.T) {
	var items []metricsv1beta1.PodMetrics
	for i := range 7 {
		items = append(items, pod("shop", fmt.Sprint(i), epoch, "app"))
	}
	body := encode(t, protobufType, items)
	url, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", protobufType)
		w.Write(body)
	})
	l, err := NewLister(&rest.Config{Host: url}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{8, 7} {
		if got, err := l.List(t.Context()); err != nil || len(got.Samples) != 7 || cap(got.Samples) != want {
			t.Errorf("%d samples in the memory of %d, want 7 in that of %d; error %v", len(got.Samples), cap(got.Samples), want, err)
		}
	}
}

// TestListerThroughFeed is what a user reads when a real client gets a real answer.
func TestListerThroughFeed(t *testing.T) {
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", jsonType)
			w.WriteHeader(code)
			w.Write([]byte(body))
		}
	}
	stories := map[string]struct {
		answer http.HandlerFunc
		want   string
		is     func(error) bool
	}{
		"the API group does not exist": {
			status(404, "404 page not found\n"), "is not served: install metrics-server", apierrors.IsNotFound,
		},
		"its server is not there": {
			status(503, "service unavailable\n"), "is not served: install metrics-server, or see why APIService", apierrors.IsServiceUnavailable,
		},
		"no permission": {
			status(403, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"pods.metrics.k8s.io is forbidden"}`),
			`grant verb "list" on resource "pods" of API group "metrics.k8s.io"`, apierrors.IsForbidden,
		},
		"it hangs": {
			func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			"did not answer within 50ms", func(err error) bool { return strings.Contains(err.Error(), "50ms") },
		},
		"it hangs in the middle of the answer": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", jsonType)
				w.Write([]byte(`{"kind":"PodMetricsList",`))
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			},
			"did not answer within 50ms", func(error) bool { return true },
		},
		"it never ends, and is small on the wire": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", jsonType)
				w.Header().Set("Content-Encoding", "gzip")
				zip := gzip.NewWriter(w)
				defer zip.Close()
				io.Copy(zip, &endless{text: bytes.Repeat([]byte(" "), 1<<20), left: 512 << 20})
			},
			"is not read: an item has more than 4 MiB", func(error) bool { return true },
		},
		"it refuses without end": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", jsonType)
				w.WriteHeader(http.StatusInternalServerError)
				io.Copy(w, &endless{text: bytes.Repeat([]byte(" "), 1<<20), left: 512 << 20})
			},
			"is not read: it is longer than 1 MiB; if so many pods are right", func(error) bool { return true },
		},
		"it talks nonsense": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", jsonType)
				w.Write([]byte("<html>"))
			},
			"cannot list pod metrics: ", func(error) bool { return true },
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			url, _ := serve(t, story.answer)
			l, err := NewLister(&rest.Config{Host: url}, "")
			if err != nil {
				t.Fatal(err)
			}
			timeout := time.Minute
			if strings.Contains(story.want, "50ms") {
				timeout = 50 * time.Millisecond
			}
			err = NewFeed(Config{Lister: l, Timeout: timeout}).Refresh(context.Background())
			if err == nil || !strings.Contains(err.Error(), story.want) || !story.is(err) {
				t.Errorf("error %v, want %q in it", err, story.want)
			}
		})
	}
}

func TestNewListerLeavesTheConfigAlone(t *testing.T) {
	limiter := flowcontrol.NewFakeNeverRateLimiter()
	config := &rest.Config{Host: "http://127.0.0.1:1", QPS: 50, Timeout: time.Hour, RateLimiter: limiter}
	if _, err := NewLister(config, ""); err != nil {
		t.Fatal(err)
	}
	if config.AcceptContentTypes != "" || config.QPS != 50 || config.Timeout != time.Hour || config.RateLimiter != limiter {
		t.Errorf("changed to %+v", config)
	}
}

func TestNewListerRefuses(t *testing.T) {
	for name, config := range map[string]*rest.Config{
		"no config": nil,
		"no host":   {Host: "http://[::1"},
		"bad TLS":   {Host: "https://127.0.0.1:1", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("no certificate")}},
	} {
		if l, err := NewLister(config, ""); err == nil {
			t.Errorf("%s: got %v", name, l)
		} else if !strings.HasPrefix(err.Error(), "make a client of the resource metrics API: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
