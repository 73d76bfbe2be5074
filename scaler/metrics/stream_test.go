package metrics

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"k8s.io/metrics/pkg/client/clientset/versioned/scheme"

	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// oddItems are PodMetrics as they come, and as no publisher that is known makes them.
func oddItems() []metricsv1beta1.PodMetrics {
	plain, labelled, bare, empty := pod("shop", "plain", epoch, "app", "proxy"), pod("shop", "labelled", epoch, "app"), pod("", "", time.Time{}), pod("shop", "empty", epoch, "app")
	labelled.Labels = map[string]string{"app": strings.Repeat("long", 50_000)}
	empty.Containers[0].Usage = corev1.ResourceList{}
	twice := pod("shop", "twice", epoch, "app", "app")
	amounts := pod("shop", "amounts", epoch, "app")
	amounts.Containers[0].Usage = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("100"), corev1.ResourceMemory: resource.MustParse("12345678901234567890123"),
		"nvidia.com/gpu": resource.MustParse("0"), corev1.ResourceEphemeralStorage: resource.MustParse("1.5Gi"),
	}
	return []metricsv1beta1.PodMetrics{plain, labelled, bare, empty, twice, amounts}
}

// TestReadListIsWhatWasSent, however it comes off the wire.
func TestReadListIsWhatWasSent(t *testing.T) {
	sent := oddItems()
	for _, mediaType := range []string{protobufType, jsonType} {
		for name, slow := range map[string]func(io.Reader) io.Reader{"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader} {
			t.Run(mediaType+", "+name, func(t *testing.T) {
				got, err := readList(slow(bytes.NewReader(encode(t, mediaType, sent))), 0)
				if err != nil {
					t.Fatal(err)
				}
				if diff := gocmp.Diff(samplesOf(sent), got.Samples); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestSamplesLoseNothingThatIsRead: what is written of a sample is the item without its metadata, byte for byte.
func TestSamplesLoseNothingThatIsRead(t *testing.T) {
	items := oddItems()
	got, err := json.Marshal(samplesOf(items))
	if err != nil {
		t.Fatal(err)
	}
	for i := range items {
		items[i].Labels = nil
		items[i].CreationTimestamp.Reset()
	}
	want, err := json.Marshal(items)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var again []sample.Pod
	if err := json.Unmarshal(got, &again); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(samplesOf(items), again); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
}

// TestReadListRefusesAPart: half an answer must never be taken for pods that vanished.
func TestReadListRefusesAPart(t *testing.T) {
	body := encode(t, protobufType, []metricsv1beta1.PodMetrics{pod("shop", "a", epoch, "app"), pod("shop", "b", epoch, "app")})
	whole, err := readList(bytes.NewReader(body), 0)
	if err != nil || len(whole.Samples) != 2 {
		t.Fatalf("%d samples, error %v", len(whole.Samples), err)
	}
	for n := range len(body) {
		got, err := readList(bytes.NewReader(body[:n]), 0)
		if err == nil && len(got.Samples) != len(whole.Samples) {
			t.Errorf("the first %d of %d bytes were taken for %d samples", n, len(body), len(got.Samples))
		}
		broke := errors.New("connection reset")
		if _, err := readList(io.MultiReader(bytes.NewReader(body[:n]), iotest.ErrReader(broke)), 0); !errors.Is(err, broke) {
			t.Errorf("a connection that broke after %d bytes: error %v", n, err)
		}
	}
}

// readWhole is what apimachinery makes of an answer.
func readWhole(body []byte) ([]sample.Pod, error) {
	list := &metricsv1beta1.PodMetricsList{}
	err := runtime.DecodeInto(scheme.Codecs.UniversalDeserializer(), body, list)
	return samplesOf(list.Items), err
}

// TestAPartOfJSONIsRefused as one of protobuf is.
func TestAPartOfJSONIsRefused(t *testing.T) {
	body := bytes.TrimSpace(encode(t, jsonType, []metricsv1beta1.PodMetrics{pod("shop", "a", epoch, "app"), pod("shop", "b", epoch, "app")}))
	for n := range len(body) {
		if got, err := readList(bytes.NewReader(body[:n]), 0); err == nil {
			t.Errorf("the first %d of %d bytes were taken for %d samples", n, len(body), len(got.Samples))
		}
	}
}

// TestOneUnreadableQuantityCostsThatPod, and no other.
func TestOneUnreadableQuantityCostsThatPod(t *testing.T) {
	items := []metricsv1beta1.PodMetrics{pod("shop", "a", epoch, "app"), pod("shop", "b", epoch, "app"), pod("shop", "c", epoch, "app")}
	for _, mediaType := range []string{protobufType, jsonType} {
		body := bytes.ReplaceAll(encode(t, mediaType, items[1:2]), []byte("123456789n"), []byte("1234five9n"))
		if bytes.Count(body, []byte("five")) != 1 {
			t.Fatalf("%s: nothing was broken", mediaType)
		}
		whole := bytes.Replace(encode(t, mediaType, items), bytes.TrimSpace(item(t, mediaType, encode(t, mediaType, items[1:2]))), item(t, mediaType, body), 1)
		got, err := readList(bytes.NewReader(whole), 0)
		if err != nil {
			t.Fatalf("%s: %v", mediaType, err)
		}
		var names []string
		for _, s := range got.Samples {
			names = append(names, s.Name)
		}
		if diff := gocmp.Diff([]string{"a", "c"}, names); diff != "" || got.Unreadable != 1 || !strings.HasPrefix(got.Why.Error(), "pod shop/b: ") {
			t.Errorf("%s: %d cannot be read, %v, samples (-want +got):\n%s", mediaType, got.Unreadable, got.Why, diff)
		}
	}
}

// item is the only item of an answer, as it is in it.
func item(t *testing.T, mediaType string, body []byte) []byte {
	t.Helper()
	if mediaType == jsonType {
		from, to := bytes.Index(body, []byte(`"items":[`))+len(`"items":[`), bytes.LastIndex(body, []byte("]"))
		return body[from:to]
	}
	from := bytes.Index(body, []byte("shop")) - 8
	return body[from : len(body)-6]
}

// endless goes on with the same text for so many bytes.
type endless struct {
	text []byte
	left int
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), e.left)], e.text[e.at:])
	e.at, e.left = (e.at+n)%len(e.text), e.left-n
	return n, nil
}

// TestReadListAllocatesLittle: what most samples have in common is no string of each, and the list does not grow while it is read.
func TestReadListAllocatesLittle(t *testing.T) {
	const n, most = 1000, 9 // for each pod, of two containers
	items := make([]metricsv1beta1.PodMetrics, n)
	for i := range items {
		items[i] = pod("shop", fmt.Sprintf("web-%d", i), epoch, "app", "proxy")
	}
	body := encode(t, protobufType, items)
	var got Listing
	allocations := testing.AllocsPerRun(5, func() {
		var err error
		if got, err = readList(bytes.NewReader(body), n); err != nil {
			t.Fatal(err)
		}
	})
	if len(got.Samples) != n || cap(got.Samples) != n || allocations/n > most {
		t.Errorf("%d samples in the memory of %d, and %.1f allocations for each, want %d at most", len(got.Samples), cap(got.Samples), allocations/n, most)
	}
	if got, err := readList(bytes.NewReader(body), 1<<40); err != nil || cap(got.Samples) != mostExpected {
		t.Errorf("where very many are expected there is memory for %d, error %v", cap(got.Samples), err)
	}
}

// TestReadListIsBounded: whatever an answer holds, little of it is in memory at a time, and it is refused.
func TestReadListIsBounded(t *testing.T) {
	const begin, much = `{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","items":[`, 256 << 20
	for name, text := range map[string]string{
		"pods without anything":    `{"metadata":{"name":"a"}},`,
		"pods as they are":         string(item(t, jsonType, encode(t, jsonType, []metricsv1beta1.PodMetrics{pod("shop", "a", epoch, "app", "proxy")}))) + ",",
		"pods of many containers":  `{"containers":[` + strings.Repeat(`{"name":"a","usage":{"cpu":"1"}},`, 1000) + `{}]},`,
		"one pod without end":      `{"metadata":{"name":"a","labels":{"` + strings.Repeat("a", 5<<20),
		"one number without end":   strings.Repeat("1", 5<<20),
		"objects within objects":   strings.Repeat(`{"a":`, 2000),
		"nothing but white spaces": strings.Repeat(" ", 1<<20),
		"pods of nothing":          `{},`,
	} {
		t.Run(name, func(t *testing.T) {
			body := &boundedBody{ReadCloser: io.NopCloser(io.MultiReader(strings.NewReader(begin), &endless{text: []byte(text), left: much})), left: mostListed, most: mostListed}
			got, err := readAtMost(body, 0, 4<<20)
			if read := mostListed - body.left; err == nil || read > 9<<20 {
				t.Fatalf("%d samples of %d MiB were read, error %v", len(got.Samples), read>>20, err)
			}
		})
	}
}

// message builds protobuf by hand.
func message(parts ...any) (out []byte) {
	for _, part := range parts {
		switch part := part.(type) {
		case int:
			out = binary.AppendUvarint(out, uint64(part))
		case string:
			out = append(out, part...)
		}
	}
	return out
}

func TestReadListRefuses(t *testing.T) {
	typed := magic + string(message(1<<3|wireBytes, 16, 2<<3|wireBytes, 14, "PodMetricsList"))
	for name, story := range map[string]struct {
		body []byte
		want string
	}{
		"nothing":                  {nil, "unexpected EOF"},
		"an envelope of nothing":   {message(magic), "unexpected EOF"},
		"another kind":             {message(magic, 1<<3|wireBytes, 8, 2<<3|wireBytes, 6, "Status"), `of kind "Status" instead of PodMetricsList`},
		"an item of gigabytes":     {message(typed, 2<<3|wireBytes, 1<<32, 2<<3|wireBytes, 1<<31), "an item has 2147483648 bytes"},
		"a field beyond its list":  {message(typed, 2<<3|wireBytes, 4, 1<<3|wireBytes, 100), "more than its list"},
		"a group, as of long ago":  {message(magic, 2<<3|3), "wire type 3"},
		"a length without measure": {message(typed, 2<<3|wireBytes, 1<<41), "has 2199023255552 bytes"},
		"no type":                  {message(magic, 2<<3|wireBytes, 0), "behind its type"},
		"two lists":                {message(typed, 2<<3|wireBytes, 0, 2<<3|wireBytes, 0), "not one object"},
		"a field across the end":   {message(typed, 2<<3|wireBytes, 3, 9<<3|wireFixed64, "12345678"), "more than its list"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := readList(bytes.NewReader(story.body), 0); err == nil || !strings.Contains(err.Error(), story.want) {
				t.Errorf("%d samples, error %v, want %q in it", len(got.Samples), err, story.want)
			}
		})
	}
}

// TestReadListReadsOverWhatIsNew: a later version of the messages may have more fields.
func TestReadListReadsOverWhatIsNew(t *testing.T) {
	body := encode(t, protobufType, []metricsv1beta1.PodMetrics{pod("shop", "a", epoch, "app")})
	extra := message(9<<3|wireVarint, 1<<40, 10<<3|wireFixed64, "12345678", 11<<3|wireFixed32, "1234", 12<<3|wireBytes, 3, "new")
	body = append(append([]byte(magic), extra...), body[len(magic):]...)
	if got, err := readList(bytes.NewReader(append(body, extra...)), 0); err != nil || len(got.Samples) != 1 {
		t.Errorf("in the envelope: %d samples, error %v", len(got.Samples), err)
	}
	inner := message(1<<3|wireBytes, 0, 2<<3|wireBytes, 0, 9<<3|wireVarint, 1<<40)
	body = message(magic, 1<<3|wireBytes, 16, 2<<3|wireBytes, 14, "PodMetricsList", 2<<3|wireBytes, len(inner), string(inner), 3<<3|wireBytes, 0)
	if got, err := readList(bytes.NewReader(body), 0); err != nil || len(got.Samples) != 1 {
		t.Errorf("at the end of the list: %d samples, error %v", len(got.Samples), err)
	}
}

// immense is what apimachinery would read exactly, which may take it hours: an exponent, or many digits.
var immense = regexp.MustCompile(`[eE][-+]?[0-9]{2,}|[0-9.]{12,}[A-Za-z]|[0-9.]{30,}`)

// FuzzReadList holds that the answer is all or nothing and what apimachinery makes of it.
func FuzzReadList(f *testing.F) {
	f.Add(encode(f, protobufType, []metricsv1beta1.PodMetrics{oddItems()[0], oddItems()[5]}))
	f.Add(encode(f, jsonType, oddItems()[3:]))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := readList(bytes.NewReader(body), 0)
		if err != nil || got.Unreadable > 0 || immense.Match(body) {
			return
		}
		want, err := readWhole(body)
		if err != nil {
			return // stricter about what is not read
		}
		if diff := gocmp.Diff(want, got.Samples); diff != "" {
			t.Errorf("(-apimachinery +here):\n%s", diff)
		}
	})
}
