package catalog

import (
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
