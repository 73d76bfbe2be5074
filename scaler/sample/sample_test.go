package sample

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// TestJSONIsThatOfTheAPI: what is written is a PodMetrics as metrics-server writes it, without the metadata that nobody reads, and what
// is read may have more.
func TestJSONIsThatOfTheAPI(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	app := Container{Name: "app", Usage: UsageOf(corev1.ResourceList{
		corev1.ResourceMemory: resource.MustParse("52428Ki"), corev1.ResourceCPU: resource.MustParse("123456789n")})}
	for name, test := range map[string]struct {
		pod  Pod
		text string
	}{
		"as it comes": {Pod{Namespace: "shop", Name: "web-1", Time: at, Window: 15 * time.Second, Containers: []Container{app}},
			`{"metadata":{"name":"web-1","namespace":"shop"},"timestamp":"2026-03-01T12:00:00Z","window":"15s","containers":[{"name":"app","usage":{"cpu":"123456789n","memory":"52428Ki"}}]}`},
		"without containers": {Pod{Name: "web-1", Time: at}, `{"metadata":{"name":"web-1"},"timestamp":"2026-03-01T12:00:00Z","window":"0s","containers":null}`},
		"no containers":      {Pod{Name: "web-1", Containers: []Container{}}, `{"metadata":{"name":"web-1"},"timestamp":null,"window":"0s","containers":[]}`},
		"nothing measured": {Pod{Containers: []Container{{Name: "none"}, {Name: "empty", Usage: Usage{}}}},
			`{"metadata":{},"timestamp":null,"window":"0s","containers":[{"name":"none","usage":null},{"name":"empty","usage":{}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			for what, value := range map[string]any{"value": test.pod, "pointer": &test.pod} {
				if got, err := json.Marshal(value); err != nil || string(got) != test.text {
					t.Errorf("the %s: error %v, got\n%s\nwant\n%s", what, err, got, test.text)
				}
			}
			var got Pod
			if err := json.Unmarshal([]byte(test.text), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.pod, got); diff != "" {
				t.Errorf("read again (-want +got):\n%s", diff)
			}
		})
	}
	labelled := `{"kind":"PodMetrics","apiVersion":"metrics.k8s.io/v1beta1","metadata":{"name":"web-1","labels":{"app":"web"},"creationTimestamp":null},"timestamp":null,"window":"0s","containers":null}`
	var got Pod
	if err := json.Unmarshal([]byte(labelled), &got); err != nil || cmp.Diff(Pod{Name: "web-1"}, got) != "" {
		t.Errorf("with labels: %+v, error %v", got, err)
	}
	for _, broken := range []string{`[]`, `{"window":15}`, `{"containers":[{"usage":{"cpu":"much"}}]}`} {
		if err := json.Unmarshal([]byte(broken), &got); err == nil {
			t.Errorf("%s is read as %+v", broken, got)
		}
	}
}

func TestUsage(t *testing.T) {
	used := UsageOf(corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("2"), corev1.ResourceCPU: resource.MustParse("0"), corev1.ResourceMemory: resource.MustParse("1Gi")})
	want := Usage{{corev1.ResourceCPU, resource.MustParse("0")}, {corev1.ResourceMemory, resource.MustParse("1Gi")}, {"nvidia.com/gpu", resource.MustParse("2")}}
	if diff := cmp.Diff(want, used); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, a := range want {
		if got := used.Of(a.Resource); got == nil || !got.Equal(a.Quantity) {
			t.Errorf("%s: %v", a.Resource, got)
		}
	}
	if got := used.Of(corev1.ResourceEphemeralStorage); got != nil {
		t.Errorf("what was not measured is %s", got.String())
	}
}
