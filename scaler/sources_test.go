package scaler

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// ordersKafka is a list with one source of topics; a namespace has its own.
const ordersKafka = `{version: v1, sources: [{name: orders-kafka, type: topics, namespaces: ["*"], allow: {group: ["$namespace.*"], topic: ["$namespace.*"]}, maxAge: 40s}]}`

// listed makes the list that the Observer has.
func (c *cluster) listed(text string) {
	c.t.Helper()
	list, err := catalog.Parse([]byte(text), []catalog.Type{{Name: "topics", Parameters: []catalog.Parameter{
		{Name: "group", Kind: catalog.KindWord, Allowed: true}, {Name: "topic", Kind: catalog.KindWord, Allowed: true}, {Name: "reset", Kind: catalog.KindWord, Default: "latest"}}}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.scaler.observer.Sources = func() *catalog.Catalog { return list }
}

// hinted is a value of a source, and what it says beside it.
type hinted struct {
	value int64
	hint  metrics.Hint
}

func (c *cluster) wantReplicas(want int32) {
	c.t.Helper()
	if got := *c.deployment.Spec.Replicas; got != want {
		c.t.Errorf("%d replicas, want %d", got, want)
	}
}

// sourced are annotations with lines of mini-hpa/sources.
func sourced(text string) map[string]string {
	return map[string]string{"max": "40", "sources": text, "scale-up-policies": "40 pods/15s"}
}

// TestALineIsAskedOfItsSource with what the list has made of it, and what the source says beside its value limits it.
func TestALineIsAskedOfItsSource(t *testing.T) {
	c := newCluster(t, sourced("orders-kafka topic=default.a group=default.b target=100"))
	c.listed(ordersKafka)
	c.answers = map[string]any{"lag": hinted{5200, metrics.Hint{Limit: 12, Because: "12 partitions of topic \"default.a\""}}}
	c.reconcile(tick)
	if diff := cmp.Diff([]string{`default/web External of default: lag{} of pods  every 40s from orders-kafka with group="default.b" reset="latest" topic="default.a"`}, c.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	c.wantReplicas(12)
	c.wantEvents("Normal SuccessfulRescale New size: 12; reason: orders-kafka@lag 5200 for 1 replicas above target 100 for each, limited to 12 partitions of topic \"default.a\"",
		`Warning AnnotationWarning metadata.annotations[mini-hpa/max]: 40 are more than are ever asked for: line 1 of mini-hpa/sources is limited to 12 partitions of topic "default.a"`)
}

// TestALimitBelowTheMax is told once, whatever its source does not say in between, and again if it is another one.
func TestALimitBelowTheMax(t *testing.T) {
	told := func(partitions int) string {
		return fmt.Sprintf("Warning AnnotationWarning metadata.annotations[mini-hpa/max]: 40 are more than are ever asked for: line 1 of mini-hpa/sources is limited to %d partitions", partitions)
	}
	say := func(limit int32) metrics.Hint {
		return metrics.Hint{Limit: limit, Because: fmt.Sprintf("%d partitions", limit)}
	}
	passing := say(2)
	passing.Passing = true
	for name, tc := range map[string]struct {
		line string
		said []any
		want []string
	}{
		"again and again":    {"", []any{say(12), say(12), errors.New("no"), say(12)}, []string{told(12)}},
		"it is raised":       {"", []any{say(12), say(24), say(40), say(12)}, []string{told(12), told(24), told(12)}},
		"it comes and goes":  {"", []any{passing, say(40), metrics.Hint{}, passing}, nil},
		"the line says less": {" limit=10", []any{say(12)}, nil},
		"the line says more": {" limit=30", []any{say(12)}, []string{told(12)}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, sourced("orders-kafka topic=default.a group=default.b target=100"+tc.line))
			c.listed(ordersKafka)
			for _, said := range tc.said {
				if hint, ok := said.(metrics.Hint); ok {
					said = hinted{100, hint}
				}
				c.answers = map[string]any{"lag": said}
				c.reconcile(tick)
			}
			c.wantEvents(tc.want...)
		})
	}
	both := sourced("orders-kafka topic=default.a group=default.b target=100")
	both["target-cpu"] = "50"
	c := newCluster(t, both)
	policy, _, _ := c.scaler.observer.Defaults.Parse(c.deployment.Annotations)
	id := policy.Metrics[len(policy.Metrics)-1].ID
	w, known := limitBelowMax(policy, recommend.Snapshot{Hints: map[string]recommend.Hint{id: recommend.Hint(say(12))}, ExternalMetrics: map[string][]externalmetricsv1beta1.ExternalMetricValue{id: {{}}}})
	if w != nil || !known {
		t.Errorf("%v, although CPU may ask for more", w)
	}
}

// TestExplainShowsDoubts, of the answers of now.
func TestExplainShowsDoubts(t *testing.T) {
	for want, said := range map[string]any{
		`metadata.annotations[mini-hpa/max]: 40 are more than are ever asked for: line 1 of mini-hpa/sources is limited to 12 partitions`: hinted{100, metrics.Hint{Limit: 12, Because: "12 partitions"}},
		`metadata.annotations[mini-hpa/sources]: line 1: orders-kafka@lag has no value: no`:                                               errors.New("no"),
	} {
		c := newCluster(t, sourced("orders-kafka topic=default.a group=default.b target=100"))
		c.listed(ordersKafka)
		c.answers = map[string]any{"lag": said}
		e, err := Explain(t.Context(), c.scaler.observer, web)
		if err != nil || len(e.Warnings) != 1 || e.Warnings[0].String() != want {
			t.Errorf("%v, warnings %v, want %s", err, e.Warnings, want)
		}
	}
}

// TestALineThatIsNotAllowedAnyMore holds the replicas, and is told once.
func TestALineThatIsNotAllowedAnyMore(t *testing.T) {
	c := newCluster(t, sourced("orders-kafka topic=default.a group=default.b target=100"))
	c.listed(ordersKafka)
	c.answers = map[string]any{"lag": hinted{value: 300}}
	c.reconcile(tick)
	c.wantReplicas(3)
	c.wantEvents("Normal SuccessfulRescale New size: 3; reason: orders-kafka@lag 300 for 1 replicas above target 100 for each")
	c.listed(`{version: v1, sources: []}`)
	c.answers, c.asked = map[string]any{"lag": hinted{value: 900}}, nil
	for range 20 {
		c.reconcile(tick)
	}
	c.wantReplicas(3)
	c.wantEvents(`Warning SourceForbidden metadata.annotations[mini-hpa/sources][0]: Invalid value: "orders-kafka topic=default.a group=default.b target=100": line 1: source "orders-kafka" is none that namespace "default" may ask; none is allowed`)
	c.listed(strings.ReplaceAll(ordersKafka, "orders-kafka", "another")) // may be asked instead, which is told of no more
	c.reconcile(tick)
	c.listed(strings.ReplaceAll(ordersKafka, `topic: ["$namespace`, `topic: ["elsewhere`)) // the source is there, and the topic is what is forbidden
	c.reconcile(tick)
	c.wantReplicas(3)
	c.wantEvents(`Warning SourceForbidden metadata.annotations[mini-hpa/sources][0]: Invalid value: "orders-kafka topic=default.a group=default.b target=100": line 1: topic "default.a" is not what namespace "default" may ask of source "orders-kafka"; allowed is "elsewhere.*"`)
	if len(c.asked) > 0 {
		t.Errorf("asked %v", c.asked)
	}
	c.listed(ordersKafka)
	c.reconcile(tick)
	c.wantReplicas(9)
}

// TestASourceThatFails is told as one, and nothing that was said earlier counts.
func TestASourceThatFails(t *testing.T) {
	c := newCluster(t, sourced("orders-kafka topic=default.a group=default.b target=100"))
	c.listed(ordersKafka)
	c.answers = map[string]any{"lag": errors.New("orders-kafka refused the credentials (see the controller's log, id 4f2a)")}
	for range 30 {
		c.reconcile(tick)
	}
	c.wantReplicas(1)
	const why = "orders-kafka refused the credentials (see the controller's log, id 4f2a)"
	silent := "Warning AnnotationWarning metadata.annotations[mini-hpa/sources]: line 1: orders-kafka@lag has no value for 3 minutes: " + why +
		"; how many replicas there are to be meanwhile, mini-hpa/fallback would say"
	c.wantEvents("Warning FailedGetSource metric orders-kafka@lag: "+why, silent)
	// A moment in which it answers is not told of, and neither is what lasts after it.
	failing := c.answers
	for range 3 {
		c.answers = map[string]any{"lag": hinted{value: 100}}
		c.reconcile(tick)
		c.answers = failing
		for range 20 {
			c.reconcile(tick)
		}
	}
	c.wantEvents()
	c.answers = map[string]any{"lag": hinted{value: 100}}
	for range 4 {
		c.reconcile(tick)
	}
	c.answers = failing
	for range 20 {
		c.reconcile(tick)
	}
	c.wantEvents("Normal ValidMetricFound metrics are usable again: orders-kafka@lag 100 for 1 replicas at target 100 for each", "Warning FailedGetSource metric orders-kafka@lag: "+why, silent)
}

// TestALineThatFallsSilentAgain is told again, although another one has been silent all the time.
func TestALineThatFallsSilentAgain(t *testing.T) {
	c := newCluster(t, sourced("orders-kafka topic=default.a group=default.b target=100\nbills-kafka topic=default.a group=default.b target=100"))
	c.listed(strings.Replace(ordersKafka, "sources: [", `sources: [{name: bills-kafka, type: topics, namespaces: ["*"], allow: {group: ["*"], topic: ["*"]}}, `, 1))
	silent := func() (lines string) {
		for range 30 {
			c.reconcile(tick)
		}
		for len(c.events.Events) > 0 {
			if event := <-c.events.Events; strings.Contains(event, "has no value for 3 minutes") {
				_, event, _ = strings.Cut(event, "line ")
				lines += event[:1]
			}
		}
		return lines
	}
	c.answers = map[string]any{"orders-kafka": errors.New("it is down"), "bills-kafka": errors.New("it is down")}
	first := silent()
	c.answers["orders-kafka"] = hinted{value: 100}
	between := silent()
	c.answers["orders-kafka"] = errors.New("it is down")
	if again := silent(); first != "12" || between != "" || again != "1" {
		t.Errorf("silent are lines %q, %q while one answers, then %q", first, between, again)
	}
}

// TestALineWithoutAList is a metric that fails: nothing is listed, so there is nobody to ask.
func TestALineWithoutAList(t *testing.T) {
	c := newCluster(t, sourced("orders-kafka topic=default.a group=default.b target=100"))
	policy, _, _ := c.scaler.observer.Defaults.Parse(c.deployment.Annotations)
	snapshot, _ := c.scaler.observer.Observe(c.Workload(web), policy, time.Time{})
	if diff := cmp.Diff(map[string]string{"orders-kafka@lag": "it is not known which sources there are"}, snapshot.Errors); diff != "" || len(c.asked) > 0 {
		t.Errorf("errors (-want +got):\n%s\nasked %v", diff, c.asked)
	}
}
