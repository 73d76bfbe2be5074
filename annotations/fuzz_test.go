package annotations

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// FuzzParse puts any two annotations on top of a valid set, and holds Parse to what its callers rely on.
func FuzzParse(f *testing.F) {
	for _, key := range Keys() {
		name := strings.TrimPrefix(key.Name, Prefix)
		for _, value := range append(key.Examples, key.Default, "", " 7 ", "\x1b[31m", "\xff", "9223372036854775808", "-1") {
			f.Add(name, value, "min", "2")
		}
	}
	f.Add("target-memory", "9223372036854775807Pi", "container", "app")
	f.Add("scale-up-policies", "1 pod/1s,2147483647%/30m", "scale-down-policies", "disabled,disabled")
	f.Add("tolerance", "0.9999999999", "sync-period", "-9223372036854775808ns")
	f.Add("maxx\n", "\n", "MAX", strings.Repeat("9", 70))
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		all := basic(map[string]string{Prefix + key1: value1})
		all[Prefix+key2] = value2
		policy, warnings, errs := Parse(all)

		again, sameWarnings, sameErrs := Parse(all)
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
	})
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
	if !slices.IsSortedFunc(errs, func(a, b *field.Error) int { return strings.Compare(a.Field, b.Field) }) {
		t.Errorf("not sorted: %v", errs)
	}
	if !slices.IsSortedFunc(warnings, func(a, b Warning) int { return strings.Compare(a.Key, b.Key) }) {
		t.Errorf("not sorted: %v", warnings)
	}
}

// mustBeComplete checks what Policy promises about its fields.
func mustBeComplete(t *testing.T, p Policy) {
	t.Helper()
	if p.Min < 1 || p.Max < p.Min {
		t.Errorf("bounds %d..%d", p.Min, p.Max)
	}
	if len(p.Metrics) == 0 {
		t.Error("no metrics")
	}
	for _, m := range p.Metrics {
		mustHaveTarget(t, m)
	}
	mustBeInLimits(t, p.Up)
	mustBeInLimits(t, p.Down)
	if p.SyncPeriod < time.Second || p.SyncPeriod > time.Hour {
		t.Errorf("sync period %v", p.SyncPeriod)
	}
	if !slices.Contains([]Mode{ModeAuto, ModeObserve, ModePaused}, p.Mode) {
		t.Errorf("mode %q", p.Mode)
	}
}

func mustHaveTarget(t *testing.T, m autoscalingv2.MetricSpec) {
	t.Helper()
	var target autoscalingv2.MetricTarget
	switch m.Type {
	case autoscalingv2.ResourceMetricSourceType:
		target = m.Resource.Target
	case autoscalingv2.ContainerResourceMetricSourceType:
		target = m.ContainerResource.Target
	default:
		t.Errorf("metric type %q", m.Type)
	}
	switch target.Type {
	case autoscalingv2.UtilizationMetricType:
		if *target.AverageUtilization < 1 || target.AverageValue != nil {
			t.Errorf("target %+v", target)
		}
	case autoscalingv2.AverageValueMetricType:
		if target.AverageValue.MilliValue() < 1 || target.AverageUtilization != nil {
			t.Errorf("target %+v", target)
		}
	default:
		t.Errorf("metric %+v", m)
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
	if disabled := *r.SelectPolicy == autoscalingv2.DisabledPolicySelect; disabled != (len(r.Policies) == 0) {
		t.Errorf("%s with policies %v", *r.SelectPolicy, r.Policies)
	}
	for _, p := range r.Policies {
		if p.Value < 1 || p.PeriodSeconds < 1 || p.PeriodSeconds > 1800 {
			t.Errorf("policy %+v", p)
		}
	}
}
