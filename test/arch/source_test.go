package arch

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckWrites(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		source string
		want   []string
	}{
		"variables that change": {"package a\nvar n, m = 0, map[string]int{}\nvar s struct{ f int }\nvar p *int\nfunc f() {\nn = 1\nn++\nm[\"\"] += 1\ns.f = 1\n(*p) = 1\n}\nvar g = func() { n = 1 }\n", []string{
			"m.example/a.go:6: writes to the package variable n",
			"m.example/a.go:7: writes to the package variable n",
			"m.example/a.go:8: writes to the package variable m",
			"m.example/a.go:9: writes to the package variable s",
			"m.example/a.go:10: writes to the package variable p",
			"m.example/a.go:12: writes to the package variable n",
		}},
		"what a call returns is no variable": {"package a\nvar n = func() int { for i := range 3 { return i }; return 1 }\nfunc f(g func() *struct{ f int }) {\ng().f = 1\n}\n", nil},
		"variables of the same name":         {"package a\nvar n, m, k, i, x = 0, 0, 0, 0, 0\nfunc f(n int) (m int) {\nvar k int\nn, m, k = 1, 2, 3\nfor i := range 3 { i++ }\nx := 1\nx++\nreturn k\n}\n", nil},
		"one of them after all":              {"package a\nvar n = 0\nfunc f() {\n{ n := 1; n++ }\nn = 2\n}\n", []string{"m.example/a.go:5: writes to the package variable n"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, CheckWrites(load(t, map[string]string{"a.go": tc.source}))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCheckWritesAcrossFiles finds a variable that another file of the package declares, and only of this package.
func TestCheckWritesAcrossFiles(t *testing.T) {
	t.Parallel()
	loaded := load(t, map[string]string{
		"a/a.go": "package a\nvar n int\n", "a/b.go": "package a\nfunc f() { n = 1 }\n", "b/b.go": "package b\nfunc f() { n := 0; n = 1; _ = n }\n",
	})
	want := []string{"m.example/a/b.go:2: writes to the package variable n"}
	if diff := cmp.Diff(want, CheckWrites(loaded)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestCheckClock(t *testing.T) {
	t.Parallel()
	loaded := load(t, map[string]string{"a/a.go": "package a\nimport moment \"time\"\nvar now = moment.Now\n" +
		"func f(at moment.Time) moment.Duration { return moment.Since(moment.Time{}) + moment.Second + other{}.Now() }\n" +
		"func g(at moment.Time) bool { return at.After(at) }\ntype other struct{}\nfunc (other) Now() moment.Duration { return 0 }\n"})
	want := []string{"m.example/a/a.go:3: time.Now in a pure room", "m.example/a/a.go:4: time.Since in a pure room"}
	if diff := cmp.Diff(want, Plan{Module: "m.example", Pure: []string{"a"}}.CheckClock(loaded)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if got := (Plan{Module: "m.example", Pure: []string{"b"}}).CheckClock(loaded); len(got) > 0 {
		t.Errorf("findings in a room that is not pure: %v", got)
	}
}
