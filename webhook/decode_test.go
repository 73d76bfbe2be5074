package webhook

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/mini-hpa/mini-hpa/annotations"
)

const full = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"namespace":"shop","name":"web","uid":"u","labels":{"a":"b"},
"annotations":{"mini-hpa/max":"10","other":"x","mini-hpa/target-cpu":"50"},"managedFields":[{"manager":"kubectl"}]},
"spec":{"replicas":4,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"},"annotations":{"mini-hpa/min":"1","b":"c"}},
"spec":{"initContainers":[{"name":"log","image":"l","restartPolicy":"Always","resources":{"requests":{"cpu":"10m"}}},{"name":"setup","image":"s"}],
"containers":[{"name":"app","image":"a","env":[{"name":"A","value":"B"}],"resources":{"requests":{"cpu":"1","memory":"1Gi","nvidia.com/gpu":"1"},"limits":{"cpu":"2"}}},
{"name":"envoy","image":"e","resources":{"limits":{"memory":"8Ei"}}}],"resources":{"requests":{"cpu":"3"}}}}}}`

// TestWhatIsDecodedIsEnough: the verdict on the decoded part of a Deployment is the same as on the whole.
func TestWhatIsDecodedIsEnough(t *testing.T) {
	texts := map[string]string{"full": full, "whole pod": full, "empty": `{}`, "nulls": `{"metadata":{"annotations":null},"spec":{"template":{"spec":{"containers":null,"resources":null}}}}`,
		"missing": deployment(good, ""), "zero": deployment(good, "0"), "huge": deployment(good, "1e20"), "bad": deployment(`{"mini-hpa/max":"x"}`, "")}
	texts["other resources"] = strings.Replace(full, `"mini-hpa/target-cpu":"50"`, `"mini-hpa/metrics":"[{type: Resource, resource: {name: nvidia.com/gpu, target: {type: Utilization, averageUtilization: 50}}}]"`, 1)
	texts["containers"] = strings.Replace(full, `,"resources":{"requests":{"cpu":"3"}}`, "", 1)
	const wakes = `"mini-hpa/max":"10","mini-hpa/min":"0","mini-hpa/wake":"requests","mini-hpa/metrics":"[{type: External, external: {metric: {name: rps}, target: {type: Value, value: 1}}}]"`
	texts["requests"] = strings.Replace(full, `"mini-hpa/max":"10"`, wakes, 1)
	texts["requests, and it ends late"] = strings.Replace(texts["requests"], `"image":"a"`, `"ports":[{"name":"http","containerPort":8080}],"lifecycle":{"preStop":{"sleep":{"seconds":15}}}`, 1)
	texts["requests, and it ends somehow"] = strings.Replace(texts["requests"], `"image":"a"`, `"lifecycle":{"preStop":{"exec":{"command":["drain"]}}}`, 1)
	texts["requests, and it ends early"] = strings.Replace(texts["requests, and it ends late"], `"initContainers"`, `"terminationGracePeriodSeconds":3,"initContainers"`, 1)
	services := []*corev1.Service{{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Selector: map[string]string{"app": "web"},
		Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}}}}}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			var whole appsv1.Deployment
			if err := utiljson.Unmarshal([]byte(text), &whole); err != nil {
				t.Fatal(err)
			}
			slim, err := decode(builtin(t, "Deployment"), []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			of := annotations.OfDeployment(&whole)
			want, got := annotations.DefaultDefaults().Review(of, annotations.Surroundings{Services: services}), annotations.DefaultDefaults().Review(slim.workload, annotations.Surroundings{Services: services})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-whole +slim):\n%s", diff)
			}
			if diff := cmp.Diff([]any{of.Key, of.UID, of.Replicas}, []any{slim.workload.Key, slim.workload.UID, slim.workload.Replicas}); diff != "" {
				t.Errorf("(-whole +slim):\n%s", diff)
			}
		})
	}
}

// hostile returns the bodies of about so many bytes that cost most to decode into the API's own types.
func hostile(size int) map[string]string {
	fill := func(before, part, after string) string {
		n := (size - len(before) - len(after)) / (len(part) + 1)
		return before + strings.TrimSuffix(strings.Repeat(part+",", n), ",") + after
	}
	return map[string]string{
		"containers":      fill(`{"spec":{"template":{"spec":{"containers":[`, `{}`, `]}}}}`),
		"labels":          fill(`{"metadata":{"annotations":{"mini-hpa/wake":"requests"}},"spec":{"template":{"metadata":{"labels":{`, `"":""`, `}},"spec":{"containers":[]}}}}`),
		"ports":           fill(`{"metadata":{"annotations":{"mini-hpa/wake":"requests"}},"spec":{"template":{"spec":{"containers":[{"ports":[`, `{}`, `]}]}}}}`),
		"ends":            fill(`{"metadata":{"annotations":{"mini-hpa/wake":"requests"}},"spec":{"template":{"spec":{"containers":[`, `{"lifecycle":{"preStop":{"sleep":{}}}}`, `]}}}}`),
		"init containers": fill(`{"spec":{"template":{"spec":{"initContainers":[`, `{}`, `]}}}}`),
		"volumes":         fill(`{"spec":{"template":{"spec":{"volumes":[`, `{}`, `]}}}}`),
		"annotations":     fill(`{"metadata":{"annotations":{`, `"a":""`, `}}}`),
		"finalizers":      fill(`{"metadata":{"finalizers":[`, `""`, `]}}`),
		"resources":       fill(`{"spec":{"template":{"spec":{"containers":[`, `{"resources":{"requests":{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1}}}`, `]}}}}`),
		"many resources":  `{"spec":{"template":{"spec":{"containers":[{"resources":{"requests":{` + strings.TrimSuffix(numbered(size/10), ",") + `}}}]}}}}`,
		"a quantity":      `{"spec":{"template":{"spec":{"containers":[{"resources":{"requests":{"cpu":"` + strings.Repeat("9", size) + `"}}}]}}}}`,
		"exponents":       fill(`{"spec":{"template":{"spec":{"containers":[{"resources":{"requests":{`, `"cpu":"1e-999999999"`, `}}}]}}}}`),
		"owners":          fill(`{"metadata":{"ownerReferences":[`, `{}`, `]}}`),
		"claims":          fill(`{"spec":{"volumeClaimTemplates":[`, `{}`, `]}}`),
		"workers":         fill(`{"spec":{"workers":{`, `"a":1`, `}}}`),
		"nesting":         `{"spec":{"template":` + strings.Repeat("[", size/2) + strings.Repeat("]", size/2) + `}}`,
		"text":            `{"metadata":{"name":"` + strings.Repeat("x", size) + `"}}`,
	}
}

// numbered returns so many members of an object.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%d":1,`, i)
	}
	return b.String()
}

// TestDecodingCostsLittle: whatever the text says, decoding allocates a small multiple of it, most of that for a moment. A list of
// empty containers in the API's own type takes more than 300 times its text.
func TestDecodingCostsLittle(t *testing.T) {
	const size, most = 1 << 20, 80
	for name, text := range hostile(size) {
		for _, kind := range []annotations.Kind{builtin(t, "StatefulSet"), trains} {
			t.Run(name+" of a "+kind.Kind, func(t *testing.T) {
				var before, after runtime.MemStats
				raw := []byte(text)
				runtime.ReadMemStats(&before)
				_, err := decode(kind, raw)
				runtime.ReadMemStats(&after)
				cost := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(text))
				t.Logf("%.1f bytes for each byte, error %v", cost, err)
				if cost > most {
					t.Errorf("decoding took %.1f bytes for each byte, want at most %d", cost, most)
				}
			})
		}
	}
}

func TestWhatIsTooLarge(t *testing.T) {
	for _, name := range []string{"owners", "containers", "init containers", "annotations", "a quantity", "many resources", "exponents"} {
		for _, kind := range []annotations.Kind{builtin(t, "Deployment"), trains} {
			if _, err := decode(kind, []byte(hostile(2 << 20)[name])); !errors.Is(err, errTooLarge) {
				t.Errorf("%s of a %s: error %v, want too large", name, kind.Kind, err)
			}
		}
	}
}

// FuzzDecode holds decode to the decoder of the API's own types: it reads whatever that reads, unless it is too large.
func FuzzDecode(f *testing.F) {
	f.Add(full)
	f.Add(deployment(good, "1e3"))
	f.Add(`{"metadata":{"annotations":{"mini-hpa/max":"\ud800"}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var whole appsv1.Deployment
		valid := utiljson.Unmarshal([]byte(text), &whole) == nil
		slim, err := decode(builtin(t, "Deployment"), []byte(text))
		if valid && err != nil && !errors.Is(err, errTooLarge) {
			t.Fatalf("%q is not read: %v", text, err)
		}
		if !valid || err != nil {
			return
		}
		want, got := annotations.DefaultDefaults().Review(annotations.OfDeployment(&whole), annotations.Surroundings{}), annotations.DefaultDefaults().Review(slim.workload, annotations.Surroundings{})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-whole +slim):\n%s", text, diff)
		}
	})
}
