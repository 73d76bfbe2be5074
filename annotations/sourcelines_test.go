package annotations

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// lined is what one line means: its ID, its target, and what else it says.
type lined struct {
	ID, Average, Total, Active string
	Limit                      int32
	Signal                     bool
}

func linesOf(p Policy) []lined {
	var all []lined
	text := func(q *resource.Quantity) string {
		if q == nil {
			return ""
		}
		return q.String()
	}
	for _, m := range p.Metrics {
		if m.Line != nil {
			target := m.Spec.External.Target
			all = append(all, lined{m.ID, text(target.AverageValue), text(target.Value), m.Line.Active.String(), m.Line.Limit, m.Line.Signal})
		}
	}
	return all
}

func TestLinesOfSources(t *testing.T) {
	tests := map[string]struct {
		value string
		want  []lined
	}{
		"lag of a topic":     {"orders-kafka group=shop.orders topic=shop.orders target=100", []lined{{"orders-kafka@lag", "100", "", "0", 0, false}}},
		"messages":           {"rabbit queue=transcode target=1 limit=20", []lined{{"rabbit@messages", "1", "", "0", 20, false}}},
		"a query":            {"prom requests-per-second total=2k active=0.5", []lined{{"prom@requests-per-second", "", "2k", "500m", 0, false}}},
		"a signal":           {"prom ingress-requests service=web   # anybody there?", []lined{{"prom@ingress-requests", "", "", "0", 0, true}}},
		"a list":             {"cache list=shop:mail target=10", []lined{{"cache@length", "10", "", "0", 0, false}}},
		"a stream":           {"cache stream=shop:mail target=10", []lined{{"cache@length", "10", "", "0", 0, false}}},
		"a stream's group":   {"cache stream=shop:mail group=a target=10", []lined{{"cache@lag", "10", "", "0", 0, false}}},
		"a consumer":         {"nats stream=mail consumer=a target=10", []lined{{"nats@pending", "10", "", "0", 0, false}}},
		"pods":               {"workload selector=app=web,tier=x target=10", []lined{{"workload@pods", "10", "", "0", 0, false}}},
		"anything else":      {"sun elevation=5 target=1", []lined{{"sun@value", "1", "", "0", 0, false}}},
		"nothing but a name": {"sun", []lined{{"sun@value", "", "", "0", 0, true}}},
		"two of one name": {"cache stream=s group=mailer target=200\n\n# the other\ncache stream=s group=audit target=1000",
			[]lined{{"cache@lag{group=mailer,stream=s}", "200", "", "0", 0, false}, {"cache@lag{group=audit,stream=s}", "1k", "", "0", 0, false}}},
		"values that look alike": {"cache list=\"a,b=c\" target=1\ncache list=a b=c target=1\ncache list=\"\" target=1",
			[]lined{{`cache@length{list="a,b=c"}`, "1", "", "0", 0, false}, {"cache@length{b=c,list=a}", "1", "", "0", 0, false}, {`cache@length{list=""}`, "1", "", "0", 0, false}}},
		"measured twice, once for each pod": {"prom rps target=1\nprom rps total=9", []lined{{"prom@rps", "1", "", "0", 0, false}, {"prom@rps", "", "9", "0", 0, false}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			policy, warnings, errs := parse(map[string]string{Max: "10", SourcesKey: tc.value})
			if len(errs)+len(warnings) > 0 {
				t.Fatalf("%v %v", errs, warnings)
			}
			if diff := cmp.Diff(tc.want, linesOf(policy)); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatALineAsksFor(t *testing.T) {
	policy, _, errs := parse(map[string]string{Max: "10", TargetCPU: "50", SourcesKey: "# first\nprom rps service=web window=\"2 m\" target=40 active=1 limit=3"})
	if len(errs) > 0 || len(policy.Metrics) != 2 {
		t.Fatalf("%v, metrics %v", errs, policy.Metrics)
	}
	m := policy.Metrics[1]
	if m.Line.Number != 2 || m.Source != "prom" || m.Spec.External.Metric.Name != "prom@rps" || m.Spec.External.Metric.Selector != nil || !m.IsTotal() {
		t.Errorf("line %d of %q, metric %+v", m.Line.Number, m.Source, m.Spec.External.Metric)
	}
	asked := m.Asked()
	if diff := cmp.Diff(map[string]string{"service": "web", "window": "2 m"}, asked.Given); diff != "" || asked.Source != "prom" || asked.Query != "rps" {
		t.Errorf("asks %+v", asked)
	}
}

func TestLinesThatAreRefused(t *testing.T) {
	const target = `must be a quantity above 0, such as "100", "0.5" or "2k"`
	tests := map[string]struct{ value, want string }{
		"nothing":             {"# later", "must have at least one line such as " + exampleLine},
		"no name":             {"Prom target=1", `line 1: source "Prom" must be the name of one that the administrator has listed: up to 63 lowercase letters, digits and "-", with a letter or digit at both ends, as in ` + exampleLine},
		"a metrics API":       {"external target=1", `line 1: source "external" must be the name of one that the administrator has listed; metrics of the external metrics API belong in mini-hpa/metrics`},
		"a query in words":    {"prom sum(up)", `line 1: query "sum(up)" must be the name of one: up to 63 letters, digits, "-", "_" and "."; after the source there may be the name of a query, and then only keys, each with a value`},
		"two queries":         {"\nprom a b", `line 2: word "b" must not be there; after the source there may be the name of a query, and then only keys, each with a value`},
		"a query at the end":  {"prom target=1 rps", `line 1: word "rps" must not be there; after the source there may be the name of a query, and then only keys, each with a value`},
		"a target of nothing": {"prom target=0", `line 1: target "0" ` + target},
		"a target below it":   {"prom total=-1", `line 1: total "-1" ` + target},
		"a target in words":   {"prom target=many", `line 1: target "many" ` + target},
		"a bomb":              {"prom target=1e-999999999x", `line 1: target "1e-999999999x" ` + target},
		"both targets":        {"prom target=1 total=9", `line 1: must have only one of "target", which is for each pod, and "total", which is for all of them`},
		"active below 0":      {"prom active=-1", `line 1: active "-1" must be a quantity that is not below 0, such as "5": what is above it is active`},
		"a limit of nothing":  {"prom limit=0", `line 1: limit "0" must be a whole number of replicas from 1 to 2147483647, in digits only`},
		"a key twice":         {"prom a=1 a=2", `line 1: key "a" must not be there twice`},
		"a value first":       {"target=1", `line 1: must begin with a word, not with key "target"`},
		"what does not print": {"prom queue=\"\u202e\" total=\"\\x1b[2J\"", `line 1: total "\x1b[2J" ` + target},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, errs := parse(map[string]string{Max: "10", SourcesKey: tc.value})
			if len(errs) != 1 || errs[0].Detail != tc.want || errs[0].Origin != FoundInvalid {
				t.Errorf("got %v\nwant %s", errs, tc.want)
			}
		})
	}
	_, _, errs := parse(map[string]string{Max: "10", SourcesKey: "prom target=0\nrabbit queue=a limit=x\n"})
	var fields []string
	for _, err := range errs {
		fields = append(fields, err.Field)
	}
	if diff := cmp.Diff([]string{"metadata.annotations[mini-hpa/sources][0]", "metadata.annotations[mini-hpa/sources][1]"}, fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestTheSameLineTwice(t *testing.T) {
	_, warnings, errs := parse(map[string]string{Max: "10", SourcesKey: "prom rps a=1 b=2 target=40\nprom rps a=1 target=40\nprom rps b=2 a=1 target=50 active=1"})
	want := "metadata.annotations[mini-hpa/sources]: line 3: measures the same as line 1; the one that asks for more replicas wins"
	if len(errs) > 0 || len(warnings) != 1 || warnings[0].String() != want {
		t.Errorf("%v %v, want %s", errs, warnings, want)
	}
}

// TestAmountsTooFineToCount of a line are told with what they count as.
func TestAmountsTooFineToCount(t *testing.T) {
	at := "metadata.annotations[mini-hpa/sources]: line "
	for value, want := range map[string][]string{
		"prom rps target=100u":           {at + "1: target is 100u and counts as 1m" + roundedUp + "1m"},
		"prom a\nprom rps total=0.0025":  {at + "2: total is 2500u and counts as 3m" + roundedUp + "3m"},
		"prom rps target=1 active=1e-9":  {at + "1: active is 1e-9 and counts as 1e-3" + roundedUp + "1e-3"},
		"prom rps target=0.001 active=0": nil,
		"prom rps target=2.5":            nil,
	} {
		_, warnings, errs := parse(map[string]string{Max: "10", SourcesKey: value})
		var got []string
		for _, warning := range warnings {
			got = append(got, warning.String())
		}
		if diff := cmp.Diff(want, got); diff != "" || len(errs) > 0 {
			t.Errorf("%q: errors %v, warnings (-want +got):\n%s", value, errs, diff)
		}
	}
	want := "metadata.annotations[mini-hpa/wake]: line 1: target is 500u and counts as 1m" + roundedUp + "1m"
	if _, warnings, errs := parse(basic(map[string]string{WakeKey: "requests service=web path=always target=500u"})); len(errs) > 0 || len(warnings) != 1 || warnings[0].String() != want {
		t.Errorf("%v %v, want %s", errs, warnings, want)
	}
}

// TestALineIsAMetric: it is enough to scale on, it wakes, and it puts to sleep.
func TestALineIsAMetric(t *testing.T) {
	for value, want := range map[string]string{"prom rps": "", "prom rps target=1": "", "prom ?": FoundInvalid} {
		v := DefaultDefaults().Review(&Workload{Annotations: map[string]string{Min: "0", Max: "10", SourcesKey: value, SleepAfter: "5m"}}, Surroundings{})
		var found []string
		for _, problem := range v.Problems {
			found = append(found, problem.Origin)
		}
		if strings.Join(found, " ") != want || len(v.Warnings) > 0 {
			t.Errorf("%s: %v %v, want %q", value, v.Problems, v.Warnings, want)
		}
	}
	v := DefaultDefaults().Review(&Workload{Annotations: map[string]string{Min: "0", Max: "10", SourcesKey: "prom rps", ScaleUpPolicies: "disabled"}}, Surroundings{})
	if len(v.Problems) != 1 || v.Problems[0].Origin != FoundNothingWakes {
		t.Errorf("scaling up is disabled: %v", v.Problems)
	}
}

// catalogOf is a list of sources of two types: one with queries, one with topics.
func catalogOf(entries string) *catalog.Catalog {
	c, err := catalog.Parse([]byte("{version: v1, sources: ["+entries+"]}"), []catalog.Type{
		{Name: "queries", Queries: true},
		{Name: "topics", Parameters: []catalog.Parameter{{Name: "group", Kind: catalog.KindWord, Allowed: true}, {Name: "topic", Kind: catalog.KindWord, Allowed: true}}},
	})
	if err != nil {
		panic(err) // the lists are written so that they are right
	}
	return c
}

const ordersOf = `{name: orders-kafka, type: topics, namespaces: ["*"], allow: {group: ["$namespace.*"], topic: ["$namespace.*"]}}`

func ofShop(sources string) *Workload {
	return &Workload{Key: Key{Namespace: "shop", Name: "worker"}, Annotations: map[string]string{Max: "10", SourcesKey: sources}}
}

// TestLinesAreHeldToTheList of the administrator, where there is one.
func TestLinesAreHeldToTheList(t *testing.T) {
	listed := Surroundings{Sources: catalogOf(ordersOf)}
	w := ofShop("# two\norders-kafka group=shop.a topic=shop.a target=1\norders-kafka group=a topic=b target=1")
	v := DefaultDefaults().Review(w, listed)
	var got []string
	for _, problem := range v.Problems {
		got = append(got, problem.Origin+" "+problem.Error())
	}
	const field = `SourceForbidden metadata.annotations[mini-hpa/sources][2]: Invalid value: "orders-kafka group=a topic=b target=1": line 3: `
	want := []string{
		field + `group "a" is not what namespace "shop" may ask of source "orders-kafka"; allowed is "shop.*"`,
		field + `topic "b" is not what namespace "shop" may ask of source "orders-kafka"; allowed is "shop.*"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if v := DefaultDefaults().Review(w, Surroundings{}); len(v.Problems) > 0 {
		t.Errorf("judged by a list that is not known: %v", v.Problems)
	}
	if v := DefaultDefaults().Review(w, Surroundings{Sources: &catalog.Catalog{}}); len(v.Problems) != 2 || v.Problems[0].Origin != FoundUnknownSource {
		t.Errorf("nothing is listed: %v", v.Problems)
	}
}

// TestASourceThatIsTakenAway is a problem only of updates that touch its line.
func TestASourceThatIsTakenAway(t *testing.T) {
	const line, other = "orders-kafka group=shop.a topic=shop.a target=1", "orders-kafka group=shop.b topic=shop.b target=1"
	gone := Surroundings{Sources: &catalog.Catalog{}}
	for name, tc := range map[string]struct {
		before, after string
		image         string
		denied        bool
	}{
		"another change":       {before: line, after: line, image: "v2"},
		"its line has moved":   {before: line + "\n" + other, after: "# below\n" + other + "\n  " + line},
		"a line fewer":         {before: line + "\n" + other, after: other},
		"its line has changed": {before: line, after: line + "0", denied: true},
		"a line more":          {before: line, after: line + "\n" + other, denied: true},
		"the first line":       {before: "prom ?", after: line, denied: true},
	} {
		t.Run(name, func(t *testing.T) {
			after := ofShop(tc.after)
			after.Annotations["image"] = tc.image
			v := DefaultDefaults().ReviewUpdate(ofShop(tc.before), after, gone)
			if len(v.Problems) > 0 != tc.denied {
				t.Errorf("problems %v", v.Problems)
			}
			for _, w := range v.Warnings {
				if w.Rule != FoundUnchanged {
					t.Errorf("warning %v", w)
				}
			}
			if !tc.denied && len(v.Warnings) == 0 {
				t.Error("nothing is told")
			}
		})
	}
}
