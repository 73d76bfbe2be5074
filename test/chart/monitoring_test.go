package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	_ "sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue" // brings workqueue_*, as in the program
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

// ruleGroups is the spec of a PrometheusRule.
type ruleGroups struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

// rule is an alert, or the recording of a series.
type rule struct {
	Alert       string            `json:"alert"`
	Record      string            `json:"record"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

const runbooks = "https://runbooks.example/page"

// rulesWith are the rules that are rendered with more values of prometheusRule.
func rulesWith(t *testing.T, values map[string]any) []rule {
	t.Helper()
	return renderedRules(t, renderRules(t, values))
}

// renderedRules are the rules among objects.
func renderedRules(t *testing.T, objects []*unstructured.Unstructured) []rule {
	t.Helper()
	object := pick(t, objects, "PrometheusRule", release)
	spec := typedAs[struct {
		Spec ruleGroups `json:"spec"`
	}](t, &unstructured.Unstructured{Object: map[string]any{"spec": object.Object["spec"]}}).Spec
	var rules []rule
	for _, group := range spec.Groups {
		if len(group.Rules) == 0 {
			t.Errorf("group %s is empty", group.Name)
		}
		rules = append(rules, group.Rules...)
	}
	return rules
}

func renderRules(t *testing.T, values map[string]any) []*unstructured.Unstructured {
	t.Helper()
	set := map[string]any{"enabled": true, "runbookURL": runbooks}
	maps.Copy(set, values)
	return render(t, map[string]any{"prometheusRule": set})
}

// alerts are the alerts among the rules, recordings the others.
func alerts(rules []rule) []rule {
	return slices.DeleteFunc(slices.Clone(rules), func(r rule) bool { return r.Alert == "" })
}

func recordings(rules []rule) []rule {
	return slices.DeleteFunc(slices.Clone(rules), func(r rule) bool { return r.Record == "" })
}

func namesOf(rules []rule) []string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.Alert + r.Record
	}
	return names
}

func TestEachAlertSaysWhatIsWrongAndWhereToReadOn(t *testing.T) {
	t.Parallel()
	all := alerts(rulesWith(t, nil))
	if len(all) < 15 {
		t.Fatalf("%d alerts, want all of them", len(all))
	}
	severities := []string{"critical", "warning", "info"}
	for _, r := range all {
		if !strings.HasPrefix(r.Alert, "MiniHPA") {
			t.Errorf("%s: must begin with MiniHPA, so that it is nobody else's", r.Alert)
		}
		if !slices.Contains(severities, r.Labels["severity"]) {
			t.Errorf("%s: severity %q, must be one of %q", r.Alert, r.Labels["severity"], severities)
		}
		for _, key := range []string{"summary", "description"} {
			if text := r.Annotations[key]; !strings.HasSuffix(text, ".") {
				t.Errorf("%s: %s is %q, want a sentence", r.Alert, key, text)
			}
		}
		if strings.Contains(r.Annotations["summary"], "{{") {
			t.Errorf("%s: the summary differs from one alert to another: %q", r.Alert, r.Annotations["summary"])
		}
		if want := runbooks + "#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
	}
	if names := namesOf(all); len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("a name is used twice: %q", names)
	}
}

// TestEachAlertHasARunbook compares with docs/runbooks.md, whose headings are GitHub's anchors in lower case.
func TestEachAlertHasARunbook(t *testing.T) {
	t.Parallel()
	page := document(t, "runbooks.md")
	var sections []string
	for _, section := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(page, -1) {
		sections = append(sections, section[1])
	}
	if diff := cmp.Diff(namesOf(alerts(rulesWith(t, nil))), sections); diff != "" {
		t.Errorf("sections of docs/runbooks.md, in the order of the alerts (-alerts +sections):\n%s", diff)
	}
	for _, text := range strings.Split(page, "\n## ")[1:] {
		for _, part := range []string{"**Meaning.**", "**Impact.**", "**Diagnose.**", "**Fix.**"} {
			if strings.Count(text, part) != 1 {
				t.Errorf("section %q: %s is there %d times, want once", strings.SplitN(text, "\n", 2)[0], part, strings.Count(text, part))
			}
		}
	}
	for _, link := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(page, -1) {
		if !slices.ContainsFunc(sections, func(name string) bool { return strings.ToLower(name) == link[1] }) {
			t.Errorf("a link leads to #%s, which is not there", link[1])
		}
	}
}

// document is a page in docs/.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAlertsCanBeLeftOut(t *testing.T) {
	t.Parallel()
	all := namesOf(rulesWith(t, nil))
	left := namesOf(rulesWith(t, map[string]any{"disabled": []string{"MiniHPAWorkloadPaused", "MiniHPADown"}}))
	want := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == "MiniHPAWorkloadPaused" || name == "MiniHPADown" })
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	whole := namesOf(alerts(rulesWith(t, nil)))
	for _, object := range renderRules(t, map[string]any{"disabled": whole, "kubeNames": false, "recordings": false}) {
		if object.GetKind() == "PrometheusRule" {
			t.Error("a PrometheusRule without rules is rendered")
		}
	}
	if left := rulesWith(t, map[string]any{"disabled": whole}); len(alerts(left)) != 0 || len(left) == 0 {
		t.Errorf("without all alerts there are %q, want the recordings", namesOf(left))
	}
}

func TestAMisspeltAlertIsNotLeftOutInSilence(t *testing.T) {
	t.Parallel()
	for name, render := range engines() {
		_, err := render(rendering(t, map[string]any{"prometheusRule": map[string]any{"enabled": true, "disabled": []string{"MiniHPADown", "MiniHPAUp"}}}))
		if err == nil {
			t.Fatalf("%s: an alert that is not there can be left out", name)
		}
		for _, part := range []string{"prometheusRule.disabled[1]", `"MiniHPAUp"`, "MiniHPADown"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the message has no %s: %v", name, part, err)
			}
		}
	}
}

// TestTheNamesOfKubeStateMetrics: alerts for HPAs compare these with each other, so they must have the same labels.
func TestTheNamesOfKubeStateMetrics(t *testing.T) {
	t.Parallel()
	var got []string
	for _, r := range recordings(rulesWith(t, map[string]any{"recordings": false})) {
		got = append(got, strings.TrimSpace(r.Record+" "+r.Labels["status"]))
		if r.Labels["job"] != "kube-state-metrics" {
			t.Errorf("%s has job %q, by which the alerts select", r.Record, r.Labels["job"])
		}
	}
	const prefix = "kube_horizontalpodautoscaler_"
	want := []string{prefix + "spec_min_replicas", prefix + "spec_max_replicas", prefix + "status_current_replicas", prefix + "status_desired_replicas",
		prefix + "status_condition true", prefix + "status_condition false", prefix + "status_condition unknown", prefix + "spec_target_metric", prefix + "status_target_metric"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recordings (-want +got):\n%s", diff)
	}
	left := recordings(rulesWith(t, map[string]any{"kubeNames": false}))
	if diff := cmp.Diff([]string{"hpa_name:mini_hpa_metric_value:ratio"}, namesOf(left)); diff != "" {
		t.Errorf("recordings with prometheusRule.kubeNames=false (-want +got):\n%s", diff)
	}
}

func TestRulesWaitForTheOperatorsAPI(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]int{"skipIfMissing": 0, "alwaysRender": 1} {
		o := rendering(t, map[string]any{"prometheusRule": map[string]any{"enabled": true, "renderMode": mode}})
		o.apis = nil
		found := 0
		for _, object := range o.run(t).objects(t) {
			if object.GetKind() == "PrometheusRule" {
				found++
			}
		}
		if found != want {
			t.Errorf("%s, where the API is missing: %d PrometheusRules, want %d", mode, found, want)
		}
	}
	o := rendering(t, map[string]any{"prometheusRule": map[string]any{"enabled": true, "renderMode": "failIfMissing"}})
	o.apis = nil
	if _, err := templateHelm4(o); err == nil || !strings.Contains(err.Error(), "prometheusRule.renderMode") {
		t.Errorf("failIfMissing, where the API is missing: %v, want an error that names prometheusRule.renderMode", err)
	}
}

// TestAlertsAboutActivators: theirs are in the release too, but a controller that is gone is not there because they are; and how late nodes may be is what
// the value says.
func TestAlertsAboutActivators(t *testing.T) {
	t.Parallel()
	for values, limit := range map[string]string{"{enabled: true, kind: DaemonSet}": "> 10", "{enabled: true, propagation: 1m30s}": "> 90", "{enabled: true, propagation: 1500ms}": "> 1.5"} {
		objects := renderYAML(t, "{activator: "+values+", prometheusRule: {enabled: true}}")
		text := fmt.Sprint(pick(t, objects, "PrometheusRule", release).Object)
		if want := `mini_hpa_activator_propagation_seconds{` + `namespace="mini-hpa",pod=~"mini-hpa-[^-]+-[^-]+",pod!~"mini-hpa-activator-.+"}) ` + limit; !strings.Contains(text, want) {
			t.Errorf("%s: there is no %s:\n%s", values, want, text)
		}
		if strings.Contains(text, "PROPAGATION") {
			t.Errorf("%s: a number is missing:\n%s", values, text)
		}
	}
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 1e6)
	down := plot{[]string{`mini_hpa_build_info{namespace="mini-hpa",pod="mini-hpa-activator-x7k2p",job="mini-hpa-activator-metrics"} 1x20`}, 10, []string{`namespace="mini-hpa"`}}
	rules := renderedRules(t, renderYAML(t, "{activator: {enabled: true, kind: DaemonSet}, prometheusRule: {enabled: true}}"))
	if diff := cmp.Diff(down.want, firing(t, engine, rules[0], down)); diff != "" || rules[0].Alert != "MiniHPADown" {
		t.Errorf("%s, where activators are all that runs (-want +got):\n%s", rules[0].Alert, diff)
	}
}

func TestMonitoringGoesWhereItIsSelected(t *testing.T) {
	t.Parallel()
	objects := render(t, map[string]any{
		"prometheusRule": map[string]any{"enabled": true, "namespace": "monitoring", "labels": map[string]any{"prometheus": "main"}},
		"dashboard": map[string]any{"enabled": true, "namespace": "grafana", "labels": map[string]any{"board": "yes"},
			"annotations": map[string]any{"folder": "Autoscaling"}}})
	rules, board := pick(t, objects, "PrometheusRule", release), pick(t, objects, "ConfigMap", release+"-dashboard")
	if rules.GetNamespace() != "monitoring" || rules.GetLabels()["prometheus"] != "main" {
		t.Errorf("the rules are in %q and have labels %v", rules.GetNamespace(), rules.GetLabels())
	}
	if board.GetNamespace() != "grafana" || board.GetLabels()["board"] != "yes" || board.GetAnnotations()["folder"] != "Autoscaling" {
		t.Errorf("the dashboard is in %q and has labels %v, annotations %v", board.GetNamespace(), board.GetLabels(), board.GetAnnotations())
	}
	for _, r := range alerts(rulesWith(t, nil)) {
		if strings.Contains(r.Expr, "RELEASE") {
			t.Errorf("%s: the release's matchers are missing: %s", r.Alert, r.Expr)
		}
	}
	for _, object := range render(t, nil) {
		if object.GetKind() == "PrometheusRule" || strings.HasSuffix(object.GetName(), "-dashboard") {
			t.Errorf("%s %s is rendered unasked", object.GetKind(), object.GetName())
		}
	}
}

// TestProcessesAreThoseOfTheRelease: names that others export too are matched by the release's pods.
func TestProcessesAreThoseOfTheRelease(t *testing.T) {
	t.Parallel()
	workload := regexp.MustCompile(`^mini_hpa_(condition|workload_mode|overwritten_pause_seconds|[a-z]+_replicas|metric_value|metric_target|asleep|wakes_total|failed_metrics|wake_state|activator_refused_total)$`)
	for _, r := range rulesWith(t, nil) {
		for _, s := range selectors(t, r.Expr) {
			got := map[string]string{}
			for _, m := range s.LabelMatchers {
				got[m.Name] = m.Value
			}
			switch {
			case workload.MatchString(s.Name):
				if got["namespace"] != "" || got["pod"] != "" {
					t.Errorf("%s: %s has the labels of a workload, whose namespace is any: %s", r.Alert+r.Record, s.Name, s)
				}
			case got["namespace"] != home || !regexp.MustCompile("^(?:"+got["pod"]+")$").MatchString("mini-hpa-75675f5897-7ci7o"):
				t.Errorf("%s: %s is not only the release's: %s", r.Alert+r.Record, s.Name, s)
			}
		}
	}
}

// TestScrapedLabelsAreKept: the label namespace is the workload's.
func TestScrapedLabelsAreKept(t *testing.T) {
	t.Parallel()
	for value, field := range map[string]string{"serviceMonitor": "endpoints", "podMonitor": "podMetricsEndpoints"} {
		kind := strings.ToUpper(value[:1]) + value[1:]
		object := pick(t, render(t, map[string]any{"metrics": map[string]any{value: map[string]any{"enabled": true}}}), kind, release)
		endpoints, found, err := unstructured.NestedSlice(object.Object, "spec", field)
		if err != nil || !found {
			t.Fatalf("%s: no spec.%s: %v", kind, field, err)
		}
		for _, endpoint := range endpoints {
			if honored, ok := endpoint.(map[string]any)["honorLabels"].(bool); !ok || !honored {
				t.Errorf("%s: honorLabels is not true in %v", kind, endpoint)
			}
		}
	}
}

// exported are the metrics of the program with the labels of each: those in docs/metrics.md, which a test of the program keeps
// current, and those of the libraries that it has in its registry.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	known := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z_,]*) \\|").FindAllStringSubmatch(document(t, "metrics.md"), -1) {
		known[row[1]] = strings.Split(row[2], ",")
	}
	if len(known) < 15 {
		t.Fatalf("%d metrics in docs/metrics.md, want all of them", len(known))
	}
	libraries := prometheus.NewRegistry()
	libraries.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	crmetrics.RegisterRESTClientMetrics(crmetrics.MetricRequestLatency, crmetrics.MetricRateLimiterLatency, crmetrics.MetricRequestRetry)
	controllers, ok := crmetrics.Registry.(describer)
	if !ok {
		t.Fatalf("controller-runtime's registry is a %T, which does not tell what is in it", crmetrics.Registry)
	}
	for _, registry := range []describer{libraries, controllers} {
		maps.Copy(known, described(registry))
	}
	return known
}

var description = regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: \{([^}]*)\}`)

// describer is a registry.
type describer interface {
	Describe(descriptions chan<- *prometheus.Desc)
}

// described are the names and labels of what is in a registry. A Desc tells them in its text only.
func described(c describer) map[string][]string {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		c.Describe(descriptions)
	}()
	found := map[string][]string{}
	for d := range descriptions {
		if parts := description.FindStringSubmatch(d.String()); parts != nil {
			found[parts[1]] = strings.Split(parts[2], ",")
		}
	}
	return found
}

// ofTargets are the labels that Prometheus gives the samples of a target.
var ofTargets = []string{"namespace", "pod", "job", model.MetricNameLabel}

// selectors are the series that an expression asks for. It fails the test if the expression cannot be parsed.
func selectors(t *testing.T, expr string) []*parser.VectorSelector {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%v\n%s", err, expr)
	}
	var found []*parser.VectorSelector
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			found = append(found, s)
		}
		return nil
	})
	return found
}

// checkSeries finds out whether all series of an expression exist, and all labels by which they are selected.
func checkSeries(t *testing.T, where, expr string, known map[string][]string) {
	t.Helper()
	all := selectors(t, expr)
	if len(all) == 0 {
		t.Errorf("%s asks for no series: %s", where, expr)
	}
	for _, s := range all {
		names, ok := known[s.Name]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, cut := strings.CutSuffix(s.Name, suffix); cut && !ok {
				names, ok = known[base]
			}
		}
		if !ok {
			t.Errorf("%s asks for %s, which mini-hpa does not export", where, s.Name)
		}
		for _, m := range s.LabelMatchers {
			if !slices.Contains(names, m.Name) && !slices.Contains(ofTargets, m.Name) {
				t.Errorf("%s selects by %s, which %s does not have (%q)", where, m.Name, s.Name, names)
			}
		}
	}
}

func TestRulesAskForWhatIsExported(t *testing.T) {
	t.Parallel()
	known := exported(t)
	for _, r := range rulesWith(t, nil) {
		checkSeries(t, r.Alert+r.Record, r.Expr, known)
	}
}

// panel is one of the dashboard's, as far as it is checked.
type panel struct {
	ID         int        `json:"id"`
	Type       string     `json:"type"`
	Title      string     `json:"title"`
	Datasource dataSource `json:"datasource"`
	GridPos    struct {
		H, W, X, Y int
	} `json:"gridPos"`
	Targets []struct {
		Expr       string     `json:"expr"`
		RefID      string     `json:"refId"`
		Datasource dataSource `json:"datasource"`
	} `json:"targets"`
}

type dataSource struct{ Type, UID string }

// dashboardModel is the dashboard, as far as it is checked.
type dashboardModel struct {
	UID           string  `json:"uid"`
	SchemaVersion int     `json:"schemaVersion"`
	Panels        []panel `json:"panels"`
	Templating    struct {
		List []struct {
			Name       string     `json:"name"`
			Type       string     `json:"type"`
			Definition string     `json:"definition"`
			Datasource dataSource `json:"datasource"`
		} `json:"list"`
	} `json:"templating"`
}

func dashboard(t *testing.T) dashboardModel {
	t.Helper()
	object := pick(t, render(t, map[string]any{"dashboard": map[string]any{"enabled": true}}), "ConfigMap", release+"-dashboard")
	text, _, err := unstructured.NestedString(object.Object, "data", "mini-hpa.json")
	if err != nil {
		t.Fatal(err)
	}
	if object.GetLabels()["grafana_dashboard"] != "1" {
		t.Errorf("labels %v, by which Grafana's sidecar does not find it", object.GetLabels())
	}
	var b dashboardModel
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// filled is an expression with something for the dashboard's variables.
func filled(expr string) string {
	return strings.NewReplacer("$__rate_interval", "5m", "$job", "a|b", "$namespace", "a|b", "$workload", "a|b").Replace(expr)
}

func TestTheDashboardAsksForWhatIsExported(t *testing.T) {
	t.Parallel()
	known, used := exported(t), map[string]bool{}
	for _, p := range dashboard(t).Panels {
		if (len(p.Targets) == 0) != (p.Type == "row") {
			t.Errorf("panel %q of type %s has %d queries", p.Title, p.Type, len(p.Targets))
		}
		for _, target := range p.Targets {
			expr := filled(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("panel %q has an unknown variable: %s", p.Title, target.Expr)
				continue
			}
			checkSeries(t, fmt.Sprintf("panel %q", p.Title), expr, known)
			for _, s := range selectors(t, expr) {
				used[s.Name] = true
				if !slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == "job" }) {
					t.Errorf("panel %q shows more than the chosen job: %s", p.Title, s)
				}
			}
		}
	}
	for _, name := range []string{"mini_hpa_min_replicas", "mini_hpa_max_replicas", "mini_hpa_current_replicas", "mini_hpa_desired_replicas", "mini_hpa_condition",
		"mini_hpa_metric_value", "mini_hpa_metric_target", "mini_hpa_last_scale_timestamp_seconds", "mini_hpa_ready_replicas", "mini_hpa_limited", "mini_hpa_external_writes_total",
		"mini_hpa_asleep", "mini_hpa_wakes_total", "mini_hpa_failed_metrics", "mini_hpa_wake_duration_seconds_bucket",
		"mini_hpa_activators", "mini_hpa_requests_held", "mini_hpa_requests_in_flight", "mini_hpa_wake_state", "mini_hpa_activator_requests_total",
		"mini_hpa_activator_refused_total", "mini_hpa_activator_wait_seconds_bucket", "mini_hpa_activator_propagation_seconds",
		"mini_hpa_metrics_age_seconds", "mini_hpa_reconciliations_total", "workqueue_depth", "rest_client_requests_total", "mini_hpa_webhook_verdicts_total",
		"mini_hpa_webhook_certificate_expiry_timestamp_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes"} {
		if !used[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

func TestTheDashboardsVariablesExist(t *testing.T) {
	t.Parallel()
	known, b := exported(t), dashboard(t)
	query := regexp.MustCompile(`^label_values\((.*), ([a-z_]+)\)$`)
	var names []string
	for _, v := range b.Templating.List {
		names = append(names, v.Name)
		if v.Type == "datasource" {
			continue
		}
		parts := query.FindStringSubmatch(v.Definition)
		if parts == nil || v.Datasource.UID != "${datasource}" {
			t.Fatalf("variable %s is %q of data source %q", v.Name, v.Definition, v.Datasource.UID)
		}
		checkSeries(t, "variable "+v.Name, filled(parts[1]), known)
		if series := selectors(t, filled(parts[1]))[0].Name; !slices.Contains(known[series], parts[2]) && !slices.Contains(ofTargets, parts[2]) {
			t.Errorf("variable %s: %s has no label %s", v.Name, series, parts[2])
		}
	}
	if diff := cmp.Diff([]string{"datasource", "job", "namespace", "workload"}, names); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func TestTheDashboardIsInOrder(t *testing.T) {
	t.Parallel()
	b := dashboard(t)
	if b.UID != "mini-hpa" || b.SchemaVersion < 39 {
		t.Errorf("uid %q, schemaVersion %d; links to it need the first, Grafana 11 and later know the second", b.UID, b.SchemaVersion)
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range b.Panels {
		if ids[p.ID] || p.ID == 0 {
			t.Errorf("panel %q: id %d is used twice, or none", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && p.Datasource != (dataSource{"prometheus", "${datasource}"}) {
			t.Errorf("panel %q: data source %v, want that of the variable", p.Title, p.Datasource)
		}
		refs := map[string]bool{}
		for _, target := range p.Targets {
			if target.Datasource != p.Datasource || refs[target.RefID] {
				t.Errorf("panel %q: query %s has data source %v, or its name twice", p.Title, target.RefID, target.Datasource)
			}
			refs[target.RefID] = true
		}
		g := p.GridPos
		if g.H < 1 || g.W < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("panel %q is out of the grid: %+v", p.Title, g)
		}
		for cell := range g.H * g.W {
			at := [2]int{g.X + cell%g.W, g.Y + cell/g.W}
			if other := taken[at]; other != "" {
				t.Fatalf("panels %q and %q overlap at %v", other, p.Title, at)
			}
			taken[at] = p.Title
		}
	}
}

func TestEachAlertWaits(t *testing.T) {
	t.Parallel()
	for _, r := range alerts(rulesWith(t, nil)) {
		if wait, err := model.ParseDuration(r.For); err != nil || time.Duration(wait) < time.Minute {
			t.Errorf("%s: for %q, want a duration of a minute at least: one bad scrape is no trouble", r.Alert, r.For)
		}
	}
}

// TestAlertsFindPodsOfLongNames: Kubernetes cuts what it generates a pod's name from to 58 characters, so the hash of a long name may be
// gone, and the hyphen with it.
func TestAlertsFindPodsOfLongNames(t *testing.T) {
	t.Parallel()
	for _, length := range []int{8, 46, 47, 52} {
		name := strings.Repeat("a", length)
		objects := render(t, parsed(t, fmt.Appendf(nil, "{fullnameOverride: %s, activator: {enabled: true}, prometheusRule: {enabled: true, renderMode: alwaysRender}}", name)))
		text := fmt.Sprint(pick(t, objects, "PrometheusRule", name).Object)
		found := regexp.MustCompile(`pod=~"([^"]+)"`).FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("no alert names pods: %s", text)
		}
		base := name + "-75675f5897-"
		pod := base[:min(len(base), 58)] + "7hxqz"
		if !regexp.MustCompile("^(?:" + found[1] + ")$").MatchString(pod) {
			t.Errorf("%q does not match the pod %q", found[1], pod)
		}
		left := regexp.MustCompile(`pod!~"([^"]+)"`).FindStringSubmatch(text)
		if left == nil {
			t.Fatalf("no alert leaves out activators: %s", text)
		}
		for _, of := range []string{name + "-activator-", name + "-activator-6d4b75cb6d-"} {
			if other := of[:min(len(of), 58)] + "7hxqz"; !regexp.MustCompile("^(?:" + left[1] + ")$").MatchString(other) {
				t.Errorf("%q does not leave out the activator %q", left[1], other)
			}
		}
		if regexp.MustCompile("^(?:" + left[1] + ")$").MatchString(pod) {
			t.Errorf("%q leaves out the pod %q", left[1], pod)
		}
	}
}
