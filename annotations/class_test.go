package annotations

import (
	"strings"
	"testing"
)

func TestClassOf(t *testing.T) {
	for value, want := range map[string]string{"batch": "batch", " batch  ": "batch", "a-1": "a-1", strings.Repeat("a", 63): strings.Repeat("a", 63),
		"": "", "Batch": "", "a.b": "", "batch\n": "", "-a": "", strings.Repeat("a", 64): ""} {
		pairs := map[string]string{ClassKey: value, Max: "10"}
		if got := ClassOf(pairs); got != want {
			t.Errorf("ClassOf(%q) = %q, want %q", value, got, want)
		}
		if _, _, errs := parse(basic(pairs)); (len(errs) == 0) != (want != "") {
			t.Errorf("%q: %v, and it is of class %q", value, errs, want)
		}
	}
	if got := ClassOf(nil); got != "" {
		t.Errorf("without annotations: %q", got)
	}
}
