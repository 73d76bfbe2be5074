package catalog

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// given are the keys and values of a line.
func given(pairs ...string) map[string]string {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

func TestResolve(t *testing.T) {
	c := parsed(t, string(example(t)))
	tests := map[string]struct {
		namespace string
		asked     Asked
		want      string
	}{
		"a query, with defaults":                 {"shop", Asked{"prom", "requests-per-second", nil}, `$namespace="shop" service="web" window="120s"`},
		"a query, with values":                   {"shop", Asked{"prom", "requests-per-second", given("service", "api", "window", "1m30s")}, `$namespace="shop" service="api" window="90s"`},
		"a query that asks the same of all":      {"shop", Asked{"prom", "inference-queue", given("pool", "llama")}, `pool="llama"`},
		"a path":                                 {"shop", Asked{"billing", "open-invoices", nil}, `$namespace="shop"`},
		"a topic of the namespace":               {"shop", Asked{"orders-kafka", "", given("group", "shop.orders", "topic", "shop.orders")}, `group="shop.orders" reset="latest" topic="shop.orders"`},
		"a topic of all":                         {"shop-eu", Asked{"orders-kafka", "", given("group", "shop-eu.orders", "topic", "shared.orders", "reset", "earliest")}, `group="shop-eu.orders" reset="earliest" topic="shared.orders"`},
		"a vhost that is the only one":           {"shop", Asked{"rabbit", "", given("queue", "transcode")}, `count="messages" queue="transcode" vhost="shop"`},
		"the same vhost, said":                   {"shop", Asked{"rabbit", "", given("queue", "transcode", "vhost", "shop")}, `count="messages" queue="transcode" vhost="shop"`},
		"one of several":                         {"shop", Asked{"cache", "", given("list", "shop:events")}, `db="0" list="shop:events"`},
		"another of them, and what goes with it": {"shop", Asked{"cache", "", given("stream", "shop:events", "group", "mailer", "db", "15")}, `db="15" group="mailer" stream="shop:events"`},
		"metadata":                               {"shop", Asked{"cosmos", "", given("databaseId", "shop-prod", "containerId", `a "b" {$c}`)}, `$kind="Deployment" $namespace="shop" $workload="web" containerId="a \"b\" {$c}" databaseId="shop-prod"`},
		"metadata may be left out":               {"shop", Asked{"cosmos", "", nil}, `$kind="Deployment" $namespace="shop" $workload="web"`},
		"no entry is needed":                     {"kube-system", Asked{"workload", "", given("selector", "app=web,tier!=x")}, `phase="running" selector="app=web,tier!=x"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, problems := c.Resolve(Workload{tt.namespace, "Deployment", "web"}, tt.asked)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestResolveProblems(t *testing.T) {
	c := parsed(t, string(example(t)))
	tests := map[string]struct {
		namespace string
		asked     Asked
		want      []Problem
	}{
		"a source":                          {"billing", Asked{"promm", "", nil}, []Problem{{UnknownSource, `source "promm" is none that namespace "billing" may ask; did you mean "prom"? It must be one of "prom", "rabbit", "cache", "cosmos", "workload"`}}},
		"a source of others":                {"billing", Asked{"orders-kafka", "", nil}, []Problem{{UnknownSource, `source "orders-kafka" is none that namespace "billing" may ask; must be one of "prom", "rabbit", "cache", "cosmos", "workload"`}}},
		"one that is like it":               {"billing", Asked{"order-kafka", "", nil}, []Problem{{UnknownSource, `source "order-kafka" is none that namespace "billing" may ask; must be one of "prom", "rabbit", "cache", "cosmos", "workload"`}}},
		"no query":                          {"shop", Asked{"prom", "", nil}, []Problem{{UnknownQuery, `source "prom" needs the name of a query behind it; must be one of "requests-per-second", "inference-queue"`}}},
		"a query":                           {"shop", Asked{"prom", "inference-queu", nil}, []Problem{{UnknownQuery, `source "prom" has no query "inference-queu"; did you mean "inference-queue"? It must be one of "requests-per-second", "inference-queue"`}}},
		"a query of a source that has none": {"shop", Asked{"rabbit", "depth", nil}, []Problem{{UnknownQuery, `source "rabbit" has no queries; after it there may be keys with values, but not the word "depth"`}}},
		"a key of a query": {"shop", Asked{"prom", "requests-per-second", given("serbice", "a", "x", "y")}, []Problem{
			{BadParameter, `key "serbice" is no parameter of this query of source "prom"; did you mean "service"? It must be one of "service", "window"`}, {BadParameter, `key "x" is no parameter of this query of source "prom"; must be one of "service", "window"`}}},
		"a query without keys":          {"shop", Asked{"billing", "open-invoices", given("x", "y")}, []Problem{{BadParameter, `key "x" is no parameter of this query of source "billing"; none is allowed`}}},
		"a missing key":                 {"shop", Asked{"prom", "inference-queue", nil}, []Problem{{BadParameter, `key "pool" is missing: this query of source "prom" needs it`}}},
		"all of them":                   {"shop", Asked{"orders-kafka", "", nil}, []Problem{{BadParameter, `key "group" is missing: source "orders-kafka" needs it`}, {BadParameter, `key "topic" is missing: source "orders-kafka" needs it`}}},
		"values":                        {"shop", Asked{"prom", "requests-per-second", given("service", "a b", "window", "11m")}, []Problem{{BadParameter, `service "a b" must be 1 to 253 of the characters a-z, A-Z, 0-9, ".", "_" and "-"`}, {BadParameter, `window "11m" must be a duration of whole seconds from 30s to 10m, such as "90s" or "2m"`}}},
		"one of few":                    {"shop", Asked{"orders-kafka", "", given("group", "shop.a", "topic", "shop.b", "reset", "newest")}, []Problem{{BadParameter, `reset "newest" must be one of "latest", "earliest"`}}},
		"a topic of others":             {"shop", Asked{"orders-kafka", "", given("group", "shop.a", "topic", "billing.b")}, []Problem{{SourceForbidden, `topic "billing.b" is not what namespace "shop" may ask of source "orders-kafka"; allowed is "shop.*", "shared.*"`}}},
		"a vhost of others":             {"shop", Asked{"rabbit", "", given("queue", "a", "vhost", "/")}, []Problem{{SourceForbidden, `vhost "/" is not what namespace "shop" may ask of source "rabbit"; allowed is "shop"`}}},
		"what nobody may":               {"shop", Asked{"cache", "", given("set", "shop:a")}, []Problem{{SourceForbidden, `key "set" must not be given: source "cache" does not allow it`}}},
		"none of several":               {"shop", Asked{"cache", "", nil}, []Problem{{BadParameter, `source "cache" needs a key: one of "list", "stream"`}}},
		"several":                       {"shop", Asked{"cache", "", given("list", "shop:a", "stream", "shop:b")}, []Problem{{BadParameter, `keys "list", "stream" must not be there together: source "cache" takes one of them`}}},
		"one without the other":         {"shop", Asked{"cache", "", given("list", "shop:a", "group", "g", "db", "16")}, []Problem{{BadParameter, `key "group" must not be there without key "stream"`}, {BadParameter, `db "16" must be a whole number from 0 to 15, in digits only`}}},
		"metadata of the administrator": {"shop", Asked{"cosmos", "", given("connectionFromEnv", "OTHER")}, []Problem{{BadParameter, `key "connectionFromEnv" is no parameter of source "cosmos"; must be one of "containerId", "databaseId"`}}},
		"metadata of others":            {"shop", Asked{"cosmos", "", given("databaseId", "billing-prod")}, []Problem{{SourceForbidden, `databaseId "billing-prod" is not what namespace "shop" may ask of source "cosmos"; allowed is "shop-*"`}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, problems := c.Resolve(Workload{tt.namespace, "Deployment", "web"}, tt.asked)
			if diff := cmp.Diff(tt.want, problems); diff != "" || got != "" {
				t.Error(got, diff)
			}
		})
	}
}

// TestOthersAreAsUnknown: nothing tells a source that a namespace may not ask from one that is not there.
func TestOthersAreAsUnknown(t *testing.T) {
	with := parsed(t, string(example(t)))
	without := parsed(t, strings.ReplaceAll(string(example(t)), "name: orders-kafka", "name: quite-another"))
	for _, asked := range []Asked{
		{Source: "orders-kafka"}, {Source: "orders-kafka", Query: "lag"}, {Source: "orders-kafka", Given: given("group", "shop.a", "topic", "shop.b")}, {Source: "orders-kafk"}, {Source: "order"}, {Source: ""},
		{Source: "prom"}, {Source: "prom", Query: "orders-kafka"}, {Source: "orders_kafka"},
	} {
		_, one := with.Resolve(Workload{"billing", "Deployment", "web"}, asked)
		_, other := without.Resolve(Workload{"billing", "Deployment", "web"}, asked)
		if diff := cmp.Diff(one, other); diff != "" || len(one) == 0 {
			t.Errorf("%+v: %s", asked, diff)
		}
	}
}

// TestEqualQuestionsAreEqual: who asks is part of a question only where the answer depends on that.
func TestEqualQuestionsAreEqual(t *testing.T) {
	c := parsed(t, string(example(t)))
	workloads := []Workload{{"shop", "Deployment", "web"}, {"shop", "StatefulSet", "web"}, {"shop", "Deployment", "api"}, {"billing", "Deployment", "web"}}
	tests := map[string]struct {
		asked Asked
		want  int
	}{
		"nothing of them":                   {Asked{"prom", "inference-queue", given("pool", "llama")}, 1},
		"the namespace, and a name given":   {Asked{"prom", "requests-per-second", given("service", "x")}, 2},
		"the namespace and the name":        {Asked{"prom", "requests-per-second", nil}, 3},
		"all of them":                       {Asked{"cosmos", "", nil}, 4},
		"pods, of which the question knows": {Asked{"workload", "", given("selector", "a=b")}, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			different := map[Parameters]bool{}
			for _, w := range workloads {
				p, problems := c.Resolve(w, tt.asked)
				if len(problems) > 0 {
					t.Fatal(problems)
				}
				different[p] = true
			}
			if len(different) != tt.want {
				t.Errorf("%d questions, want %d: %v", len(different), tt.want, different)
			}
		})
	}
}

// TestHostileLines has what a tenant may try to get at what others have. None of it is asked.
func TestHostileLines(t *testing.T) {
	c := parsed(t, string(example(t)))
	long := strings.Repeat("a", 254)
	tests := map[string][]string{ // by rule, a word for each of: source, query or "-", key, value
		BadParameter: {
			// Out of the quotes of a label, a path, a query.
			`prom inference-queue pool a"}`, `prom inference-queue pool x",inference_pool=~".*`, "prom inference-queue pool a`b", `prom inference-queue pool a'b`, `prom inference-queue pool a\`, `prom inference-queue pool a\"b`,
			`prom inference-queue pool a{b`, `prom inference-queue pool a}b`, `prom inference-queue pool a)`, `prom inference-queue pool a/../b`, `prom inference-queue pool a%2e%2e`, `prom inference-queue pool a?x=y`, `prom inference-queue pool a#b`, `prom inference-queue pool ..`, `prom inference-queue pool .`,
			`prom inference-queue pool *`, `prom inference-queue pool .*|x`, `prom inference-queue pool `, `prom inference-queue pool ` + long,
			// Variables.
			`prom inference-queue pool $namespace`, `prom inference-queue pool $workload`, `prom inference-queue pool $$`, `prom inference-queue pool ${pool}`, `prom requests-per-second $namespace billing`, `prom requests-per-second namespace billing`, `prom requests-per-second workload x`, `prom requests-per-second $workload x`,
			// Characters that do not print, or look like others.
			"prom inference-queue pool a\x00", "prom inference-queue pool a\nb", "prom inference-queue pool a\rb", "prom inference-queue pool a\x1b[2J", "prom inference-queue pool \u202ea", "prom inference-queue pool a\u200bb", "prom inference-queue pool \ufeffa", "prom inference-queue pool a\u00a0b", "prom inference-queue pool \u0430bc", "prom inference-queue pool \uff41bc", "prom inference-queue pool a\xff", "prom inference-queue pool a\u0301",
			// Numbers.
			`prom requests-per-second window 999999999999999999h`, `prom requests-per-second window 1e9s`, `prom requests-per-second window -2m`, `prom requests-per-second window 2m]`, `prom requests-per-second window 0`, `prom requests-per-second window 2`, `prom requests-per-second window 60000ms1ns`, `prom requests-per-second window 1.0000000001m`, "prom requests-per-second window " + strings.Repeat("1s", 40), "prom requests-per-second window \u0662m",
			`cache - db 99999999999999999999`, `cache - db -1`, `cache - db 0x1`, `cache - db 007`, `cache - db +1`, `cache - db 1_0`, "cache - db \u0661", `cache - db 1.0`, `cache - db NaN`,
			// Ways elsewhere, and keys that are none.
			`rabbit - queue ../shop`, `rabbit - queue a/../../b`, `rabbit - queue a/.`, `rabbit - queue a"b`, `rabbit - queue a$b`, `rabbit - queue a{b}`, "rabbit - queue a\tb", `rabbit - url http://169.254.169.254`, `rabbit - userFile /etc/passwd`, `rabbit - Queue a`, "rabbit - queue\x00 a", `rabbit - target 1`, `cosmos - metadata x`, `cosmos - address x:1`, "cosmos - containerId a\x00b", "cosmos - containerId a/../b", "cosmos - containerId " + strings.Repeat("a", maxOpen+1),
			`workload - selector a=b,c{`, `workload - namespace kube-system`,
		},
		SourceForbidden: {
			`orders-kafka - topic shopping.orders`, `orders-kafka - topic shop`, `orders-kafka - topic billing.shop.orders`, `orders-kafka - topic SHOP.orders`, "orders-kafka - topic \u0455hop.orders", "orders-kafka - topic shop\u2024orders", `orders-kafka - topic *`, `orders-kafka - topic shared`, `orders-kafka - topic sharedX.a`, `orders-kafka - topic shop-eu.orders`, `orders-kafka - group *.*`,
			`rabbit - vhost billing`, `rabbit - vhost /`, `rabbit - vhost shop/`, `rabbit - vhost shop%2f`, `rabbit - vhost SHOP`, `cache - list billing:a`, `cache - list shop`, `cache - list shop-eu:a`, `cache - list :a`, `cosmos - databaseId billing-prod`, `cosmos - databaseId shop`,
		},
		UnknownSource: {
			`Prom - a b`, `prom\x00 - a b`, "\u0440rom - a b", `custom - a b`, `external - a b`, `../prom - a b`, `* - a b`, `$namespace - a b`, ` - a b`, "prom\n - a b",
		},
		UnknownQuery: {
			`prom up{} a b`, `prom requests-per-second" a b`, `prom * a b`, "prom requests-per-second\n a b", `prom Requests-per-second a b`, `billing ../open-invoices a b`, `rabbit queue a b`,
		},
	}
	count := 0
	for rule, all := range tests {
		for _, line := range all {
			count++
			words := strings.SplitN(line, " ", 4)
			asked := Asked{words[0], strings.TrimPrefix(words[1], "-"), hostile(words)}
			p, problems := c.Resolve(Workload{"shop", "Deployment", "web"}, asked)
			if len(problems) == 0 {
				t.Errorf("%q is asked as %s", line, p)
				continue
			}
			if problems[0].Rule != rule || p != "" {
				t.Errorf("%q: %v, want %s", line, problems, rule)
			}
			for _, problem := range problems {
				mustPrint(t, problem.Message)
			}
		}
	}
	if count < 100 {
		t.Errorf("%d lines", count)
	}
}

// hostile is a good line but for one key.
func hostile(words []string) map[string]string {
	good := map[string]map[string]string{
		"prom": {}, "orders-kafka": given("group", "shop.a", "topic", "shop.b"), "rabbit": given("queue", "a"), "cache": given("list", "shop:a"),
		"cosmos": given("databaseId", "shop-a", "containerId", "b"), "workload": given("selector", "a=b"),
	}[words[0]]
	all := map[string]string{}
	for key, value := range good {
		all[key] = value
	}
	all[words[2]] = words[3]
	return all
}

// TestHostileWorkloads has objects that the API server would not take, but that a file may have which lint reads.
func TestHostileWorkloads(t *testing.T) {
	c := parsed(t, string(example(t)))
	invoices, requests, everything := Asked{"billing", "open-invoices", nil}, Asked{"prom", "requests-per-second", nil}, Asked{"cosmos", "", nil}
	topic := Asked{"orders-kafka", "", given("group", "shop.a", "topic", "shop.b")}
	tests := []struct {
		workload Workload
		asked    Asked
		rule     string
	}{
		{Workload{"", "Deployment", "web"}, topic, SourceForbidden},
		{Workload{"*", "Deployment", "web"}, topic, SourceForbidden},
		{Workload{"shop*", "Deployment", "web"}, topic, SourceForbidden},
		{Workload{"$namespace", "Deployment", "web"}, topic, SourceForbidden},
		{Workload{"shop\n", "Deployment", "web"}, topic, SourceForbidden},
		{Workload{"shop/../x", "Deployment", "web"}, invoices, SourceForbidden},
		{Workload{`shop"}`, "Deployment", "web"}, requests, SourceForbidden},
		{Workload{"Shop", "Deployment", "web"}, topic, SourceForbidden},
		{Workload{"\u0455hop", "Deployment", "web"}, topic, SourceForbidden},
		{Workload{strings.Repeat("a", 64), "Deployment", "web"}, topic, SourceForbidden},
		{Workload{"shop", "Deployment", `web"}`}, requests, BadParameter},
		{Workload{"shop", "Deployment", ""}, requests, BadParameter},
		{Workload{"shop", "Deployment", ".."}, requests, BadParameter},
		{Workload{"shop", "Deployment", "a b"}, everything, BadParameter},
		{Workload{"shop", "Deployment", "web\x00"}, everything, BadParameter},
		{Workload{"shop", "", "web"}, everything, BadParameter},
		{Workload{"shop", "Deploy/ment", "web"}, everything, BadParameter},
		{Workload{"shop", "D\u0435ployment", "web"}, everything, BadParameter},
	}
	for _, tt := range tests {
		p, problems := c.Resolve(tt.workload, tt.asked)
		if len(problems) == 0 || problems[0].Rule != tt.rule || p != "" {
			t.Errorf("%+v: %s, %v, want %s", tt.workload, p, problems, tt.rule)
		}
		for _, problem := range problems {
			mustPrint(t, problem.Message)
		}
	}
}

// TestResolveLeavesItsInput: the catalog and a line are the same afterwards, and may be used by many at the same time.
func TestResolveLeavesItsInput(t *testing.T) {
	c := parsed(t, string(example(t)))
	line := given("queue", "a")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				c.Resolve(Workload{"shop", "Deployment", "web"}, Asked{"rabbit", "", line})
				c.Resolve(Workload{"shop", "Deployment", "web"}, Asked{"cosmos", "", nil})
			}
		})
	}
	group.Wait()
	if diff := cmp.Diff(given("queue", "a"), line); diff != "" {
		t.Error(diff)
	}
}

// FuzzResolve holds each answer to what those who ask with it rely on.
func FuzzResolve(f *testing.F) {
	for _, seed := range [][7]string{
		{"shop", "web", "prom", "requests-per-second", "window", "1m30s", ""}, {"shop", "web", "orders-kafka", "", "group", "shop.a", "shop.b"}, {"shop", "web", "rabbit", "", "queue", "a", ""},
		{"shop", "web", "cache", "", "stream", "shop:a", "g"}, {"shop", "web", "cosmos", "", "databaseId", "shop-a", "\"b\""}, {"*", "web", "prom", "x", "a", "b", "c"}, {"shop", "a\"b", "prom", "requests-per-second", "service", "..", ""},
		{"kube-system", "web", "workload", "", "selector", "a=b", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], seed[6])
	}
	c := parsed(f, string(example(f)))
	second := map[string]string{"orders-kafka": "topic", "cache": "group", "cosmos": "containerId", "rabbit": "vhost", "prom": "service"}
	f.Fuzz(func(t *testing.T, namespace, name, source, query, key, value, other string) {
		asked := Asked{source, query, map[string]string{key: value}}
		if other != "" {
			asked.Given[second[source]] = other
		}
		w := Workload{namespace, "Deployment", name}
		p, problems := c.Resolve(w, asked)
		if again, same := c.Resolve(w, asked); again != p || !cmp.Equal(problems, same) {
			t.Fatal("the same line is resolved in two ways")
		}
		for _, problem := range problems {
			mustPrint(t, problem.Message)
		}
		if len(problems) > 0 {
			return
		}
		mustBeHeld(t, c.Entry(source), namespace, p)
		asked.Given = map[string]string{}
		for key, value := range p.All() {
			if !strings.HasPrefix(key, "$") {
				asked.Given[key] = value
			}
		}
		if again, problems := c.Resolve(w, asked); again != p {
			t.Errorf("%s became %s, %v", p, again, problems)
		}
	})
}

// mustBeHeld: what is asked is of the namespace, and has nothing in it that its kind must not have.
func mustBeHeld(t *testing.T, e *Entry, namespace string, p Parameters) {
	t.Helper()
	mustPrint(t, p.String())
	for key, value := range p.All() {
		switch e.Name + " " + key {
		case "orders-kafka group", "orders-kafka topic", "rabbit vhost", "cache list", "cache stream", "cosmos databaseId":
			rest, ok := strings.CutPrefix(value, namespace)
			if (!ok || rest != "" && !strings.Contains(".:-", rest[:1])) && !strings.HasPrefix(value, "shared.") {
				t.Errorf("%q of %s is asked for by %s", value, e.Name, namespace)
			}
		}
		if e.Name != "cosmos" && strings.ContainsAny(value, " \"'`$\\{}") || noDots(value) != nil || value == "" {
			t.Errorf("%s of %s is %q", key, e.Name, value)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	c := parsed(b, string(example(b)))
	w := Workload{"shop", "Deployment", "web"}
	for name, asked := range map[string]Asked{
		"query": {"prom", "requests-per-second", nil},
		"kafka": {"orders-kafka", "", given("group", "shop.orders", "topic", "shop.orders")},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Resolve(w, asked)
			}
		})
	}
}
