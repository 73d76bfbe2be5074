package arch

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// parse reads one file a/a.go.
func parse(t *testing.T, source string) []File {
	t.Helper()
	files, err := Read(fstest.MapFS{"a/a.go": {Data: []byte(source)}})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// function is the source of a function of so many lines.
func function(name string, lines int) string {
	return fmt.Sprintf("func %s() {\n%s}\n", name, strings.Repeat("\t_ = 0\n", lines-2))
}

func TestCheckSize(t *testing.T) {
	t.Parallel()
	short := strings.Repeat(function("f", 3), 20)
	tests := map[string]struct {
		source string
		want   []string
	}{
		"all in order":             {"package a\n" + function("f", 12), nil},
		"a file at its limit":      {"package a\n" + strings.Repeat("\n", 249), nil},
		"a file above it":          {"package a\n" + strings.Repeat("\n", 250), []string{"a/a.go: lines in the file: 251, more than 250"}},
		"a function at its limit":  {"package a\n" + short + function("long", 50), nil},
		"a function above it":      {"package a\n" + short + function("long", 51), []string{"a/a.go:62: lines in long: 51, more than 50"}},
		"documentation is free":    {"package a\n" + short + strings.Repeat("// Words.\n", 60) + function("f", 5), nil},
		"a method above it":        {"package a\n" + short + strings.Replace(function("long", 51), "func ", "func (r *room[T]) ", 1), []string{"a/a.go:62: lines in room.long: 51, more than 50"}},
		"hidden in a variable":     {"package a\n" + short + "var v = " + strings.Replace(function("", 51), " (", "(", 1), []string{"a/a.go:62: lines in a function in a declaration: 51, more than 50"}},
		"many functions above 12":  {"package a\n" + function("f", 13) + function("g", 13) + function("h", 3), []string{"lines in the median function: 13, more than 12"}},
		"many functions above 30":  {"package a\n" + short[:len(function("f", 3))*8] + function("g", 31) + function("h", 31), []string{"lines that 90% of the functions do not exceed: 31, more than 30"}},
		"one in ten above 30":      {"package a\n" + short[:len(function("f", 3))*10] + function("g", 31), nil},
		"five parameters":          {"package a\nfunc (r room) f(a, b int, c ...int) (x, y, z int) { return }\nfunc g(int, int, int, int, int) {}\n", nil},
		"six parameters":           {"package a\nfunc f(a, b int, c, d, e, f string) {}\n", []string{"a/a.go:2: parameters of f: 6, more than 5"}},
		"six without names":        {"package a\nfunc f(int, int, int, int, int, int) {}\n", []string{"a/a.go:2: parameters of f: 6, more than 5"}},
		"a function without body":  {"package a\nfunc f(a, b, c, d, e, f int)\n", nil},
		"ten ways through":         {"package a\nfunc f(a bool) {" + strings.Repeat("if a {};", 9) + "}\n", nil},
		"eleven ways through":      {"package a\nfunc f(a bool) {" + strings.Repeat("if a {};", 10) + "}\n", []string{"a/a.go:2: cyclomatic complexity of f: 11, more than 10"}},
		"eleven ways of each kind": {"package a\nfunc f(a bool, c chan int) {\nfor a && a || a {}; for range c {}; if a {}\nswitch { case a: case a, !a: default: }\nselect { case <-c: case c <- 1: default: }\n_ = func() { if a {} }\n}\n", []string{"a/a.go:2: cyclomatic complexity of f: 11, more than 10"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, CheckSize(parse(t, tc.source))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckNames(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		source string
		want   []string
	}{
		"documented": {"package a\n// F is.\nfunc F() {}\n// T is.\ntype T int\n// M is.\nfunc (T) M() {}\n// C are.\nconst (\nC = 1\nD = 2\n)\nvar V = 1 // V is.\nfunc f() {}\ntype t int\nconst c = 1\n", nil},
		"undocumented": {"package a\nfunc F() {}\ntype T int\nfunc (*T) M() {}\nconst C, c = 1, 2\nvar V = 1\n", []string{
			"a/a.go:2: F has no documentation",
			"a/a.go:3: T has no documentation",
			"a/a.go:4: T.M has no documentation",
			"a/a.go:5: C has no documentation",
			"a/a.go:6: V has no documentation",
		}},
		"a group documents no types":  {"package a\n// Some types.\ntype (\nA int\nB int\n)\n", []string{"a/a.go:4: A has no documentation", "a/a.go:5: B has no documentation"}},
		"a directive is no document":  {"package a\n//go:noinline\nfunc F() {}\n", []string{"a/a.go:3: F has no documentation"}},
		"methods of hidden types":     {"package a\ntype t[K any] int\nfunc (t[K]) M() {}\n", nil},
		"init":                        {"package a\nfunc init() {}\n", []string{"a/a.go:2: init runs unasked; call a function from main"}},
		"init is a name for a method": {"package a\ntype t int\nfunc (t) init() {}\n", nil},
		"a name that says nothing":    {"package helpers\n", []string{`a/a.go: "helpers" is no name for a package`}},
		"variables that change": {"package a\nvar n, m = 0, map[string]int{}\nvar s struct{ f int }\nvar p *int\nfunc f() {\nn = 1\nn++\nm[\"\"] += 1\ns.f = 1\n(*p) = 1\n}\n", []string{
			"a/a.go:6: f writes to the package variable n",
			"a/a.go:7: f writes to the package variable n",
			"a/a.go:8: f writes to the package variable m",
			"a/a.go:9: f writes to the package variable s",
			"a/a.go:10: f writes to the package variable p",
		}},
		"variables of the same name": {"package a\nvar n, m, k, i, x = 0, 0, 0, 0, 0\nfunc f(n int) (m int) {\nvar k int\nn, m, k = 1, 2, 3\nfor i := range 3 { i++ }\nx := 1\nx++\nreturn k\n}\n", nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, CheckNames(parse(t, tc.source))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCheckNamesAcrossFiles finds a variable that another file of the package declares, and only of this package.
func TestCheckNamesAcrossFiles(t *testing.T) {
	t.Parallel()
	files, err := Read(fstest.MapFS{
		"a/a.go": {Data: []byte("package a\nvar n int\n")},
		"a/b.go": {Data: []byte("package a\nfunc f() { n = 1 }\n")},
		"b/b.go": {Data: []byte("package b\nfunc f() { n = 1 }\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a/b.go:2: f writes to the package variable n"}
	if diff := cmp.Diff(want, CheckNames(files)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestCheckClock(t *testing.T) {
	t.Parallel()
	files := parse(t, "package a\nimport \"time\"\nvar now = time.Now\nfunc f() time.Duration { return time.Since(time.Time{}) + time.Second + other.Now() }\n")
	want := []string{"a/a.go:3: time.Now in a pure room", "a/a.go:4: time.Since in a pure room"}
	if diff := cmp.Diff(want, Plan{Pure: []string{"a"}}.CheckClock(files)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if got := (Plan{Pure: []string{"b"}}).CheckClock(files); len(got) > 0 {
		t.Errorf("findings in a room that is not pure: %v", got)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	code := &fstest.MapFile{Data: []byte("package a\n")}
	files, err := Read(fstest.MapFS{
		"main.go": code, "a/a.go": code, "a/a_test.go": code, "a/testdata/b.go": code, ".hidden/c.go": code, "vendor/d/d.go": code, "README.md": code,
		"a/generated.go": {Data: []byte("// Code generated by a tool. DO NOT EDIT.\n\npackage a\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, file := range files {
		got = append(got, file.Path)
	}
	if diff := cmp.Diff([]string{"a/a.go", "main.go"}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if _, err := Read(fstest.MapFS{"a.go": {Data: []byte("package")}}); err == nil || !strings.Contains(err.Error(), "a.go:1") {
		t.Errorf("want an error that says where the file breaks, got %v", err)
	}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	functions := []Function{{Lines: 50}, {Lines: 3}, {Lines: 9}, {Lines: 4}, {Lines: 5}}
	want := Numbers{Files: 1, Functions: 5, Median: 5, Most: 9, Longest: 50}
	if diff := cmp.Diff(want, Summarize(make([]File, 1), functions)); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Numbers{Files: 2}, Summarize(make([]File, 2), nil)); diff != "" {
		t.Errorf("numbers of nothing (-want +got):\n%s", diff)
	}
}
