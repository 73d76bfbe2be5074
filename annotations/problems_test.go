package annotations

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

const (
	cpuAllowed = `must be a percent of the CPU request above 0 such as "50" or "50%", ` +
		`or an amount for each pod from "1m" to "1000000000m" in whole millicores such as "250m"`
	memoryAllowed = `must be a percent of the memory request above 0 such as "70" or "70%", ` +
		`or an amount for each pod above 0 and up to "1Pi" such as "512Mi" (units: Ki, Mi, Gi, Ti, Pi, k, M, G, T, P)`
	fallbackAllowed  = `must be a number of replicas from 1 to 2147483647, "after", and a duration from "0s" to "24h", such as "3 after 2m"`
	countAllowed     = `must be a whole number of replicas from 0 to 2147483647, in digits only`
	toleranceAllowed = `must be a whole percent from "0%" to "1000000%" such as "10%", ` +
		`or a decimal fraction with up to 9 decimals such as "0.05"`
	windowAllowed = `must be a duration in whole seconds from "0s" to "1h", with a unit, such as "90s" or "5m"`
	policyAllowed = ` must be a number of pods or a percent, each from 1 to 2147483647, within a period in whole ` +
		`seconds from "1s" to "30m", such as "4 pods/15s" or "100%/15s"; or the whole value is "disabled"`
	warmUpAllowed  = `must be a duration from "0s" to "30m", with a unit, such as "90s"`
	periodAllowed  = `must be a duration from "1s" to "1h", with a unit, such as "5s"`
	modeAllowed    = `must be "auto", "observe" or "paused"`
	labelAllowed   = `must be the name of a container: up to 63 lowercase letters, digits and "-", with a letter or digit at both ends`
	controlRefused = `must not contain control characters such as line breaks or tabs`
	emptyRefused   = `must not be empty; remove the annotation if it is not needed`
)

// TestParseBadValues reads values that are wrong the same way: each gives one error with the value and the rule.
func TestParseBadValues(t *testing.T) {
	windows := []string{"5", "0", "90", "-5s", "+5s", "5 m", "5x", "1h1s", "1500ms", "3601s", "9223372036855s", "٥s", "Inf", "1e3s"}
	tests := map[string]struct {
		key, allowed string
		values       []string
	}{
		"target-cpu": {TargetCPU, cpuAllowed, []string{
			"0", "0%", "-50", "+50", "5.5", "50.0%", "0.5", "1e2", "50 %", "50%%", "%", "m", "0m", "-1m", "0.5m", "2.5m",
			"1000000001m", "9223372036854775808m", "2147483648", "4294967297", "18446744073709551617", "５０", "1Gi", "fast", "0x10", "1_0", "NaN",
		}},
		"target-memory": {TargetMemory, memoryAllowed, []string{
			"0", "-1", "70.5%", "512m", "512mi", "512MB", "512B", "0Mi", "-1Mi", "+1Mi", "1e3Mi", "1.Mi", ".5Mi", "1..5Mi", "Mi", "1 Mi",
			"2Pi", "1.1259P", "1Ei", "1E", "8Ei", "99999999999999999999Gi", "1e20", "٥Mi", "0x1Mi",
		}},
		"min":                      {Min, countAllowed, []string{"-1", "+1", "1.0", "1e1", "0x1", "1_000", "１", "2147483648", "4294967297", "18446744073709551617", "one"}},
		"max":                      {Max, countAllowed, []string{"-1", "+5", "5.0", "5 0", "2147483648", "99999999999999999999", "ten"}},
		"tolerance":                {Tolerance, toleranceAllowed, []string{"10", "1", "-1%", "+1%", "1.5%", "%", "1000001%", "1e-1", "0,1", ".1", "1.", "-0.1", "10001.0", "0.1234567891", "0.1Mi", "0.1.1", "NaN", "٠"}},
		"scale-up-stabilization":   {ScaleUpStabilization, windowAllowed, windows},
		"scale-down-stabilization": {ScaleDownStabilization, windowAllowed, windows},
		"warm-up":                  {WarmUp, warmUpAllowed, []string{"90", "0", "-1s", "+90s", "30m1s", "1 m", "2562047h48m", "90%"}},
		"sync-period":              {SyncPeriod, periodAllowed, []string{"5", "0", "0s", "999ms", "-5s", "+5s", "1h1ms", "1 s", "2562047h48m"}},
		"sleep-after":              {SleepAfter, `must be a duration from "0s" to "24h", with a unit, such as "10m"`, []string{"10", "-1s", "24h1s", "soon"}},
		"wake-replicas":            {WakeReplicas, strings.Replace(countAllowed, "from 0", "from 1", 1), []string{"0", "-1", "two", "1.5"}},
		"fallback":                 {FallbackKey, fallbackAllowed, []string{"3", "3 after", "after 2m", "0 after 2m", "3 after 2", "3 after 25h", "3 for 2m", "3 after 2m please"}},
		"mode":                     {ModeKey, modeAllowed, []string{"Auto", "off", "true", "auto,paused"}},
		"class":                    {ClassKey, `must be the class of an installation (a DNS label), such as "batch"`, []string{"Batch", "a.b", "a b", "-a", "a,b", "*"}},
		"container":                {Container, labelAllowed, []string{"App", "a_b", "-a", "a b", "é", "a.b", "a-", strings.Repeat("a", 64)}},
		"empty":                    {Max, emptyRefused, []string{"", " ", "   "}},
		"control characters":       {Max, controlRefused, []string{"10\n", "\t10", "1\x000", "\x1b[31m10", "10\u0085", "\x7f"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			for _, value := range tc.values {
				_, _, errs := parse(basic(map[string]string{tc.key: value}))
				if len(errs) != 1 {
					t.Fatalf("%q: want one error, got %v", value, errs)
				}
				if got, want := keyOf(t, errs[0])+": "+errs[0].Detail, tc.key+": "+tc.allowed; got != want {
					t.Errorf("%q: got\n%s\nwant\n%s", value, got, want)
				}
				if got, want := errs[0].BadValue, any(clean(value, 64)); got != want {
					t.Errorf("%q is shown as %q", value, got)
				}
			}
		})
	}
}

// TestParseMessages holds whole lines, as kubectl would print them.
func TestParseMessages(t *testing.T) {
	const at = "metadata.annotations[mini-hpa/"
	long := strings.Repeat("x", 65)
	tests := map[string]struct {
		annotations map[string]string
		want        []string
	}{
		"nothing but a selected workload": {map[string]string{ModeKey: "paused"}, []string{
			at + `max]: Required value: must be set, such as "10"`,
			at + `target-cpu]: Required value: there is no metric to scale on; set mini-hpa/target-cpu, mini-hpa/target-memory, mini-hpa/sources, mini-hpa/metrics or mini-hpa/schedule`,
		}},
		"a misspelt metric leaves none": {map[string]string{Max: "10", "mini-hpa/target-cpus": "50"}, []string{
			at + `target-cpu]: Required value: there is no metric to scale on; set mini-hpa/target-cpu, mini-hpa/target-memory, mini-hpa/sources, mini-hpa/metrics or mini-hpa/schedule`,
		}},
		"an unreadable metric is not a missing one": {map[string]string{Max: "10", TargetMemory: "lots"}, []string{
			at + `target-memory]: Invalid value: "lots": ` + memoryAllowed,
		}},
		"max below min": {basic(map[string]string{Min: "3", Max: "2"}), []string{
			at + `max]: Invalid value: "2": must be at least mini-hpa/min (3)`,
		}},
		"an unreadable min is not compared": {basic(map[string]string{Min: "x", Max: "1"}), []string{
			at + `min]: Invalid value: "x": ` + countAllowed,
		}},
		"max of zero": {basic(map[string]string{Max: "0"}), []string{
			at + `max]: Invalid value: "0": must be at least mini-hpa/min (1)`,
		}},
		"lines of a schedule": {map[string]string{Max: "10", Min: "5", ScheduleKey: "zone Local\ndaily 1:00-2:00 min=x\ndaily 01:00-02:00 max=4"}, []string{
			at + `schedule][0]: Invalid value: "zone Local": line 1: zone "Local" must be "UTC" or the name of a place in the IANA time zone database, such as "Europe/Berlin"`,
			at + `schedule][1]: Invalid value: "daily 1:00-2:00 min=x": line 2: hours "1:00-2:00" must be two times of day from "00:00" to "24:00", such as "07:30-20:00" or, over midnight, "22:00-06:00"`,
			at + `schedule][1]: Invalid value: "daily 1:00-2:00 min=x": line 2: min "x" must be a whole number of replicas from 0 to 2147483647, in digits only`,
		}},
		"a line that contradicts max": {basic(map[string]string{ScheduleKey: "daily 01:00-02:00 min=11"}), []string{
			at + `schedule][0]: Invalid value: "daily 01:00-02:00 min=11": line 1, "daily 01:00-02:00", UTC: min (11) must be at most max (10); what the line does not say is that of mini-hpa/min and mini-hpa/max`,
		}},
		"metrics and behavior of the wrong kind": {map[string]string{Max: "10", Metrics: "type: Resource", Behavior: "- scaleUp"}, []string{
			at + `behavior]: Invalid value: "- scaleUp": must be an autoscaling/v2 HorizontalPodAutoscalerBehavior in YAML or JSON, the same as in the spec.behavior of an HPA`,
			at + `metrics]: Invalid value: "type: Resource": must be a list of autoscaling/v2 MetricSpec in YAML or JSON, the same as in the spec.metrics of an HPA`,
		}},
		"each bad policy": {basic(map[string]string{ScaleUpPolicies: "4 pods/15s, 0%/15s,, 4 pods, disabled"}), []string{
			at + `scale-up-policies]: Invalid value: "4 pods/15s, 0%/15s,, 4 pods, disabled": policy "0%/15s"` + policyAllowed,
			at + `scale-up-policies]: Invalid value: "4 pods/15s, 0%/15s,, 4 pods, disabled": policy ""` + policyAllowed,
			at + `scale-up-policies]: Invalid value: "4 pods/15s, 0%/15s,, 4 pods, disabled": policy "4 pods"` + policyAllowed,
			at + `scale-up-policies]: Invalid value: "4 pods/15s, 0%/15s,, 4 pods, disabled": policy "disabled"` + policyAllowed,
		}},
		"too long": {basic(map[string]string{Min: long}), []string{
			at + `min]: Invalid value: "` + strings.Repeat("x", 64) + `…": is 65 bytes long; must be at most 64`,
		}},
		"too long in bytes, not in characters": {basic(map[string]string{Min: strings.Repeat("é", 33)}), []string{
			at + `min]: Invalid value: "` + strings.Repeat("é", 33) + `": is 66 bytes long; must be at most 64`,
		}},
		"terminal escapes, direction marks and broken UTF-8": {basic(map[string]string{Min: "\x1b[2J", ModeKey: "a\u202eb\xff\"`"}), []string{
			at + `min]: Invalid value: "�[2J": ` + controlRefused,
			at + "mode]: Invalid value: \"a�b�\\\"`\": " + modeAllowed,
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, errs := parse(tc.annotations)
			if diff := cmp.Diff(tc.want, texts(errs)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseBadPolicies(t *testing.T) {
	for _, item := range []string{
		"4/15s", "4pods/15s", "4  pods/15s", "pods/15s", "4 pod s/15s", "-4 pods/15s", "4.0 pods/15s", "2147483648 pods/15s", "4 podss/15s",
		"4 percent/15s", "100 %/15s", "100%%/15s", "100", "4 pods/0s", "4 pods/15", "4 pods/1801s", "4 pods/1.5s", "4 pods/15s/15s", "/", "Disabled",
	} {
		for _, key := range []string{ScaleUpPolicies, ScaleDownPolicies} {
			_, _, errs := parse(basic(map[string]string{key: item}))
			want := []string{"metadata.annotations[" + key + `]: Invalid value: "` + item + `": policy "` + item + `"` + policyAllowed}
			if diff := cmp.Diff(want, texts(errs)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", item, diff)
			}
		}
	}
}

func TestParseWarnings(t *testing.T) {
	unknown := func(key, suggestion string) Warning {
		return Warning{Key: key, Rule: FoundUnknownAnnotation, Message: `unknown annotation, it has no effect; did you mean "` + suggestion + `"?`}
	}
	tests := map[string]struct {
		annotations map[string]string
		want        []Warning
	}{
		"none": {basic(nil), nil},
		"blanks around a value": {basic(map[string]string{Min: "  2 "}), []Warning{
			{Key: Min, Rule: FoundDoubtful, Message: `blanks around the value are ignored; write "2"`},
		}},
		"a number that looks like millicores": {basic(map[string]string{TargetCPU: "1500"}), []Warning{
			{Key: TargetCPU, Rule: FoundDoubtful, Message: `is read as 1500% of the request; an amount needs a unit, such as "1500m"`},
		}},
		"a number that looks like bytes": {basic(map[string]string{TargetMemory: "536870912"}), []Warning{
			{Key: TargetMemory, Rule: FoundDoubtful, Message: `is read as 536870912% of the request; an amount needs a unit, such as "512Mi"`},
		}},
		"a number that looks like mebibytes": {basic(map[string]string{TargetMemory: "101"}), []Warning{
			{Key: TargetMemory, Rule: FoundDoubtful, Message: `is read as 101% of the request; an amount needs a unit, such as "101Mi"`},
		}},
		"with its sign it is meant": {basic(map[string]string{TargetMemory: "512%"}), nil},
		"unknown keys, sorted": {basic(map[string]string{"mini-hpa/target-cup": "1", "mini-hpa/Max": "2", "mini-hpa/scale-down-stabilisation": "1m"}), []Warning{
			unknown("mini-hpa/Max", Max),
			unknown("mini-hpa/scale-down-stabilisation", ScaleDownStabilization),
			unknown("mini-hpa/target-cup", TargetCPU),
		}},
		"names from elsewhere": {basic(map[string]string{"mini-hpa/min-replicas": "1", "mini-hpa/paused": "", "mini-hpa/cpu": "1"}), []Warning{
			unknown("mini-hpa/cpu", TargetCPU),
			unknown("mini-hpa/min-replicas", Min),
			unknown("mini-hpa/paused", ModeKey),
		}},
		"another case, and a draw": {basic(map[string]string{"mini-hpa/MODE": "auto", "mini-hpa/m": "1"}), []Warning{
			unknown("mini-hpa/MODE", ModeKey),
			unknown("mini-hpa/m", Min),
		}},
		"a key that no API server would take": {basic(map[string]string{"mini-hpa/max\x1b\n" + strings.Repeat("y", 100): ""}), []Warning{
			unknown("mini-hpa/max\x1b\n"+strings.Repeat("y", 100), Max),
		}},
		"with errors too": {map[string]string{Min: " x", "mini-hpa/maxi": "1"}, []Warning{
			unknown("mini-hpa/maxi", Max),
			{Key: Min, Rule: FoundDoubtful, Message: `blanks around the value are ignored; write "x"`},
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, got, _ := parse(tc.annotations)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			for _, w := range got {
				if strings.ContainsFunc(w.String(), unicode.IsControl) || len(w.Path()) > 200 {
					t.Errorf("%q cannot be shown", w)
				}
			}
		})
	}
}

func TestOfManyUnknownKeysTheRestIsCounted(t *testing.T) {
	pairs := map[string]string{}
	for i := range 12_000 {
		pairs[fmt.Sprintf("%s%05d", Prefix, i)] = ""
	}
	_, warnings, _ := parse(basic(pairs))
	if len(warnings) != maxProblems+1 {
		t.Fatalf("%d warnings, want %d and one for the rest", len(warnings), maxProblems)
	}
	if want := "metadata.annotations: 11980 more keys that begin with mini-hpa/ are unknown and have no effect"; warnings[0].String() != want {
		t.Errorf("got %s, want %s", warnings[0], want)
	}
}

func TestWarningString(t *testing.T) {
	got := Warning{Key: Max, Message: "is odd"}.String()
	if want := "metadata.annotations[mini-hpa/max]: is odd"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
