package webhook

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// kinds are the built-in ones and some more.
type kinds []annotations.Kind

func (k kinds) Of(kind schema.GroupKind) (annotations.Kind, bool) {
	for _, one := range k {
		if one.GroupKind() == kind {
			return one, true
		}
	}
	return BuiltinKinds{}.Of(kind)
}

// trains have their replicas where nobody else has.
var trains = annotations.Kind{GroupVersionKind: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Train"}, Resource: "trains",
	ReplicasPath: ".spec.workers.count", StatusReplicasPath: ".status.workers", SelectorPath: ".status.selector"}

func builtin(t testing.TB, name string) annotations.Kind {
	t.Helper()
	kind, ok := BuiltinKinds{}.Of(schema.GroupKind{Group: "apps", Kind: name})
	if !ok {
		t.Fatalf("%s is not built in", name)
	}
	return kind
}

// of has a request be about a kind.
func of(group, version, kind string) func(*admissionv1.AdmissionRequest) {
	return func(r *admissionv1.AdmissionRequest) {
		r.Kind = metav1.GroupVersionKind{Group: group, Version: version, Kind: kind}
	}
}

// controlled is such an object that another one controls.
func controlled(object string) string {
	return strings.Replace(object, `"uid":"u"`, `"uid":"u","ownerReferences":[{"kind":"Other","uid":"1"},{"apiVersion":"apps/v1","kind":"Deployment","name":"web","uid":"d","controller":true}]`, 1)
}

// TestEveryKindOfGroupAppsIsReviewed by the same rules, and refused under its own name.
func TestEveryKindOfGroupAppsIsReviewed(t *testing.T) {
	for _, kind := range []string{"Deployment", "StatefulSet", "ReplicaSet"} {
		for name, tc := range map[string]struct{ before, after, want string }{
			"good":                      {after: deployment(good, "1"), want: "allowed"},
			"no request":                {after: deployment(good, ""), want: "422 Invalid " + request0},
			"an old problem":            {before: deployment(good, ""), after: deployment(`{"mini-hpa/target-cpu":"60","mini-hpa/max":"10"}`, ""), want: "allowed; warned of " + request0},
			"a request is taken away":   {before: deployment(good, "1"), after: deployment(good, ""), want: "422 Invalid " + request0},
			"replicas are overwritten":  {before: deployment(good, "1"), after: strings.Replace(deployment(good, "1"), `"replicas":3`, `"replicas":2`, 1), want: "allowed; warned of spec.replicas"},
			"an object that is no JSON": {after: `{"metadata":{"annotations":3}}`, want: "allowed; warned of metadata.annotations"},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				r := newDesk(t, annotations.Surroundings{}).ask(tc.before, tc.after, of("apps", "v1", kind))
				if got := outline(r); got != tc.want {
					t.Errorf("got  %s\nwant %s", got, tc.want)
				}
				if !r.Allowed && (r.Result.Details.Kind != kind || !strings.HasPrefix(r.Result.Message, kind+`.apps "web" is invalid: `)) {
					t.Errorf("status %+v", r.Result)
				}
			})
		}
	}
}

// TestAnObjectThatIsControlledIsNotRefused: its controller may have copied the annotations to it and must be able to make it, and is
// scaled in its place if mini-hpa knows its kind. A ReplicaSet that is controlled is never scaled.
func TestAnObjectThatIsControlledIsNotRefused(t *testing.T) {
	const warned, refused = "allowed; warned of " + request0, "422 Invalid " + request0
	by := func(apiVersion, kind string) string {
		return strings.Replace(controlled(deployment(good, "")), `"apiVersion":"apps/v1","kind":"Deployment"`, fmt.Sprintf(`"apiVersion":%q,"kind":%q`, apiVersion, kind), 1)
	}
	loose := func(object string) string {
		return strings.Replace(object, `"controller":true`, `"controller":false`, 1)
	}
	for name, tc := range map[string]struct{ before, after, kind, want string }{
		"by a custom resource":                   {after: by("example.com/v1", "Train"), kind: "StatefulSet", want: warned},
		"by one of another version":              {after: by("example.com/v7", "Train"), kind: "StatefulSet", want: warned},
		"by a custom resource, when it changes":  {before: by("example.com/v1", "Train"), after: strings.Replace(by("example.com/v1", "Train"), `"10"`, `"0"`, 1), kind: "Deployment", want: "allowed; warned of " + request0 + "; warned of metadata.annotations[mini-hpa/max]"},
		"by a Deployment":                        {after: by("apps/v1", "Deployment"), kind: "StatefulSet", want: warned},
		"by one of the same kind in a new group": {after: by("example.org/v1", "Train"), kind: "StatefulSet", want: refused},
		"by one whose kind is not scaled":        {after: by("example.com/v1", "Station"), kind: "StatefulSet", want: refused},
		"owned by a custom resource":             {after: loose(by("example.com/v1", "Train")), kind: "StatefulSet", want: refused},
		"a ReplicaSet by a Deployment":           {after: by("apps/v1", "Deployment"), kind: "ReplicaSet", want: "allowed"},
		"a ReplicaSet by anything":               {after: by("example.com/v1", "Station"), kind: "ReplicaSet", want: "allowed"},
		"a ReplicaSet owned by a Deployment":     {after: loose(by("apps/v1", "Deployment")), kind: "ReplicaSet", want: refused},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, annotations.Surroundings{})
			r := d.ask(tc.before, tc.after, of("apps", "v1", tc.kind))
			if got := outline(r); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if why := `(let through because Train "web" controls this StatefulSet`; name == "by a custom resource" && !strings.Contains(r.Warnings[0], why) {
				t.Errorf("warning %s lacks %s", r.Warnings[0], why)
			}
		})
	}
}

func TestTheLogNamesTheWorkload(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	d := newDesk(t, annotations.Surroundings{})
	d.handler = NewHandler(HandlerConfig{Defaults: annotations.DefaultDefaults(), Kinds: BuiltinKinds{}, Surroundings: around{}, Revisions: d.revisions,
		Injections: d.injections, Telemetry: d.telemetry, Log: zap.New(core)})
	d.ask("", deployment(good, ""), of("apps", "v1", "StatefulSet"))
	if got := logs.FilterMessage("refused").All(); len(got) != 1 || got[0].ContextMap()["workload"] != "statefulsets.apps/shop/web" {
		t.Errorf("logged %v", got)
	}
}

// train is the JSON of a Train with so many workers and a pod template, both given as JSON.
func train(pairs, count, template string) string {
	return fmt.Sprintf(`{"metadata":{"namespace":"shop","name":"web","uid":"u","annotations":%s},"spec":{"replicas":"many","workers":{"count":%s},"template":%s}}`, pairs, count, template)
}

func TestCustomKindsAreReviewed(t *testing.T) {
	const (
		with, without = `{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"1"}}}]}}`, `{"spec":{"containers":[{"name":"app"}]}}`
		cpu           = "metadata.annotations[mini-hpa/target-cpu]"
		replicas      = "allowed; warned of spec.replicas"
		unknown       = "allowed; warned of " + cpu
	)
	slip := strings.Replace(good, `"10"`, `"0"`, 1)
	for name, tc := range map[string]struct{ before, after, version, want string }{
		"with a template":                          {after: train(good, "3", with), want: "allowed"},
		"no request":                               {after: train(good, "3", without), want: "422 Invalid " + request0},
		"a request is taken away":                  {before: train(good, "3", with), after: train(good, "3", without), want: "422 Invalid " + request0},
		"it was missing before":                    {before: train(good, "3", without), after: train(strings.Replace(good, "50", "60", 1), "3", without), want: "allowed; warned of " + request0},
		"no template":                              {after: train(good, "3", "null"), want: unknown},
		"a template without containers":            {after: train(good, "3", `{"spec":{}}`), want: unknown},
		"a template that is something else":        {after: train(good, "3", `"web"`), want: unknown},
		"a template that is a list":                {after: train(good, "3", `[1]`), want: unknown},
		"no template, and a mistake":               {after: train(slip, "3", "null"), want: "422 Invalid metadata.annotations[mini-hpa/max]; warned of " + cpu},
		"the template is gone":                     {before: train(good, "3", with), after: train(good, "3", "null"), want: unknown},
		"the template comes, without a request":    {before: train(good, "3", "null"), after: train(good, "3", without), want: "422 Invalid " + request0},
		"workers are overwritten":                  {before: train(good, "3", with), after: train(good, "2", with), want: replicas},
		"workers that are no number":               {before: train(good, "3", with), after: train(good, `"2"`, with), want: "allowed"},
		"workers beyond all":                       {before: train(good, "3", with), after: train(good, "1e30", with), want: "allowed"},
		"another version has them elsewhere":       {before: train(good, "3", with), after: train(good, "2", with), version: "v2", want: "allowed"},
		"a spec that is none":                      {after: `{"metadata":{"annotations":` + good + `},"spec":3}`, want: unknown},
		"metadata that is none":                    {after: `{"metadata":3}`, want: "allowed; warned of metadata.annotations"},
		"a template that is too large":             {after: train(good, "3", `{"spec":{"containers":[`+strings.Repeat("{},", maxContainers)+`{}]}}`), want: "allowed; warned of metadata.annotations"},
		"one that is being deleted":                {after: `{"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z","annotations":` + slip + `}}`, want: "allowed"},
		"one without annotations":                  {after: train("{}", "3", without), want: "allowed"},
		"one that somebody controls":               {after: controlled(train(slip, "3", with)), want: "allowed; warned of metadata.annotations[mini-hpa/max]"},
		"replicas count where the path leads only": {before: train(good, "3", with), after: strings.Replace(train(good, "3", with), `"many"`, "7", 1), want: "allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.version == "" {
				tc.version = "v1"
			}
			r := newDesk(t, annotations.Surroundings{}).ask(tc.before, tc.after, of("example.com", tc.version, "Train"))
			if got := outline(r); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if !r.Allowed && (r.Result.Details.Group != "example.com" || !strings.HasPrefix(r.Result.Message, `Train.example.com "web" is invalid: `)) {
				t.Errorf("status %+v", r.Result)
			}
		})
	}
}

// TestCustomKindsAreDecodedAsTheyAreWatched: admission and controller have the same opinion of an object.
func TestCustomKindsAreDecodedAsTheyAreWatched(t *testing.T) {
	for _, text := range []string{
		train(good, "3", `{"metadata":{"labels":{"istio.io/rev":"x"}},"spec":{"containers":[{"name":"app","image":"i","resources":{"requests":{"cpu":"1"}}}]}}`),
		train(good, "null", "null"), train(good, "2.0", "{}"), train(good, "-1", "3"), train(good, "2.5", "{}"), train(good, "99999999999", "{}"), controlled(train(good, "1", "{}")),
	} {
		var object map[string]any
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{Object: object}
		want := trains.Read(o)
		got, err := decode(trains, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		delete(want.Annotations, "team") // what no check reads is not kept
		want.SetBy, want.Version = "", ""
		if diff := cmp.Diff(want, got.workload); diff != "" {
			t.Errorf("%s (-watched +decoded):\n%s", text, diff)
		}
	}
}

// TestNobodyKnowsTheRevisionsOfACustomKind: nothing is asked for them, and a problem is refused.
func TestNobodyKnowsTheRevisionsOfACustomKind(t *testing.T) {
	names, objects := remembered(t)
	for _, kind := range []schema.GroupKind{trains.GroupKind(), replicaSets} {
		found, err := NewRevisions(names, objects).Find(t.Context(), kind, "shop", inReview(t, "app:1"))
		if found != nil || err != nil || len(names.Actions())+len(objects.Actions()) > 0 {
			t.Errorf("%s: %v %v, and %d requests", kind, found, err, len(names.Actions())+len(objects.Actions()))
		}
	}
}

func TestTheEndOfAPath(t *testing.T) {
	for name, tc := range map[string]struct{ text, path, want string }{
		"deep":             {`{"a":{"b":{"c":1}}}`, ".a.b.c", "1"},
		"the last counts":  {`{"a":{"b":1},"a":{"b":2}}`, ".a.b", "2"},
		"no path":          {`{"a":1}`, "", ""},
		"nothing there":    {`{"a":1}`, ".b", ""},
		"beyond a value":   {`{"a":1}`, ".a.b", ""},
		"no object":        {`[1]`, ".a", ""},
		"no JSON":          {`{"a`, ".a", ""},
		"nothing at all":   {``, ".a", ""},
		"it is after null": {`{"x":null,"a":{"b":[1]}}`, "a.b", "[1]"},
	} {
		if got := string(at([]byte(tc.text), tc.path)); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
