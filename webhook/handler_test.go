package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// around always answers with the same surroundings.
type around annotations.Surroundings

func (a around) Surroundings(_, _ *annotations.Workload) annotations.Surroundings {
	return annotations.Surroundings(a)
}

// had finds one revision, given as JSON, or none, or fails.
type had struct {
	revision string
	err      error
	asked    int
}

func (h *had) Find(_ context.Context, kind schema.GroupKind, _ string, _ []byte) (*annotations.Workload, error) {
	h.asked++
	if h.revision == "" {
		return nil, h.err
	}
	is, _ := BuiltinKinds{}.Of(kind)
	o, err := decode(is, []byte(h.revision))
	if err != nil {
		return nil, err
	}
	return o.workload, nil
}

// desk is a handler and the fakes that it asks.
type desk struct {
	t          *testing.T
	handler    http.Handler
	revisions  *had
	injections *injects
	telemetry  *Telemetry
}

// injects finds that a namespace announces containers, or that pods have some, or fails.
type injects struct {
	announced  string
	containers []string
	err        error
	asked      int
}

func (i *injects) Find(_ context.Context, _ string, _ []byte, s annotations.Surroundings) (annotations.Surroundings, error) {
	i.asked++
	s.Injection, s.Containers = i.announced, i.containers
	return s, i.err
}

func newDesk(t *testing.T, s annotations.Surroundings) *desk {
	d := &desk{t: t, revisions: &had{}, injections: &injects{}, telemetry: NewTelemetry(prometheus.NewRegistry())}
	d.handler = NewHandler(HandlerConfig{Defaults: annotations.DefaultDefaults(), Kinds: kinds{trains}, Surroundings: around(s), Revisions: d.revisions, Injections: d.injections,
		Telemetry: d.telemetry, Log: zap.NewNop()})
	return d
}

// deployment is the JSON of a Deployment, with a CPU request unless that is empty, and annotations given as JSON.
func deployment(pairs, cpu string) string {
	requests := "{}"
	if cpu != "" {
		requests = fmt.Sprintf(`{"cpu":%q}`, cpu)
	}
	return fmt.Sprintf(`{"metadata":{"namespace":"shop","name":"web","uid":"u","annotations":%s},"spec":{"replicas":3,"template":{"spec":{`+
		`"containers":[{"name":"app","image":"app","resources":{"requests":%s}}]}}}}`, pairs, requests)
}

// forgetful is such a Deployment with a revisionHistoryLimit of 0.
func forgetful(pairs, cpu string) string {
	return strings.Replace(deployment(pairs, cpu), `"spec":{`, `"spec":{"revisionHistoryLimit":0,`, 1)
}

const good = `{"mini-hpa/target-cpu":"50","mini-hpa/max":"10","team":"shop"}`

// ask sends one review; before is empty for a CREATE.
func (d *desk) ask(before, after string, change ...func(*admissionv1.AdmissionRequest)) *admissionv1.AdmissionResponse {
	d.t.Helper()
	req := &admissionv1.AdmissionRequest{UID: "1", Namespace: "shop", Name: "web", Operation: admissionv1.Create,
		Kind: metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}}
	req.Object.Raw = []byte(after)
	if before != "" {
		req.Operation, req.OldObject.Raw = admissionv1.Update, []byte(before)
	}
	for _, c := range change {
		c(req)
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: req})
	if err != nil {
		d.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, Path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	d.handler.ServeHTTP(answer, r)
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer.Body.Bytes(), &review); err != nil || review.Response == nil || review.Response.UID != "1" {
		d.t.Fatalf("%v: no review in %s", err, answer.Body)
	}
	return review.Response
}

// outline is a response in one line: "allowed" or the fields of the causes, then the fields of the warnings.
func outline(r *admissionv1.AdmissionResponse) string {
	text := "allowed"
	if !r.Allowed {
		text = fmt.Sprintf("%d %s", r.Result.Code, r.Result.Reason)
		for _, c := range r.Result.Details.Causes {
			text += " " + c.Field
		}
	}
	for _, w := range r.Warnings {
		at, _, _ := strings.Cut(w, ": ")
		text += "; warned of " + at
	}
	return text
}

const request0 = "spec.template.spec.containers[0].resources.requests[cpu]"

func TestVerdicts(t *testing.T) {
	terminating := strings.Replace(deployment(good, ""), `"uid":"u"`, `"uid":"u","deletionTimestamp":"2026-01-01T00:00:00Z"`, 1)
	tests := map[string]struct {
		before, after string
		change        func(*admissionv1.AdmissionRequest)
		revisions     had
		want          string
		lookups       int
	}{
		"good":                    {after: deployment(good, "1"), want: "allowed"},
		"no request":              {after: deployment(good, ""), want: "422 Invalid " + request0},
		"two problems":            {after: deployment(`{"mini-hpa/target-cpu":"50","mini-hpa/max":"0"}`, ""), want: "422 Invalid metadata.annotations[mini-hpa/max] " + request0},
		"a slip":                  {after: deployment(`{"mini-hpa/target-cpu":"50","mini-hpa/max":"10","mini-hpa/mini":"2"}`, "1"), want: "allowed; warned of metadata.annotations[mini-hpa/mini]"},
		"a dry run":               {after: deployment(good, ""), change: func(r *admissionv1.AdmissionRequest) { r.DryRun = new(true) }, want: "422 Invalid " + request0},
		"annotated":               {before: deployment(`{}`, ""), after: deployment(good, ""), want: "422 Invalid " + request0},
		"an old problem":          {before: deployment(good, ""), after: deployment(`{"mini-hpa/target-cpu":"60","mini-hpa/max":"10"}`, ""), want: "allowed; warned of " + request0},
		"a request is taken away": {before: deployment(good, "1"), after: deployment(good, ""), want: "422 Invalid " + request0, lookups: 1},
		"a rollback":              {before: deployment(good, "1"), after: deployment(good, ""), revisions: had{revision: deployment(good, "")}, want: "allowed; warned of " + request0, lookups: 1},
		"a rollback to what had no annotations": {before: deployment(good, "1"), after: deployment(good, ""), revisions: had{revision: deployment(`{}`, "")},
			want: "allowed; warned of " + request0, lookups: 1},
		"a rollback that brings annotations back": {before: deployment(`{}`, "1"), after: deployment(`{"mini-hpa/target-cpu":"50","mini-hpa/max":"0"}`, ""),
			revisions: had{revision: deployment(`{"mini-hpa/target-cpu":"50","mini-hpa/max":"0"}`, "")},
			want:      "allowed; warned of metadata.annotations[mini-hpa/max]; warned of " + request0, lookups: 1},
		"a rollback and a new mistake": {before: deployment(good, "1"), after: deployment(`{"mini-hpa/target-cpu":"50","mini-hpa/max":"0"}`, ""), revisions: had{revision: deployment(good, "")},
			want: "422 Invalid metadata.annotations[mini-hpa/max]; warned of " + request0, lookups: 1},
		"the first annotations and an old image": {before: deployment(`{}`, "1"), after: deployment(good, ""), revisions: had{revision: deployment(`{}`, "")},
			want: "422 Invalid " + request0, lookups: 1},
		"perhaps a rollback":         {before: deployment(good, "1"), after: deployment(good, ""), revisions: had{err: errors.New("no answer")}, want: "allowed; warned of " + request0, lookups: 1},
		"no history is kept":         {before: forgetful(good, "1"), after: forgetful(good, ""), want: "allowed; warned of " + request0, lookups: 1},
		"no history, and a mistake":  {before: forgetful(good, "1"), after: forgetful(`{"mini-hpa/target-cpu":"50","mini-hpa/max":"0"}`, ""), want: "422 Invalid metadata.annotations[mini-hpa/max]; warned of " + request0, lookups: 1},
		"no history of annotations":  {before: forgetful(`{}`, "1"), after: forgetful(good, ""), want: "422 Invalid " + request0, lookups: 1},
		"no history, same template":  {before: forgetful(`{"mini-hpa/target-cpu":"250m","mini-hpa/max":"5"}`, ""), after: forgetful(good, ""), want: "422 Invalid " + request0},
		"terminating":                {before: deployment(good, "1"), after: terminating, want: "allowed"},
		"an object that is no JSON":  {after: `{"metadata":{"annotations":3}}`, want: "allowed; warned of metadata.annotations"},
		"an old object that is none": {before: `{"spec":3}`, after: deployment(good, ""), want: "allowed; warned of metadata.annotations"},
		"another subresource":        {after: deployment(good, ""), change: func(r *admissionv1.AdmissionRequest) { r.SubResource = "scale" }, want: "allowed"},
		"another kind":               {after: deployment(good, ""), change: of("apps", "v1", "DaemonSet"), want: "allowed"},
		"a deletion":                 {after: `null`, change: func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Delete }, want: "allowed"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, annotations.Surroundings{})
			*d.revisions = tc.revisions
			if tc.change == nil {
				tc.change = func(*admissionv1.AdmissionRequest) {}
			}
			if got := outline(d.ask(tc.before, tc.after, tc.change)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if d.revisions.asked != tc.lookups {
				t.Errorf("the API server was asked for revisions %d times, want %d: only on the way to a refusal of another template", d.revisions.asked, tc.lookups)
			}
		})
	}
}

func TestARefusalIsWrittenAsTheAPIServerWould(t *testing.T) {
	status := newDesk(t, annotations.Surroundings{}).ask("", deployment(good, "")).Result
	want := metav1.StatusCause{Type: metav1.CauseTypeFieldValueRequired, Field: request0, Message: `Required value: container "app" has no CPU request, and ` +
		`mini-hpa/target-cpu is a percentage of it; set its resources.requests.cpu, or make the target an amount such as "250m"`}
	if diff := cmp.Diff([]metav1.StatusCause{want}, status.Details.Causes); diff != "" {
		t.Error(diff)
	}
	if status.Status != metav1.StatusFailure || status.Details.Kind != "Deployment" || status.Details.Group != "apps" || status.Details.Name != "web" ||
		!strings.HasPrefix(status.Message, `Deployment.apps "web" is invalid: `) {
		t.Errorf("status %+v", status)
	}
}

// TestInjectedContainersAreAskedFor only on the way to a refusal.
func TestInjectedContainersAreAskedFor(t *testing.T) {
	const of, field = `{"mini-hpa/target-cpu":"50","mini-hpa/max":"10","mini-hpa/container":"proxy"}`, "metadata.annotations[mini-hpa/container]"
	announcing := strings.Replace(deployment(of, "1"), `"template":{`, `"template":{"metadata":{"labels":{"sidecar.istio.io/inject":"true"}},`, 1)
	for name, tc := range map[string]struct {
		before, after, want string
		injections          injects
		asked               int
	}{
		"of a container that is there": {after: deployment(good, "1"), want: "allowed"},
		"announced by the template":    {after: announcing, want: "allowed; warned of " + field},
		"announced by the namespace":   {after: deployment(of, "1"), injections: injects{announced: "it says so"}, want: "allowed; warned of " + field, asked: 1},
		"the pods have it":             {before: deployment(good, "1"), after: deployment(of, "1"), injections: injects{containers: []string{"app", "proxy"}}, want: "allowed; warned of " + field, asked: 1},
		"the old template had it":      {before: strings.Replace(deployment(good, "1"), `"name":"app"`, `"name":"proxy"`, 1), after: deployment(of, "1"), injections: injects{containers: []string{"proxy"}}, want: "422 Invalid " + field, asked: 1},
		"nobody has it":                {before: deployment(good, "1"), after: deployment(of, "1"), injections: injects{containers: []string{"app"}}, want: "422 Invalid " + field, asked: 1},
		"no answer":                    {after: deployment(of, "1"), injections: injects{err: errors.New("no")}, want: "allowed; warned of " + field, asked: 1},
		"no answer, and a mistake":     {after: deployment(strings.Replace(of, `"10"`, `"0"`, 1), "1"), injections: injects{err: errors.New("no")}, want: "422 Invalid metadata.annotations[mini-hpa/max]; warned of " + field, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, annotations.Surroundings{})
			*d.injections = tc.injections
			if got := outline(d.ask(tc.before, tc.after)); got != tc.want || d.injections.asked != tc.asked {
				t.Errorf("got  %s, asked %d times\nwant %s, %d times", got, d.injections.asked, tc.want, tc.asked)
			}
		})
	}
}

// TestOtherAutoscalersAreNoReasonToRefuse: a migration from one changes the Deployment first, or makes a new one.
func TestOtherAutoscalersAreNoReasonToRefuse(t *testing.T) {
	d := newDesk(t, annotations.Surroundings{Autoscalers: []annotations.Autoscaler{{Kind: "ScaledObject", Name: "web"}}})
	for before, want := range map[string]string{deployment(`{}`, "1"): "allowed; warned of metadata.annotations", deployment(good, "1"): "allowed; warned of metadata.annotations", "": "allowed; warned of metadata.annotations"} {
		if got := outline(d.ask(before, deployment(good, "1"))); got != want {
			t.Errorf("before %q: %s", before, got)
		}
	}
	if got := outline(d.ask(deployment(`{}`, "1"), deployment(good, ""))); got != "422 Invalid "+request0+"; warned of metadata.annotations" {
		t.Errorf("what else is wrong is refused: %s", got)
	}
}

// TestExponents: it is clear at once what quantities of this size mean, but computing with them would take hours.
func TestExponents(t *testing.T) {
	d := newDesk(t, annotations.Surroundings{})
	for request, want := range map[string]string{
		"1e999999999": "422 Invalid " + request0, "-1e999999999": "422 Invalid " + request0, "0e999999999": "422 Invalid " + request0,
		"1e-999999999": "allowed",
	} {
		if got := outline(d.ask("", deployment(good, request))); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
}

func TestVerdictsAreCounted(t *testing.T) {
	d := newDesk(t, annotations.Surroundings{})
	d.ask("", deployment(good, "1"))
	d.ask("", deployment(good, ""))
	d.ask(deployment(good, ""), deployment(good, ""))
	d.ask("", "{}", func(r *admissionv1.AdmissionRequest) { r.Operation = "\xff" })
	d.ask("", "{}", func(r *admissionv1.AdmissionRequest) { r.Kind.Kind = "\xff" })
	for labels, want := range map[[4]string]float64{
		{"CREATE", "Deployment", "allowed", ""}: 1, {"CREATE", "Deployment", "denied", annotations.FoundMissingRequest}: 1,
		{"UPDATE", "Deployment", "warned", annotations.FoundUnchanged}: 1, {"other", "Deployment", "allowed", ""}: 1, {"CREATE", "other", "allowed", ""}: 1,
	} {
		if got := testutil.ToFloat64(d.telemetry.verdicts.WithLabelValues(labels[:]...)); got != want {
			t.Errorf("%v: %v, want %v", labels, got, want)
		}
	}
	if n := testutil.CollectAndCount(d.telemetry.verdicts); n != 5 {
		t.Errorf("%d series, want 5", n)
	}
}

func TestWhatIsNoReview(t *testing.T) {
	for name, body := range map[string]string{
		"empty":           ``,
		"no JSON":         `request: [a, b]`,
		"another kind":    `{"apiVersion":"admission.k8s.io/v1","kind":"ConversionReview","request":{}}`,
		"another version": `{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{}}`,
		"no request":      `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`,
		"a list":          `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":[1,2]}`,
	} {
		answer := httptest.NewRecorder()
		newDesk(t, annotations.Surroundings{}).handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body)))
		if answer.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d %s, want 400", name, answer.Code, answer.Body)
		}
	}
}

// TestAReviewCostsLittle: whatever a review has beside its objects is not decoded.
func TestAReviewCostsLittle(t *testing.T) {
	const size, most = 1 << 20, 12
	around := func(part, before, after string) string {
		list := strings.TrimSuffix(strings.Repeat(part+",", size/(len(part)+1)), ",")
		return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1",` + before + list + after + `}}`
	}
	for name, body := range map[string]string{
		"groups":  around(`""`, `"userInfo":{"groups":[`, `]}`),
		"extra":   around(`"a":[]`, `"userInfo":{"extra":{`, `}}`),
		"options": around(`{}`, `"options":[`, `]`),
		"YAML":    "request: [" + strings.Repeat("a,", size/2) + "a]",
	} {
		request := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readReview(request)
		runtime.ReadMemStats(&after)
		cost := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(body))
		t.Logf("%s: %.1f bytes for each byte, error %v", name, cost, err)
		if cost > most {
			t.Errorf("%s: reading took %.1f bytes for each byte, want at most %d", name, cost, most)
		}
	}
}

// TestAStrangersTextIsNotRepeated, neither in an answer nor in the log.
func TestAStrangersTextIsNotRepeated(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	d := newDesk(t, annotations.Surroundings{})
	d.handler = NewHandler(HandlerConfig{Defaults: annotations.DefaultDefaults(), Kinds: kinds{trains}, Surroundings: around{}, Revisions: d.revisions, Injections: d.injections, Telemetry: d.telemetry, Log: zap.New(core)})
	long := strings.Repeat("x", 1<<20)
	for name, text := range map[string]string{
		"deletion": `{"metadata":{"deletionTimestamp":"` + long + `"}}`, "replicas": `{"spec":{"replicas":` + strings.Repeat("9", 1<<20) + `}}`,
		"annotations": `{"metadata":{"annotations":"\u001b[31m` + long + `"}}`,
	} {
		r := d.ask("", text, func(r *admissionv1.AdmissionRequest) { r.Name, r.UserInfo.Username = long, long })
		if len(r.Warnings) != 1 || len(r.Warnings[0]) > 200 || strings.Contains(r.Warnings[0], "\x1b") {
			t.Errorf("%s: %d warnings, %.300q", name, len(r.Warnings), r.Warnings)
		}
	}
	for range 100 {
		d.ask("", `{"metadata":3}`)
	}
	if logs.Len() == 0 || logs.Len() > 20 {
		t.Errorf("%d lines were logged, want a few", logs.Len())
	}
	for _, line := range logs.All() {
		for _, f := range line.Context {
			if len(f.String) > 300 {
				t.Errorf("%s: %d bytes in %s", line.Message, len(f.String), f.Key)
			}
		}
	}
}

// TestTheMostProblemsCostLittle: a stranger's body of a few KiB cannot keep the handler busy or make its answer long.
func TestTheMostProblemsCostLittle(t *testing.T) {
	var metrics, containers []string
	for i := range 150 {
		metrics = append(metrics, fmt.Sprintf(`{"type":"Resource","resource":{"name":"r%d","target":{"type":"Utilization","averageUtilization":1}}}`, i))
	}
	for i := range maxContainers {
		containers = append(containers, fmt.Sprintf(`{"name":"c%d"}`, i))
	}
	pairs, err := json.Marshal(map[string]string{"mini-hpa/max": "10", "mini-hpa/metrics": "[" + strings.Join(metrics, ",") + "]"})
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"metadata":{"annotations":%s},"spec":{"template":{"spec":{"containers":[%s]}}}}`, pairs, strings.Join(containers, ","))
	d := newDesk(t, annotations.Surroundings{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := d.ask("", body)
	runtime.ReadMemStats(&after)
	answer, err := json.Marshal(r)
	if err != nil || r.Allowed {
		t.Fatal(err, r.Allowed)
	}
	const most = 100 << 20
	t.Logf("%d bytes of request, %d of answer, %d MiB allocated", len(body), len(answer), (after.TotalAlloc-before.TotalAlloc)>>20)
	if len(answer) > 200<<10 || after.TotalAlloc-before.TotalAlloc > most {
		t.Errorf("%d bytes of answer, %d allocated", len(answer), after.TotalAlloc-before.TotalAlloc)
	}
}

// counted are surroundings that count how often they are asked for.
type counted struct {
	asked     int
	w, before *annotations.Workload
}

func (c *counted) Surroundings(w, before *annotations.Workload) annotations.Surroundings {
	c.asked++
	c.w, c.before = w, before
	return annotations.Surroundings{}
}

// TestTheSurroundingsAreAskedForOnce, so that the whole verdict is about the same ones: those of the workload as it is to be, and as it was.
func TestTheSurroundingsAreAskedForOnce(t *testing.T) {
	d, around := newDesk(t, annotations.Surroundings{}), &counted{}
	d.handler = NewHandler(HandlerConfig{Defaults: annotations.DefaultDefaults(), Kinds: kinds{trains}, Surroundings: around, Revisions: d.revisions, Injections: d.injections, Telemetry: d.telemetry, Log: zap.NewNop()})
	d.revisions.revision = deployment(good, "")
	d.ask(deployment(good, "1"), deployment(`{"mini-hpa/target-cpu":"50","mini-hpa/max":"10","mini-hpa/container":"proxy"}`, ""))
	if around.asked != 1 || d.injections.asked != 1 || d.revisions.asked != 1 {
		t.Errorf("asked %d times for the surroundings, %d for what is injected, %d for revisions", around.asked, d.injections.asked, d.revisions.asked)
	}
	if around.w.Annotations["mini-hpa/container"] != "proxy" || around.before.Annotations["mini-hpa/container"] != "" {
		t.Errorf("asked for the surroundings of %+v, before %+v", around.w, around.before)
	}
}
