package annotations

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// FuzzParse puts any two annotations on top of a valid set, and holds Parse to what its callers rely on.
func FuzzParse(f *testing.F) {
	for _, key := range Rows() {
		name := strings.TrimPrefix(key.Name, Prefix)
		for _, value := range append(key.Examples, key.Default, "", " 7 ", "\x1b[31m", "\xff", "9223372036854775808", "-1") {
			f.Add(name, value, "min", "2")
		}
	}
	f.Add("sources", "prom rps a=\"\\x1b[31m\" target=1\nprom rps a=\"\u202e,{}\" active=1e-99 limit=3", "min", "1")
	f.Add("target-memory", "9223372036854775807Pi", "container", "app")
	f.Add("scale-up-policies", "1 pod/1s,2147483647%/30m", "scale-down-policies", "disabled,disabled")
	f.Add("tolerance", "0.9999999999", "sync-period", "-9223372036854775808ns")
	f.Add("maxx\n", "\n", "MAX", strings.Repeat("9", 70))
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		all := basic(map[string]string{Prefix + key1: value1})
		all[Prefix+key2] = value2
		mustHold(t, all)
	})
}

// mustHold checks what callers of Parse rely on, whatever the annotations are.
func mustHold(t *testing.T, all map[string]string) {
	t.Helper()
	policy, warnings, errs := parse(all)
	again, sameWarnings, sameErrs := parse(all)
	if !cmp.Equal(policy, again) || !cmp.Equal(warnings, sameWarnings) || !cmp.Equal(texts(errs), texts(sameErrs)) {
		t.Errorf("two parses of %q differ", all)
	}
	mustBeReadable(t, warnings, errs)
	if len(errs) > 0 {
		if !cmp.Equal(policy, Policy{}) {
			t.Errorf("a policy came with errors: %+v", policy)
		}
		return
	}
	mustBeComplete(t, policy)
}

// bombs are documents that have brought down readers of YAML.
func bombs() []string {
	const laughs = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
	const metric = "- type: Pods\n  pods: {metric: {name: x}, target: {type: AverageValue, averageValue: "
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, "%x,", i)
	}
	return []string{
		laughs, "&a [*a]", "- &a b\n- *a", `[{"type":&x "Pods"}]`, "{<<: {type: Pods}}", "--- []\n---\n[]", "[]\n...\n[]", "[] []",
		"{" + many.String()[:maxDocumentLength-2] + "}", "[" + many.String()[:maxDocumentLength-2] + "]",
		strings.Repeat("[", maxDocumentLength), strings.Repeat("[", 8000) + strings.Repeat("]", 8000),
		strings.Repeat(`{"scaleUp":`, 1000), strings.Repeat("- ", 8000), strings.Repeat("? ", 8000), strings.Repeat("#\n", 8000),
		metric + "1e999999999}}", metric + "1e-999999999}}", metric + "9223372036854775808}}", metric + ".nan}}", metric + ".inf}}",
		metric + strings.Repeat("9", 10_000) + "}}", metric + "0x10}}", metric + "1_000}}", metric + "12:30:45}}", metric + "2001-01-01}}",
		metric + "-0}}", metric + "-1}}", metric + `"\u0007"}}`, metric + "!!binary aGk=}}", metric + "1\xff}}", "\xff", "\xef\xbb\xbf[]", "\x00", "~", "",
		`{"scaleUp":{"stabilizationWindowSeconds":1e3,"tolerance":"-1"},"scaleup":{}}`, `{"scaleDown":{"policies":[]},"scaleDown":{}}`,
		"{1: a, '1': b}", "? [a]\n: b", "true: x", "~: x", "\u2028- *a", "'\n# ' : *a", "<<:\r? 0:", "scaleUp: {tolerance: 1e9999999}",
	}
}

// TestBombsAreCheap: no document of 16 KiB costs more than a parser needs for its syntax.
func TestBombsAreCheap(t *testing.T) {
	const allowed = 32 << 20
	for _, bomb := range bombs() {
		for _, key := range []string{Metrics, Behavior} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			mustHold(t, basic(map[string]string{key: bomb}))
			runtime.ReadMemStats(&after)
			if spent := after.TotalAlloc - before.TotalAlloc; spent > 2*allowed {
				t.Errorf("%d MiB for two parses of %.60q", spent>>20, bomb)
			}
		}
	}
}

// FuzzMetrics puts any document in place of the metrics.
func FuzzMetrics(f *testing.F) {
	for _, row := range goodMetrics() {
		f.Add(row.value)
	}
	for _, row := range badMetrics() {
		f.Add(row.value)
	}
	fuzzDocument(f, Metrics)
}

// FuzzBehavior puts any document in place of the behavior.
func FuzzBehavior(f *testing.F) {
	for _, row := range goodBehaviors() {
		f.Add(row.value)
	}
	for _, row := range badBehaviors() {
		f.Add(row.value)
	}
	fuzzDocument(f, Behavior)
}

func fuzzDocument(f *testing.F, key string) {
	for _, bomb := range bombs() {
		f.Add(bomb)
	}
	f.Fuzz(func(t *testing.T, value string) {
		all := map[string]string{Max: "10", key: value}
		if key != Metrics {
			all[TargetCPU] = "50"
		}
		mustHold(t, all)
		mustAgree(t, key, all)
	})
}

// mustAgree checks that a document means what the JSON means that kubectl makes of it for the API server. It is only
// about documents that are accepted: those have no aliases that could expand.
func mustAgree(t *testing.T, key string, all map[string]string) {
	t.Helper()
	want, _, errs := parse(all)
	if len(errs) > 0 {
		return
	}
	converted, err := yaml.YAMLToJSONStrict([]byte(all[key]))
	if err != nil {
		t.Fatalf("%q is accepted, and kubectl says %v", all[key], err)
	}
	inJSON := maps.Clone(all)
	inJSON[key] = string(converted)
	got, _, errs := parse(inJSON)
	if diff := cmp.Diff(want, got); diff != "" || len(errs) > 0 {
		t.Errorf("%q as JSON: errors %v, policy (-YAML +JSON):\n%s", all[key], errs, diff)
	}
}

// mustBeReadable checks that problems are sorted, name their key, and can be printed on any terminal.
func mustBeReadable(t *testing.T, warnings []Warning, errs field.ErrorList) {
	t.Helper()
	var lines []string
	for _, err := range errs {
		keyOf(t, err)
		value, _ := err.BadValue.(string)
		lines = append(lines, err.Error(), value)
	}
	for _, warning := range warnings {
		if !strings.HasPrefix(warning.Key, Prefix) {
			t.Errorf("warning about %q", warning.Key)
		}
		lines = append(lines, warning.String())
	}
	for _, line := range lines {
		if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q has characters that do not print", line)
		}
		if len(line) > 1024 {
			t.Errorf("%q does not fit into an Event", line)
		}
	}
	if !slices.IsSortedFunc(errs, func(a, b *field.Error) int { return strings.Compare(keyOf(t, a), keyOf(t, b)) }) {
		t.Errorf("not sorted: %v", errs)
	}
	if !slices.IsSortedFunc(warnings, func(a, b Warning) int { return strings.Compare(a.Key, b.Key) }) {
		t.Errorf("not sorted: %v", warnings)
	}
}

// mustBeComplete checks what Policy promises about its fields.
func mustBeComplete(t *testing.T, p Policy) {
	t.Helper()
	if p.Min < 0 || p.Max < p.Min {
		t.Errorf("bounds %d..%d", p.Min, p.Max)
	}
	if len(p.Metrics) == 0 {
		t.Error("no metrics")
	}
	for _, m := range p.Metrics {
		if m.Line != nil {
			mustBeALine(t, m)
		}
		if m.Line == nil || !m.Line.Signal {
			mustHaveTarget(t, m.Spec)
		}
	}
	mustBeInLimits(t, p.Up)
	mustBeInLimits(t, p.Down)
	if p.WarmUp < 0 || p.WarmUp > 30*time.Minute {
		t.Errorf("warm-up %v", p.WarmUp)
	}
	if p.SyncPeriod < time.Second || p.SyncPeriod > time.Hour {
		t.Errorf("sync period %v", p.SyncPeriod)
	}
	if !slices.Contains([]Mode{ModeAuto, ModeObserve, ModePaused}, p.Mode) {
		t.Errorf("mode %q", p.Mode)
	}
}

// mustBeALine checks what a line of mini-hpa/sources promises.
func mustBeALine(t *testing.T, m Metric) {
	t.Helper()
	target := m.Spec.External.Target
	if strings.ContainsFunc(m.ID, func(c rune) bool { return !unicode.IsPrint(c) }) || !strings.HasPrefix(m.ID, m.Source+"@") {
		t.Errorf("ID %q of source %q", m.ID, m.Source)
	}
	if m.Line.Number < 1 || m.Line.Active.Sign() < 0 || m.Line.Limit < 0 || m.Line.Signal != (target.Value == nil && target.AverageValue == nil) {
		t.Errorf("line %+v with target %+v", *m.Line, target)
	}
}

// mustHaveTarget checks that a metric has its one source, and that the field that counts is positive.
func mustHaveTarget(t *testing.T, m autoscalingv2.MetricSpec) {
	t.Helper()
	targets := map[autoscalingv2.MetricSourceType]*autoscalingv2.MetricTarget{}
	if m.Resource != nil {
		targets[autoscalingv2.ResourceMetricSourceType] = &m.Resource.Target
	}
	if m.ContainerResource != nil {
		targets[autoscalingv2.ContainerResourceMetricSourceType] = &m.ContainerResource.Target
	}
	if m.Pods != nil {
		targets[autoscalingv2.PodsMetricSourceType] = &m.Pods.Target
	}
	if m.Object != nil {
		targets[autoscalingv2.ObjectMetricSourceType] = &m.Object.Target
	}
	if m.External != nil {
		targets[autoscalingv2.ExternalMetricSourceType] = &m.External.Target
	}
	target := targets[m.Type]
	if len(targets) != 1 || target == nil {
		t.Fatalf("metric %+v has not the one source of its type", m)
	}
	if target.AverageUtilization == nil && target.AverageValue == nil && target.Value == nil {
		t.Errorf("metric %+v has no target", m)
	}
	if target.AverageUtilization != nil && *target.AverageUtilization < 1 {
		t.Errorf("target %+v", target)
	}
	for _, q := range []*resource.Quantity{target.Value, target.AverageValue} {
		if q != nil && q.Sign() <= 0 {
			t.Errorf("target %+v", target)
		}
	}
}

func mustBeInLimits(t *testing.T, r autoscalingv2.HPAScalingRules) {
	t.Helper()
	if *r.StabilizationWindowSeconds < 0 || *r.StabilizationWindowSeconds > 3600 {
		t.Errorf("stabilization window %d", *r.StabilizationWindowSeconds)
	}
	if r.Tolerance.Sign() < 0 {
		t.Errorf("tolerance %v", r.Tolerance)
	}
	if len(r.Policies) == 0 && *r.SelectPolicy != autoscalingv2.DisabledPolicySelect {
		t.Errorf("%s with policies %v", *r.SelectPolicy, r.Policies)
	}
	for _, p := range r.Policies {
		if p.Value < 1 || p.PeriodSeconds < 1 || p.PeriodSeconds > 1800 {
			t.Errorf("policy %+v", p)
		}
	}
}
