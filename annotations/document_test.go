package annotations

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestScalarsAreThoseOfKubectl: without quotes, a scalar of YAML becomes what it becomes in the JSON that kubectl sends.
func TestScalarsAreThoseOfKubectl(t *testing.T) {
	for _, text := range []string{
		"~", "null", "Null", "NULL", "nULL", "y", "Y", "yes", "Yes", "YES", "yEs", "n", "N", "no", "No", "NO", "true", "True", "TRUE",
		"false", "False", "FALSE", "on", "On", "ON", "off", "Off", "OFF", "ye", "Nope", "0", "00", "010", "08", "0o10", "0x1F", "0X1f",
		"0b11", "-0b11", "+0b11", "0b12", "1_000", "_1", "-", "+", ".", "..", "-.", "+1", "-1", "-0", "+-1", "1.", "1.5", ".5", "-.5", "+.5",
		".5e3", "._5", "1e3", "1E3", "1e+3", "1e-3", "1e", "1e400", "-1e400", "1e21", "0.1", "1e-7", "1.5_0", "9223372036854775807",
		"9223372036854775808", "18446744073709551615", "18446744073709551616", "-9223372036854775808", "-9223372036854775809",
		"12:30:45", "2001-01-01", "2001-01-01T10:00:00Z", "1.2.3", "500m", "1Gi", "0x", "0xg", "1p3", "0x1p3", "+Inf", "Infinity", "nan", "a", "=", "<<a",
	} {
		converted, err := yaml.YAMLToJSON([]byte("[" + text + "]"))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		want, err := readJSON(string(converted))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, any([]any{resolve(text)})); diff != "" {
			t.Errorf("%q (-kubectl +resolved):\n%s", text, diff)
		}
	}
	for _, text := range []string{".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"} {
		if got, ok := resolve(text).(json.Number); !ok || string(got) != text {
			t.Errorf("%q is %v: it must not pass for a string", text, got)
		}
	}
}

// TestDocumentsAgree: whatever is accepted means the same in YAML and in JSON.
func TestDocumentsAgree(t *testing.T) {
	for _, row := range goodMetrics() {
		mustAgree(t, Metrics, map[string]string{Max: "10", Metrics: row.value})
	}
	for _, row := range goodBehaviors() {
		mustAgree(t, Behavior, basic(map[string]string{Behavior: row.value}))
	}
}
