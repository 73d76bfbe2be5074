package catalog

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestParse(t *testing.T) {
	c := parsed(t, string(example(t)))
	var names []string
	for _, e := range c.Entries() {
		names = append(names, e.Name)
		if c.Entry(e.Name) != e || len(e.Digest) != 32 {
			t.Errorf("%+v", e)
		}
	}
	if diff := cmp.Diff([]string{"prom", "orders-kafka", "rabbit", "cache", "billing", "cosmos", "workload"}, names); diff != "" {
		t.Error(diff)
	}
	ignored := cmpopts.IgnoreFields(Entry{}, "Type", "Digest")
	prom := &Entry{
		Name: "prom", Namespaces: []string{"!kube-*", "*"}, Timeout: 5 * time.Second, MaxAge: 15 * time.Second, Concurrency: 4,
		Settings: &server{URL: "https://prometheus.monitoring.svc:9090", TLS: &tlsFiles{CAFile: "/etc/mini-hpa/sources/prom/ca.crt"}},
		Queries: []Query{
			{Name: "requests-per-second", Query: `sum(rate(http_requests_total{namespace="$namespace",service="$service"}[$window]))`, Empty: "failure", Unit: "requests/s", Parameters: map[string]Parameter{
				"service": {Name: "service", Kind: KindName, Default: "$workload"},
				"window":  {Name: "window", Kind: KindDuration, Min: "30s", Max: "10m", Default: "2m"},
			}},
			{Name: "inference-queue", Query: `sum(llm_d_epp_flow_control_queue_size{inference_pool="$pool"}) or vector(0)`, Empty: "failure", Parameters: map[string]Parameter{"pool": {Name: "pool", Kind: KindName}}},
		},
	}
	prom.Settings.(*server).Auth.BearerTokenFile = "/etc/mini-hpa/sources/prom/token"
	if diff := cmp.Diff(prom, c.Entry("prom"), ignored); diff != "" {
		t.Error(diff)
	}
	cosmos := &Entry{
		Name: "cosmos", Namespaces: []string{"shop", "billing"}, Timeout: 5 * time.Second, MaxAge: 15 * time.Second, Concurrency: 4,
		Allow:    map[string][]string{"databaseId": {"$namespace-*"}, "containerId": {"*"}},
		Settings: &scaler{tlsOfScaler{tlsFiles{"/a", "/b", "/c", false}}, "external-scaler-azure-cosmos-db.keda.svc:4050", map[string]string{"connectionFromEnv": "COSMOS"}},
	}
	if diff := cmp.Diff(cosmos, c.Entry("cosmos"), ignored, cmp.AllowUnexported(scaler{})); diff != "" {
		t.Error(diff)
	}
	if got := c.Entry("cosmos").Type; got.Name != "keda" || !got.Open {
		t.Errorf("%+v", got)
	}
}

func TestNothing(t *testing.T) {
	for name, c := range map[string]*Catalog{"nil": nil, "zero": {}, "no types": Empty(nil)} {
		_, problems := c.Resolve(Workload{"shop", "Deployment", "web"}, Asked{Source: "workload"})
		if len(c.Entries()) != 0 || c.Entry("workload") != nil || len(problems) != 1 || problems[0].Rule != UnknownSource {
			t.Errorf("%s has %v, and says %v", name, c.Entries(), problems)
		}
	}
	c := Empty(types())
	if _, problems := c.Resolve(Workload{"shop", "Deployment", "web"}, Asked{Source: "workload", Given: given("selector", "a=b")}); len(problems) > 0 || len(c.Entries()) != 1 {
		t.Errorf("without a file, %v of %v", problems, c.Entries())
	}
	if c := parsed(t, "{version: v1, sources: []}"); len(c.Entries()) != 1 {
		t.Errorf("%v", c.Entries())
	}
}

func TestDefaults(t *testing.T) {
	c := parsed(t, `
version: v1
defaults: {timeout: 1s, concurrency: 2}
sources:
- {name: a, type: redis, addresses: [x], allow: {list: ["$namespace:*"]}}
- {name: b, type: redis, addresses: [x], allow: {list: ["*"]}, timeout: 10s, concurrency: 9, maxAge: 1m, settle: 60s}
`)
	type requests struct {
		Timeout, MaxAge, Settle time.Duration
		Concurrency             int
	}
	want := map[string]requests{
		"a":        {time.Second, 15 * time.Second, 0, 2},
		"b":        {10 * time.Second, time.Minute, time.Minute, 9},
		"workload": {time.Second, 15 * time.Second, 0, 2},
	}
	got := map[string]requests{}
	for _, e := range c.Entries() {
		got[e.Name] = requests{e.Timeout, e.MaxAge, e.Settle, e.Concurrency}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestNamespacesByDefault: a source is for everybody only where Allow keeps namespaces apart.
func TestNamespacesByDefault(t *testing.T) {
	tests := map[string]struct {
		entry string
		all   bool
	}{
		"kafka, both":                        {`type: kafka, allow: {group: ["$namespace.*"], topic: ["$namespace.*"]}`, true},
		"kafka, one glob for all":            {`type: kafka, allow: {group: ["$namespace.*"], topic: ["$namespace.*", "shared.*"]}`, false},
		"kafka, groups of anybody":           {`type: kafka, allow: {group: ["*"], topic: ["$namespace.*"]}`, false},
		"kafka, what others begin with, too": {`type: kafka, allow: {group: ["$namespace.*"], topic: ["$namespace-*"]}`, false},
		"rabbitmq, the vhost":                {`type: rabbitmq, url: "https://r", allow: {vhost: ["$namespace"], queue: ["*"]}`, true},
		"rabbitmq, a vhost of all":           {`type: rabbitmq, url: "https://r", allow: {vhost: ["/"], queue: ["$namespace.*"]}`, false},
		"rabbitmq, a vhost that is like it":  {`type: rabbitmq, url: "https://r", allow: {vhost: ["$namespace*"], queue: ["*"]}`, false},
		"redis, one kind of key":             {`type: redis, allow: {list: ["$namespace:*"]}`, true},
		"redis, another one of all":          {`type: redis, allow: {list: ["$namespace:*"], set: ["*"]}`, false},
		"redis, groups are of a stream":      {`type: redis, allow: {stream: ["$namespace:*"], group: ["*"]}`, true},
		"redis, groups of a stream of all":   {`type: redis, allow: {stream: ["*"], group: ["$namespace:*"]}`, false},
		"keda, which may be left out":        {`type: keda, allow: {databaseId: ["$namespace.*"]}`, false},
		"keda, nothing to say":               {`type: keda`, false},
		"a query":                            {`type: prometheus, url: "https://p", queries: [{name: q, query: 'x{namespace="$namespace"}'}]`, false},
		"whoever is said":                    {`type: keda, namespaces: ["*"]`, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := parsed(t, "{version: v1, sources: [{name: a, "+tt.entry+"}]}").Entry("a")
			want := []string(nil)
			if tt.all {
				want = []string{"*"}
			}
			if diff := cmp.Diff(want, e.Namespaces); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOverlapping has globs that name the namespace, and yet do not keep two of them apart.
func TestOverlapping(t *testing.T) {
	for entry, want := range map[string]string{
		`type: kafka, namespaces: ["*"], allow: {group: ["$namespace.*"], topic: ["$namespace.*", "shared.*"]}`:            "",
		`type: kafka, namespaces: ["*"], allow: {group: ["$namespace.*"], topic: ["$namespace-*"]}`:                        "topic",
		`type: kafka, namespaces: ["shop-*"], allow: {group: ["$namespace*"], topic: ["*.$namespace"]}`:                    "group topic",
		`type: kafka, namespaces: [shop], allow: {group: ["$namespace-*"], topic: ["$namespace-*"]}`:                       "",
		`type: kafka, namespaces: [shop, billing], allow: {group: ["$namespace-*"], topic: ["$namespace-*"]}`:              "",
		`type: kafka, namespaces: [shop, shop-evil], allow: {group: ["$namespace-*"], topic: ["$namespace-*"]}`:            "group topic",
		`type: kafka, namespaces: ["!shop-evil", shop], allow: {group: ["$namespace-*"], topic: ["$namespace-*"]}`:         "",
		`type: kafka, namespaces: ["!shop-*", shop, shop-evil], allow: {group: ["$namespace-*"], topic: ["$namespace-*"]}`: "",
		`type: kafka, namespaces: [shop, shop-evil, "!shop"], allow: {group: ["$namespace-*"], topic: ["$namespace-*"]}`:   "group topic",
		`type: kafka, namespaces: ["!shop", "*"], allow: {group: ["$namespace-*"], topic: ["$namespace-*"]}`:               "group topic",
		`type: kafka, namespaces: ["*"], allow: {group: ["*"], topic: ["orders"]}`:                                         "",
		`type: rabbitmq, url: "https://r", namespaces: ["*"], allow: {vhost: ["$namespace"], queue: ["$namespace-*"]}`:     "",
		`type: rabbitmq, url: "https://r", namespaces: ["*"], allow: {vhost: ["$namespace-*"], queue: ["$namespace*"]}`:    "queue vhost",
		`type: redis, namespaces: ["*"], allow: {stream: ["$namespace:*"], group: ["$namespace*"]}`:                        "",
	} {
		got := strings.Join(parsed(t, "{version: v1, sources: [{name: a, "+entry+"}]}").Entry("a").Overlapping(), " ")
		if got != want {
			t.Errorf("%s: %q, want %q", entry, got, want)
		}
	}
}

func TestDigest(t *testing.T) {
	const entry = `{name: a, type: kafka, brokers: [x], allow: {group: ["$namespace.*"], topic: ["$namespace.*"]}}`
	digest := func(text string) string { return parsed(t, "{version: v1, sources: ["+text+"]}").Entries()[0].Digest }
	first := digest(entry)
	same := map[string]string{
		"again":         entry,
		"another order": `{type: kafka, allow: {topic: ["$namespace.*"], group: ["$namespace.*"]}, brokers: ["x"], name: a}`,
		"what is meant": `{name: a, type: kafka, brokers: [x], namespaces: ["*"], timeout: 5000ms, maxAge: 15s, concurrency: 4, settle: 0s, allow: {group: ["$namespace.*"], topic: ["$namespace.*"]}}`,
	}
	for name, text := range same {
		if digest(text) != first {
			t.Errorf("%s has another digest", name)
		}
	}
	seen := map[string]string{first: "the first"}
	for _, replaced := range [][2]string{
		{"name: a", "name: b"}, {"[x]", "[y]"}, {"[x]", "[x], timeout: 4s"}, {"[x]", "[x], concurrency: 3"}, {"[x]", "[x], maxAge: 14s"}, {"[x]", "[x], settle: 1s"},
		{"[x]", "[x], namespaces: [b]"}, {"group: [", `group: ["x", `}, {"[x]", "[x], tls: {caFile: /x}"}, {"[x]", "[x], sasl: {userFile: /x}"},
	} {
		d := digest(strings.Replace(entry, replaced[0], replaced[1], 1))
		if seen[d] != "" {
			t.Errorf("%s has the digest of %s", replaced[1], seen[d])
		}
		seen[d] = replaced[1]
	}
}

// TestYAML has ways to write that are not those of the example.
func TestYAML(t *testing.T) {
	t.Run("aliases", func(t *testing.T) {
		c := parsed(t, `
version: v1
sources:
- {name: a, type: redis, addresses: &where [x, y], allow: &mine {list: &globs ["$namespace:*"]}}
- {name: b, type: redis, addresses: *where, allow: *mine}
- {name: c, type: redis, addresses: *where, allow: {set: *globs}}
`)
		if diff := cmp.Diff(c.Entry("a").Settings, c.Entry("b").Settings, cmp.AllowUnexported(cache{})); diff != "" || len(c.Entry("c").Allow["set"]) != 1 {
			t.Error(diff, c.Entry("c"))
		}
	})
	t.Run("text is what is written", func(t *testing.T) {
		c := parsed(t, `
version: v1
sources:
- name: a
  type: http
  url: !!str https://x
  tls: {insecure: true, caFile: no, keyFile: 010, certFile: 2026-01-01}
  linger: 90s
  queries: [{name: q, path: /$n/$e, parameters: {n: {type: integer, min: 1, max: 10, default: 2}, e: {type: enum, values: [1, true, yes]}}, empty: 0}]
`)
		s := c.Entry("a").Settings.(*server)
		want := &server{URL: "https://x", TLS: &tlsFiles{"no", "2026-01-01", "010", true}, Linger: metav1.Duration{Duration: 90 * time.Second}}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Error(diff)
		}
		q := c.Entry("a").Queries[0]
		if diff := cmp.Diff(Parameter{Name: "e", Kind: KindEnum, Values: []string{"1", "true", "yes"}}, q.Parameters["e"]); diff != "" || q.Empty != EmptyZero {
			t.Error(diff, q.Empty)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		parsed(t, `{"version": "v1", "sources": [{"name": "a", "type": "redis", "concurrency": 3, "allow": {"list": ["*"]}}]}`)
	})
}

func TestProblemsOfFile(t *testing.T) {
	tests := map[string]struct {
		file string
		want []string
	}{
		"empty":                  {"", []string{`is empty; must be a mapping with "version: v1"`}},
		"a comment":              {"# nothing", []string{`is empty; must be a mapping with "version: v1"`}},
		"too long":               {strings.Repeat("#", MaxLength+1), []string{"is 1048577 bytes long; must be at most 1048576"}},
		"bytes":                  {"version: v1\xff", []string{"must be valid UTF-8"}},
		"no YAML":                {"version: [", []string{`cannot be read as YAML: "line 1: did not find expected node content"`}},
		"a tab":                  {"version: v1\nsources:\n\t- name: a", []string{`cannot be read as YAML: "line 3: found character that cannot start any token"`}},
		"two documents":          {"version: v1\n---\nversion: v1", []string{"must be a single YAML document"}},
		"a text":                 {"version", []string{`the file: Invalid value: "version": must be a mapping`}},
		"a list":                 {"- a", []string{`the file: Invalid value: "a list": must be a mapping`}},
		"null":                   {"~", []string{"the file: Required value: there is nothing behind the colon; leave the name out, too, or say what it is"}},
		"no version":             {"sources: []", []string{`version: Required value: must be "v1"`}},
		"another version":        {"version: v2", []string{`version: Invalid value: "v2": must be "v1"`}},
		"a field":                {"version: v1\nsource: []", []string{`the file: Invalid value: "source": is no field here; did you mean "sources"? It must be one of "version", "defaults", "sources"`}},
		"another case":           {"Version: v1", []string{`the file: Invalid value: "Version": is no field here; did you mean "version"? It must be one of "version", "defaults", "sources"`}},
		"a field twice":          {"version: v1\nversion: v1", []string{`[version]: Duplicate value: "version"`}},
		"a merge":                {"version: v1\n<<: {sources: []}", []string{`the file: Invalid value: "<<": must not be the name of a member; names are text, and there are no merges ("<<")`}},
		"a name that is none":    {"version: v1\n[a]: b", []string{`the file: Invalid value: "a list": must not be the name of a member; names are text, and there are no merges ("<<")`}},
		"a tag":                  {"version: !!binary djE=", []string{`version: Invalid value: "!!binary": must not have a YAML tag other than "!!str"`}},
		"a tag of one's own":     {"version: v1\nsources: !go [a]", []string{`sources: Invalid value: "!go": must not have a YAML tag other than "!!str"`}},
		"nothing":                {"version: v1\nsources:", []string{"sources: Required value: there is nothing behind the colon; leave the name out, too, or say what it is"}},
		"a mapping for a list":   {"version: v1\nsources: {}", []string{`sources: Invalid value: "a mapping": must be a list`}},
		"a source that is text":  {"version: v1\nsources: [a, ~, [b]]", []string{"sources[1]: Required value: there is nothing behind the colon; leave the name out, too, or say what it is", `sources[0]: Invalid value: "a": must be a mapping`, `sources[2]: Invalid value: "a list": must be a mapping`}},
		"defaults":               {"version: v1\ndefaults: {timeout: 0s, maxAge: 1h, concurrency: 65, retries: 3}", []string{`defaults: Invalid value: "retries": is no field here; must be one of "timeout", "concurrency", "maxAge"`, `defaults.timeout: Invalid value: "0s": must be from 100ms to 1m0s`, `defaults.maxAge: Invalid value: "1h0m0s": must be from 1s to 10m0s`, `defaults.concurrency: Invalid value: "65": must be from 1 to 64`}},
		"kinds of values":        {"version: v1\ndefaults: {timeout: 5, maxAge: [a], concurrency: many}", []string{`defaults.timeout: Invalid value: "5": must be a duration such as "5s" or "2m"`, `defaults.maxAge: Invalid value: "a list": must be text`, `defaults.concurrency: Invalid value: "many": must be a whole number`}},
		"numbers":                {"version: v1\ndefaults: {concurrency: 99999999999999999999}", []string{`defaults.concurrency: Invalid value: "99999999999999999999": must be a whole number`}},
		"a fraction":             {"version: v1\ndefaults: {concurrency: 1.5}", []string{`defaults.concurrency: Invalid value: "1.5": must be a whole number`}},
		"too many sources":       {"version: v1\nsources: [" + strings.Repeat("{},", 257) + "]", []string{"sources: Too many: 257: must have at most 256 items"}},
		"a very long list":       {"version: v1\nsources: [" + strings.Repeat("{},", 1025) + "]", []string{"sources: Forbidden: has too much in it; at most 1024 items are allowed"}},
		"a very large mapping":   {"version: v1\ndefaults: {" + manyNames(1025) + "}", []string{"defaults: Forbidden: has too much in it; at most 1024 items are allowed"}},
		"control characters":     {"version: \"v1\\e[31m\\u202e\"", []string{`version: Invalid value: "v1\x1b[31m\u202e": must be "v1"`}},
		"what is long is cut":    {"version: " + strings.Repeat("ä", 100), []string{`version: Invalid value: "` + strings.Repeat("ä", 64) + `…": must be "v1"`}},
		"what is much too long":  {"version: " + strings.Repeat("v", 4097), []string{"version: Forbidden: is 4097 bytes long; must be at most 4096"}},
		"a mapping of itself":    {"version: v1\nsources: &a [*a]", []string{`sources[0]: Invalid value: "a list": must be a mapping`}},
		"a field that is no map": {"version: v1\ndefaults: [a]", []string{`defaults: Invalid value: "a list": must be a mapping`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			mustSay(t, tt.file, tt.want)
		})
	}
}

func manyNames(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "a%d: b,", i)
	}
	return text.String()
}

func mustSay(t *testing.T, file string, want []string) {
	t.Helper()
	c, err := Parse([]byte(file), types())
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
		for _, said := range got {
			mustPrint(t, said)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || c != nil && err != nil {
		t.Error(c, diff)
	}
}

func TestProblemsOfEntry(t *testing.T) {
	const label = `must be 1 to 63 of the characters a-z, 0-9 and "-", with none of these at its ends`
	tests := map[string]struct {
		entry string
		want  []string
	}{
		"nothing":                   {"{}", []string{`type: Required value: must be one of "prometheus", "http", "kafka", "rabbitmq", "redis", "keda"`}},
		"a type":                    {"{name: a, type: kafak}", []string{`type: Invalid value: "kafak": did you mean "kafka"? It must be one of "prometheus", "http", "kafka", "rabbitmq", "redis", "keda"`}},
		"a type that needs nothing": {"{name: a, type: workload}", []string{`type: Invalid value: "workload": needs no entry: it is there under its own name, for everybody`}},
		"a name":                    {"{type: keda}", []string{`name: Required value: must be the name by which lines call it, such as "orders-kafka"`}},
		"an empty name":             {"{name: '', type: ''}", []string{"type: Required value: must be one of \"prometheus\", \"http\", \"kafka\", \"rabbitmq\", \"redis\", \"keda\""}},
		"a name of nothing":         {"{name: ~, type: keda}", []string{"name: Required value: there is nothing behind the colon; leave the name out, too, or say what it is"}},
		"a name that is no label":   {"{name: Orders_Kafka, type: keda}", []string{`name: Invalid value: "Orders_Kafka": ` + label}},
		"a name with a dot":         {"{name: a.b, type: keda}", []string{`name: Invalid value: "a.b": ` + label}},
		"a name that looks like it": {"{name: \u0430, type: keda}", []string{"name: Invalid value: \"\u0430\": " + label}},
		"a name too long":           {"{name: " + strings.Repeat("a", 64) + ", type: keda}", []string{`name: Invalid value: "` + strings.Repeat("a", 64) + `": ` + label}},
		"a name of an API":          {"{name: custom, type: keda}", []string{`name: Invalid value: "custom": must not be one of "custom", "external", "activator": these are the metrics APIs of the cluster, and the activators of mini-hpa`}},
		"the name of the other":     {"{name: external, type: keda}", []string{`name: Invalid value: "external": must not be one of "custom", "external", "activator": these are the metrics APIs of the cluster, and the activators of mini-hpa`}},
		"a name without an entry":   {"{name: workload, type: keda}", []string{`name: Invalid value: "workload": must not be the name of a source that is there without an entry`}},
		"fields":                    {"{name: a, type: keda, sddress: x, tls: {caFike: /a, insecure: 'true', keyFile: [b]}, metadata: {a: {b: c}, d: ''}}", []string{`: Invalid value: "sddress": is no field here; did you mean "address"? It must be one of "timeout", "concurrency", "maxAge", "name", "type", "namespaces", "allow", "queries", "settle", "tls" and 2 more`, `tls: Invalid value: "caFike": is no field here; did you mean "caFile"? It must be one of "caFile", "certFile", "keyFile", "insecure"`, `tls.insecure: Invalid value: "true": must be true or false`, `tls.keyFile: Invalid value: "a list": must be text`, `metadata[a]: Invalid value: "a mapping": must be text`, "metadata[d]: Required value: must not be empty"}},
		"what only the program has": {"{name: a, type: redis, Private: 1, allow: {list: ['*']}}", []string{`: Invalid value: "Private": is no field here; must be one of "timeout", "concurrency", "maxAge", "name", "type", "namespaces", "allow", "queries", "settle", "addresses" and 1 more`}},
		"its own check":             {"{name: a, type: http, url: 'http://x', queries: [{name: q}]}", []string{`url: Invalid value: "http://x": must be https for a`}},
		"its own check comes later": {"{name: a, type: http, url: 'http://x', queries: []}", []string{"queries: Required value: must have at least one: a line asks one of them"}},
		"requests":                  {"{name: a, type: keda, timeout: 2m, maxAge: -1s, concurrency: 0, settle: 2h}", []string{`timeout: Invalid value: "2m0s": must be from 100ms to 1m0s`, `maxAge: Invalid value: "-1s": must be from 1s to 10m0s`, `concurrency: Invalid value: "0": must be from 1 to 64`, `settle: Invalid value: "2h0m0s": must be from 0s to 1h0m0s`}},
		"namespaces":                {"{name: a, type: keda, namespaces: ['*', Shop, '$namespace', '!', a.b]}", []string{`namespaces[1]: Invalid value: "Shop": must be a namespace, in which "*" stands for any number of any characters; "!" before it excludes`, `namespaces[2]: Invalid value: "$namespace": must be a namespace, in which "*" stands for any number of any characters; "!" before it excludes`, `namespaces[3]: Invalid value: "!": must be a namespace, in which "*" stands for any number of any characters; "!" before it excludes`, `namespaces[4]: Invalid value: "a.b": must be a namespace, in which "*" stands for any number of any characters; "!" before it excludes`}},
		"no namespaces":             {"{name: a, type: keda, namespaces: []}", []string{`namespaces: Required value: must have one without "!", such as "*": where none fits, a namespace may not ask`}},
		"excluded ones only":        {"{name: a, type: keda, namespaces: ['!kube-*']}", []string{`namespaces: Required value: must have one without "!", such as "*": where none fits, a namespace may not ask`}},
		"nothing is allowed":        {"{name: a, type: kafka}", []string{`allow[group]: Required value: must have globs of the values that may be asked for, such as "$namespace.*"`, `allow[topic]: Required value: must have globs of the values that may be asked for, such as "$namespace.*"`}},
		"none of several":           {"{name: a, type: redis, allow: {group: ['*']}}", []string{`allow: Required value: must have globs of the values that may be asked for, for at least one of "list", "set", "stream"`}},
		"what has a default":        {"{name: a, type: rabbitmq, url: 'https://x', allow: {queue: ['*']}}", []string{`allow[vhost]: Required value: must have globs of the values that may be asked for, such as "$namespace.*"`}},
		"allowed names":             {"{name: a, type: kafka, allow: {group: [a], topic: [a], topics: [b], reset: [latest], \"a\\n\": [c]}}", []string{`allow["a\n"]: Invalid value: "a\n": is no parameter of type "kafka" that needs this; must be one of "group", "topic"`, `allow[reset]: Invalid value: "reset": is no parameter of type "kafka" that needs this; must be one of "group", "topic"`, `allow[topics]: Invalid value: "topics": is no parameter of type "kafka" that needs this; did you mean "topic"? It must be one of "group", "topic"`}},
		"allowed keys":              {"{name: a, type: keda, allow: {Database: [a], target: [a], a_b: [a], $namespace: [a]}}", []string{`allow["$namespace"]: Invalid value: "$namespace": cannot be a key of a line: a lower-case letter, then letters, digits and "-", but none of "target", "total", "active", "limit"`, `allow["Database"]: Invalid value: "Database": cannot be a key of a line: a lower-case letter, then letters, digits and "-", but none of "target", "total", "active", "limit"`, `allow["a_b"]: Invalid value: "a_b": cannot be a key of a line: a lower-case letter, then letters, digits and "-", but none of "target", "total", "active", "limit"`, `allow[target]: Invalid value: "target": cannot be a key of a line: a lower-case letter, then letters, digits and "-", but none of "target", "total", "active", "limit"`}},
		"globs":                     {"{name: a, type: keda, allow: {a: [], b: ['x?', '[a]', '{a,b}', 'a\\b', '\"'], c: ['$workload', '$', '$namespaces', '$$'], d: [\"a\\n\"]}}", []string{`allow[a]: Invalid value: "0 globs": must be 1 to 64`, glob1("b", 0, `x?`), glob1("b", 1, "[a]"), glob1("b", 2, "{a,b}"), glob1("b", 3, `a\\b`), glob1("b", 4, `\"`), `allow[c][0]: Invalid value: "$workload": has "$workload", which is no parameter; the character "$" is written "$$"; the only one here is "$namespace"`, `allow[c][1]: Invalid value: "$": has a "$" before ""; it must be before the name of a parameter, and the character itself is written "$$"; the only one here is "$namespace"`, `allow[c][2]: Invalid value: "$namespaces": has "$namespaces", which is no parameter; the character "$" is written "$$"; the only one here is "$namespace"`, `allow[d][0]: Invalid value: "a\n": must be of printable characters`}},
		"allowed parameters":        {"{name: a, type: http, url: 'https://x', allow: {pool: ['*']}, queries: [{name: q}]}", []string{"allow[pool]: Forbidden: the parameters of queries are held by their types"}},
		"queries of another type":   {"{name: a, type: keda, queries: [{name: q}]}", []string{`queries: Forbidden: type "keda" has none: what it is asked is said by its parameters`}},
		"too many queries":          {"{name: a, type: http, url: 'https://x', queries: [" + strings.Repeat("{name: q},", 65) + "]}", []string{"queries: Too many: 65: must have at most 64 items"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, said := range tt.want {
				if strings.HasPrefix(said, ":") {
					want = append(want, "sources[0]"+said)
				} else {
					want = append(want, "sources[0]."+said)
				}
			}
			mustSay(t, "{version: v1, sources: ["+tt.entry+"]}", want)
		})
	}
	mustSay(t, "{version: v1, sources: [{name: a, type: keda, concurrency: 0}, {name: a, type: keda}]}", []string{`sources[0].concurrency: Invalid value: "0": must be from 1 to 64`, `sources[1].name: Duplicate value: "a"`})
}

func glob1(name string, i int, seen string) string {
	return fmt.Sprintf(`allow[%s][%d]: Invalid value: "%s": must not have "?", "[", "]", "{", "}", "\" or quotes: only "*" stands for others, any number of any characters`, name, i, seen)
}

func TestProblemsOfQuery(t *testing.T) {
	tests := map[string]struct {
		query string
		want  []string
	}{
		"no name":                {"{}", []string{`name: Required value: must be the name by which lines call it, such as "requests-per-second"`}},
		"a name":                 {"{name: Q}", []string{`name: Invalid value: "Q": must be 1 to 63 of the characters a-z, 0-9 and "-", with none of these at its ends`}},
		"a name twice":           {"{name: q}, {name: q}", []string{`[1]name: Duplicate value: "q"`}},
		"an undeclared variable": {"{name: q, query: 'x{a=\"$pool\"}', path: /$b}", []string{`query: Invalid value: "x{a=\"$pool\"}": has "$pool", which is no parameter; the character "$" is written "$$"`, `path: Invalid value: "/$b": has "$b", which is no parameter; the character "$" is written "$$"`}},
		"a bind parameter":       {"{name: q, query: 'select $1'}", []string{`query: Invalid value: "select $1": has a "$" before "1"; it must be before the name of a parameter, and the character itself is written "$$"`}},
		"one that is not used":   {"{name: q, query: 'x{a=\"$$b\"}', parameters: {b: {type: name}, a: {type: name}}}", []string{`parameters[a]: Invalid value: "a": is not used: "$a" is not in the query`, `parameters[b]: Invalid value: "b": is not used: "$b" is not in the query`}},
		"a query too long":       {"{name: q, query: '" + strings.Repeat("x", 4097) + "'}", []string{"query: Forbidden: is 4097 bytes long; must be at most 4096"}},
		"a pointer":              {"{name: q, value: a}", []string{`value: Invalid value: "a": must be a JSON pointer, such as "/data/open"`}},
		"an escape of a pointer": {"{name: q, value: /a~2}", []string{`value: Invalid value: "/a~2": must be a JSON pointer, such as "/data/open"`}},
		"empty":                  {"{name: q, empty: 1}", []string{`empty: Invalid value: "1": must be one of "failure", "0"`}},
		"units":                  {"{name: q, unit: \"a\\e\"}", []string{`unit: Invalid value: "a\x1b": must be at most 32 printable bytes`}},
		"who asks":               {"{name: q, query: $namespace$workload$kind, parameters: {namespace: {type: name}, workload: {type: name}, kind: {type: name}}}", []string{"parameters[kind]: Invalid value: \"kind\": must not be there: it is always known, and no line can say another", "parameters[namespace]: Invalid value: \"namespace\": must not be there: it is always known, and no line can say another", "parameters[workload]: Invalid value: \"workload\": must not be there: it is always known, and no line can say another"}},
		"reserved names":         {"{name: q, query: $target, parameters: {target: {type: name}}}", []string{`parameters[target]: Invalid value: "target": must not be one of "target", "total", "active", "limit", which say what the number is held at`}},
		"names":                  {"{name: q, query: $a, parameters: {A: {type: name}, a-b: {type: name}, a_b: {type: name}, '': {type: name}, $a: {type: name}}}", []string{`parameters[""]: Invalid value: "": must be a lower-case letter, then up to 31 letters of a-z and A-Z, and digits`, `parameters["$a"]: Invalid value: "$a": must be a lower-case letter, then up to 31 letters of a-z and A-Z, and digits`, `parameters["A"]: Invalid value: "A": must be a lower-case letter, then up to 31 letters of a-z and A-Z, and digits`, `parameters[a-b]: Invalid value: "a-b": must be a lower-case letter, then up to 31 letters of a-z and A-Z, and digits`, `parameters["a_b"]: Invalid value: "a_b": must be a lower-case letter, then up to 31 letters of a-z and A-Z, and digits`, `query: Invalid value: "$a": has "$a", which is no parameter; the character "$" is written "$$"`}},
		"no type":                {"{name: q, query: $a, parameters: {a: {}}}", []string{`parameters[a].type: Required value: must be one of "name", "word", "integer", "duration", "enum"`}},
		"a type":                 {"{name: q, query: $a, parameters: {a: {type: int}}}", []string{`parameters[a].type: Invalid value: "int": must be one of "name", "word", "integer", "duration", "enum"`}},
		"free text":              {"{name: q, query: $a, parameters: {a: {type: text}}}", []string{`parameters[a].type: Invalid value: "text": must be one of "name", "word", "integer", "duration", "enum"`}},
		"a field":                {"{name: q, query: $a, parameters: {a: {type: name, optional: true, pattern: x}}}", []string{`parameters[a]: Invalid value: "optional": is no field here; must be one of "type", "min", "max", "values", "default"`, `parameters[a]: Invalid value: "pattern": is no field here; must be one of "type", "min", "max", "values", "default"`}},
		"bounds of a name":       {"{name: q, query: $a, parameters: {a: {type: name, min: 1}}}", []string{`parameters[a].min: Invalid value: "1": must not be there for type "name"`}},
		"bounds":                 {"{name: q, query: $a$b$c$d, parameters: {a: {type: integer, min: 1e3}, b: {type: duration, max: 1.5s}, c: {type: integer, min: 3, max: 2}, d: {type: duration, min: 3m, max: 2m}}}", []string{`parameters[a].min: Invalid value: "1e3": must be a whole number, in digits only`, `parameters[b].max: Invalid value: "1.5s": must be a duration of whole seconds, such as "90s" or "2m"`, `parameters[c].min: Invalid value: "3": must not be above max, "2"`, `parameters[d].min: Invalid value: "3m": must not be above max, "2m"`}},
		"values of a name":       {"{name: q, query: $a, parameters: {a: {type: name, values: [a]}}}", []string{`parameters[a].values: Forbidden: type "name" has none`}},
		"values":                 {"{name: q, query: $a$b, parameters: {a: {type: enum}, b: {type: enum, values: [a, a, 'b c', '$namespace', '..']}}}", []string{`parameters[a].values: Invalid value: "0 values": must be 1 to 64`, `parameters[b].values[1]: Duplicate value: "a"`, `parameters[b].values[2]: Invalid value: "b c": must be of printable characters other than blanks, quotes, "$", backslashes and braces`, `parameters[b].values[3]: Invalid value: "$namespace": must be of printable characters other than blanks, quotes, "$", backslashes and braces`, `parameters[b].values[4]: Invalid value: "..": must not be, or have between slashes, "." or ".."`}},
		"defaults": {"{name: q, query: $a$b$c$d$e$f$g, parameters: {a: {type: name, default: a/b}, b: {type: integer, max: 3, default: 4}, c: {type: duration, min: 1m, default: 30s}, d: {type: enum, values: [x], default: y}, e: {type: integer, default: $workload}, f: {type: name, default: $kind}, g: {type: word, default: '$namespace-x'}}}",
			[]string{`parameters[a].default: Invalid value: "a/b": must be 1 to 253 of the characters a-z, A-Z, 0-9, ".", "_" and "-"`, `parameters[b].default: Invalid value: "4": must be a whole number to 3, in digits only`, `parameters[c].default: Invalid value: "30s": must be a duration of whole seconds from 1m, such as "90s" or "2m"`, `parameters[d].default: Invalid value: "y": must be "x"`, `parameters[e].default: Invalid value: "$workload": must not be of the workload for type "integer"`, `parameters[f].default: Invalid value: "$kind": must be a value, or one of "$namespace", "$workload"`, `parameters[g].default: Invalid value: "$namespace-x": must be a value, or one of "$namespace", "$workload"`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, said := range tt.want {
				if after, ok := strings.CutPrefix(said, "[1]"); ok {
					want = append(want, "sources[0].queries[1]."+after)
				} else {
					want = append(want, "sources[0].queries[0]."+said)
				}
			}
			mustSay(t, "{version: v1, sources: [{name: a, type: http, url: 'https://x', queries: ["+tt.query+"]}]}", want)
		})
	}
}

// TestMuch has files that stand for very much.
func TestMuch(t *testing.T) {
	laughs := "version: v1\nsources:\n- name: a\n  type: redis\n  allow: {list: ['*']}\n  addresses: *h\n"
	var anchors strings.Builder
	anchors.WriteString("a: &a [x,x,x,x,x,x,x,x,x,x]\n")
	for c := 'b'; c <= 'h'; c++ {
		fmt.Fprintf(&anchors, "%c: &%c [%s]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 10))
	}
	long := strings.Repeat("x", maxText)
	tests := map[string]string{
		"billion laughs":             anchors.String() + laughs,
		"laughs within the sources":  "version: v1\nsources:\n- name: a\n  type: kafka\n  brokers: &a [" + strings.Repeat("x,", 1000) + "]\n  allow: {group: *a, topic: *a}\n",
		"a long text, often":         "version: v1\nx: &x " + long + "\nsources:\n- {name: a, type: redis, allow: {list: ['*']}, addresses: [" + strings.Repeat("*x,", 1024) + "]}\n- {name: b, type: redis, allow: {list: ['*']}, addresses: [" + strings.Repeat("*x,", 1024) + "]}",
		"deep":                       "version: v1\nsources: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"deeper":                     "version: v1\nsources: " + strings.Repeat("[", 20000),
		"a mapping that has itself":  "version: v1\nsources: [&a {name: a, type: keda, tls: *a}]",
		"metadata that has itself":   "version: v1\nsources: [{name: a, type: keda, metadata: &a {b: *a}}]",
		"an alias of nothing":        "version: v1\nsources: *a",
		"very many problems":         "version: v1\nsources: [" + strings.Repeat("{name: A, type: keda, x: y},", 256) + "]",
		"very many unknown":          "{" + manyNames(1000) + "}",
		"a name that is very long":   "version: v1\n" + strings.Repeat("x", 60000) + ": a",
		"very many names":            "version: v1\n? {" + manyNames(1000) + "}\n: a",
		"a parser that counts lines": "version: v1\nsources: [{name: a\u2028b, type: \"\u2029\"}]",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(text), types())
			if err == nil {
				t.Fatal("nothing is wrong with it")
			}
			all := strings.Split(err.Error(), "\n")
			if len(all) > maxProblems+1 {
				t.Errorf("%d problems", len(all))
			}
			for _, said := range all {
				mustPrint(t, said)
			}
		})
	}
}

func TestManyProblemsAreCounted(t *testing.T) {
	_, err := Parse([]byte("version: v1\nsources: ["+strings.Repeat("{type: x},", 103)+"]"), types())
	joined := err.(interface{ Unwrap() []error }).Unwrap()
	if last := joined[len(joined)-1].Error(); len(joined) != maxProblems+1 || last != "there are 3 more problems" {
		t.Errorf("%d problems, the last of which is %s", len(joined), last)
	}
	if first, ok := errors.AsType[*field.Error](err); !ok || first.Field != "sources[0].type" {
		t.Errorf("the first problem is %v", first)
	}
}

// FuzzParse: a file is either refused, in words, or has what the rest relies on.
func FuzzParse(f *testing.F) {
	f.Add(example(f))
	for _, text := range []string{
		"", "version: v1", "{version: v1, sources: [{name: a, type: redis, allow: {list: ['$namespace:*']}}]}", "version: v1\nsources: &a [*a]", "a: &a [x]\nb: *a", "? [a]\n: b", "<<: a", "version: !!str v1", "- \xff",
		"{version: v1, sources: [{name: a, type: http, url: 'https://x', queries: [{name: q, query: '$a$$', parameters: {a: {type: integer, min: 1, default: 2}}, value: /a~0}]}]}",
		"{version: v1, defaults: {timeout: 1s}, sources: [{name: a, type: keda, settle: 1m, allow: {databaseId: ['$namespace-*']}, metadata: {a: b}}]}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, types())
		again, same := Parse(data, types())
		if message(err) != message(same) {
			t.Fatalf("the same file has the errors %v and %v", err, same)
		}
		if err != nil {
			if c != nil {
				t.Error("there is a catalog with an error")
			}
			for said := range strings.SplitSeq(err.Error(), "\n") {
				mustPrint(t, said)
			}
			return
		}
		for i, e := range c.Entries() {
			if again.Entries()[i].Digest != e.Digest {
				t.Errorf("the same entry has two digests")
			}
			if c.Entry(e.Name) != e || e.Type == nil || e.Timeout < leastTimeout || e.MaxAge < leastMaxAge || e.Concurrency < 1 || len(e.Queries) > maxQueries {
				t.Errorf("%+v", e)
			}
			for _, q := range e.Queries {
				if _, err := ParseTemplate(q.Query, q.Declares); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
