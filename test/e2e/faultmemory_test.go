package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/test/rig"
)

// The memory that the chart gives a controller, in MiB, and the part of it that it tells the Go runtime.
const (
	memoryLimit = 256
	softLimit   = "GOMEMLIMIT=214748364"
)

// TestFaultMemory: whatever the metrics API answers, and while all objects are listed because of their watches, a controller takes no
// more memory than the chart gives it.
func TestFaultMemory(t *testing.T) {
	t.Parallel()
	pods, lasts := int32(500), 20*time.Second
	if *long {
		pods, lasts = 5000, time.Minute
	}
	plain, err := stormProgram()
	if err != nil {
		t.Fatal(err)
	}
	w := isolated(t, samplePeriod)
	ns := w.namespace(t)
	for i := range 10 {
		w.deploy(t, ns, fmt.Sprint("web-", i), pods/10, int64(pods/10)*480, map[string]string{"target-cpu": "50", "max": "1000"})
	}
	proxy, through := w.proxied(t, ns)
	c := newController(t)
	c.program, c.env = plain, []string{softLimit}
	c.lead(w, append(through, "--leader-elect-resource-namespace", ns)...)
	w.awaitLeader(t, ns)
	w.samples(t, 5)
	now, most := memoryOf(t, c.cmd.Process.Pid)
	t.Logf("%d pods: %.0f MiB, %.0f at most since the start", pods, now, most)

	list := func(r rig.Request) bool { return r.Verb == "list" && r.Group == metricsv1beta1.GroupName }
	asJSON, asProtobuf := manySamples()
	var began time.Time // the last trial
	for _, trial := range []struct {
		name  string
		match rig.Match
		fault rig.Fault
		lasts time.Duration
	}{
		{"a list of samples that is too long", list, rig.Fault{Respond: answering("application/json", "", asJSON)}, lasts},
		{"the same, compressed", list, rig.Fault{Respond: answering("application/json", "gzip", zipped(asJSON))}, lasts},
		{"the same, as protobuf", list, rig.Fault{Respond: answering("application/vnd.kubernetes.protobuf", "", asProtobuf)}, lasts},
		{"one sample of 512 MiB, compressed", list, rig.Fault{Respond: answering("application/json", "gzip", bomb())}, lasts},
		{"watches that tell nothing", rig.On("watch", ""), rig.Fault{Silence: true}, lasts + time.Minute},
	} {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", c.cmd.Process.Pid), []byte("5"), 0); err != nil { // the peak begins anew
			t.Fatal(err)
		}
		asked := len(proxy.Seen(trial.match))
		began = time.Now()
		lift := proxy.Break(trial.match, trial.fault)
		<-time.After(trial.lasts)
		c.running()
		now, most := memoryOf(t, c.cmd.Process.Pid)
		lift()
		asked = len(proxy.Seen(trial.match)) - asked
		t.Logf("%s, for %s and %d requests: %.0f MiB at most, %.0f in the end", trial.name, trial.lasts, asked, most, now)
		if most > memoryLimit || asked == 0 {
			t.Errorf("%s: %d requests, and %.0f MiB, want %d MiB at most", trial.name, asked, most, memoryLimit)
		}
		w.samples(t, 5)
	}
	listed := map[string]bool{}
	for _, r := range proxy.Seen(func(r rig.Request) bool {
		return r.Verb == "list" && r.Group != metricsv1beta1.GroupName && r.At.After(began)
	}) {
		listed[r.Resource] = true
	}
	if len(listed) < 5 {
		t.Errorf("%v were listed because of their watches, want all five kinds", slices.Sorted(maps.Keys(listed)))
	}
}

// answering gives the answer of a metrics API.
func answering(contentType, encoding string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		if encoding != "" {
			w.Header().Set("Content-Encoding", encoding)
		}
		_, _ = w.Write(body) // who has enough does not read on
	}
}

// manySamples is a list of small samples, each of another pod, that is longer than any that is read: 128 MiB of JSON, or of protobuf.
func manySamples() (asJSON, asProtobuf []byte) {
	const size = 128 << 20
	text := bytes.NewBufferString(`{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","metadata":{},"items":[`)
	at := time.Now().UTC().Format(time.RFC3339)
	for n := 0; text.Len() < size; n++ {
		fmt.Fprintf(text, `{"metadata":{"name":"p%d","namespace":"a"},"timestamp":%q,"window":"15s","containers":[{"name":"c","usage":{"cpu":"1m"}}]},`, n, at)
	}
	var items []byte
	for n := 0; len(items) < size; n++ {
		sample := metricsv1beta1.PodMetrics{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("p", n), Namespace: "a"}, Timestamp: metav1.Now(), Window: metav1.Duration{Duration: 15 * time.Second},
			Containers: []metricsv1beta1.ContainerMetrics{{Name: "c", Usage: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m")}}}}
		item, err := sample.Marshal()
		if err != nil {
			panic(err) // never: it is marshaled into memory
		}
		items = field(items, 2, item)
	}
	// A runtime.Unknown around the list, behind the prefix of Kubernetes: the type, then the raw object.
	kind := field(field(nil, 1, []byte("metrics.k8s.io/v1beta1")), 2, []byte("PodMetricsList"))
	return text.Bytes(), field(field([]byte("k8s\x00"), 1, kind), 2, items)
}

// field appends a field of protobuf that has a length.
func field(to []byte, number uint64, value []byte) []byte {
	return append(binary.AppendUvarint(binary.AppendUvarint(to, number<<3|2), uint64(len(value))), value...)
}

func zipped(parts ...[]byte) []byte {
	var to bytes.Buffer
	zip, err := gzip.NewWriterLevel(&to, gzip.BestSpeed)
	if err != nil {
		panic(err) // never: there is such a level
	}
	for _, part := range parts {
		_, _ = zip.Write(part) // into memory
	}
	_ = zip.Close()
	return to.Bytes()
}

// bomb is a list of one sample, whose name has 512 MiB.
func bomb() []byte {
	parts := [][]byte{[]byte(`{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","metadata":{},"items":[{"metadata":{"name":"`)}
	name := bytes.Repeat([]byte("x"), 1<<20)
	for range 512 {
		parts = append(parts, name)
	}
	return zipped(parts...)
}
