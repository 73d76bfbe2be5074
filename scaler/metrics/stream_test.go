package metrics

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
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
				got, err := readList(slow(bytes.NewReader(encode(t, mediaType, sent))))
				if err != nil {
					t.Fatal(err)
				}
				want := podMetricsOf(SamplesOf(sent))
				if diff := gocmp.Diff(want, podMetricsOf(got)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestSamplesLoseNothingThatIsRead: what is made of a sample is the item without its metadata.
func TestSamplesLoseNothingThatIsRead(t *testing.T) {
	want := oddItems()
	got := podMetricsOf(SamplesOf(want))
	for i := range want {
		want[i].Labels = nil
		want[i].CreationTimestamp.Reset()
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestReadListRefusesAPart: half an answer must never be taken for pods that vanished.
func TestReadListRefusesAPart(t *testing.T) {
	body := encode(t, protobufType, []metricsv1beta1.PodMetrics{pod("shop", "a", epoch, "app"), pod("shop", "b", epoch, "app")})
	whole, err := readList(bytes.NewReader(body))
	if err != nil || len(whole) != 2 {
		t.Fatalf("%d samples, error %v", len(whole), err)
	}
	for n := range len(body) {
		got, err := readList(bytes.NewReader(body[:n]))
		if err == nil && len(got) != len(whole) {
			t.Errorf("the first %d of %d bytes were taken for %d samples", n, len(body), len(got))
		}
		broke := errors.New("connection reset")
		if _, err := readList(io.MultiReader(bytes.NewReader(body[:n]), iotest.ErrReader(broke))); !errors.Is(err, broke) {
			t.Errorf("a connection that broke after %d bytes: error %v", n, err)
		}
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
		"garbage in an item":       {message(typed, 2<<3|wireBytes, 4, 2<<3|wireBytes, 2, "\xff\xff"), ""},
		"no type":                  {message(magic, 2<<3|wireBytes, 0), "behind its type"},
		"two lists":                {message(typed, 2<<3|wireBytes, 0, 2<<3|wireBytes, 0), "not one object"},
		"a field across the end":   {message(typed, 2<<3|wireBytes, 3, 9<<3|wireFixed64, "12345678"), "more than its list"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := readList(bytes.NewReader(story.body)); err == nil || !strings.Contains(err.Error(), story.want) {
				t.Errorf("%d samples, error %v, want %q in it", len(got), err, story.want)
			}
		})
	}
}

// TestReadListReadsOverWhatIsNew: a later version of the messages may have more fields.
func TestReadListReadsOverWhatIsNew(t *testing.T) {
	body := encode(t, protobufType, []metricsv1beta1.PodMetrics{pod("shop", "a", epoch, "app")})
	extra := message(9<<3|wireVarint, 1<<40, 10<<3|wireFixed64, "12345678", 11<<3|wireFixed32, "1234", 12<<3|wireBytes, 3, "new")
	body = append(append([]byte(magic), extra...), body[len(magic):]...)
	if got, err := readList(bytes.NewReader(append(body, extra...))); err != nil || len(got) != 1 {
		t.Errorf("in the envelope: %d samples, error %v", len(got), err)
	}
	inner := message(1<<3|wireBytes, 0, 2<<3|wireBytes, 0, 9<<3|wireVarint, 1<<40)
	body = message(magic, 1<<3|wireBytes, 16, 2<<3|wireBytes, 14, "PodMetricsList", 2<<3|wireBytes, len(inner), string(inner), 3<<3|wireBytes, 0)
	if got, err := readList(bytes.NewReader(body)); err != nil || len(got) != 1 {
		t.Errorf("at the end of the list: %d samples, error %v", len(got), err)
	}
}

// FuzzReadList holds that the answer is all or nothing and what apimachinery makes of it.
func FuzzReadList(f *testing.F) {
	f.Add(encode(f, protobufType, []metricsv1beta1.PodMetrics{oddItems()[0], oddItems()[5]}))
	f.Add(encode(f, jsonType, oddItems()[3:]))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := readList(bytes.NewReader(body))
		if err != nil || !bytes.HasPrefix(body, []byte(magic)) {
			return
		}
		want, err := readWhole(bytes.NewReader(body))
		if err != nil {
			return // stricter about what is not read
		}
		if diff := gocmp.Diff(podMetricsOf(want), podMetricsOf(got)); diff != "" {
			t.Errorf("(-apimachinery +here):\n%s", diff)
		}
	})
}
