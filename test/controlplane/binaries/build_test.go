//go:build unix

package binaries

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const greeting = "package main\n\nfunc main() { println(\"hello\") }\n"

// tiny is a pin that builds within a second: a module without dependencies.
func tiny(t *testing.T, source string) Pin {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	write(t, dir, "go.mod", "module example.com/tiny\n\ngo 1.26\n")
	write(t, dir, "main.go", source)
	write(t, dir, "stages/a.yaml", "a: 1")
	write(t, dir, "stages/b.yaml", "b: 2")
	return Pin{
		Dir:      dir,
		Programs: []Program{{Name: "tiny", Package: "example.com/tiny"}},
		Texts:    []Text{{Name: Stages, Parts: []string{"stages/a.yaml", "stages/b.yaml"}}},
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// builds counts how often a program's build was begun. The lines that tell of a long build's progress begin alike.
func builds(output string) int { return strings.Count(output, "building tiny (1 of 2)\n") }

func TestBuildMakesEverythingOnce(t *testing.T) {
	pin, cache := tiny(t, greeting), t.TempDir()
	var out bytes.Buffer
	files, err := Builder{Cache: cache, Out: &out}.Build(t.Context(), pin)
	if err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(files["tiny"]).CombinedOutput(); err != nil || string(said) != "hello\n" {
		t.Errorf("the program said %q, %v", said, err)
	}
	if diff := cmp.Diff("a: 1\n---\nb: 2", read(t, files[Stages])); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	if builds(out.String()) != 1 || !strings.Contains(out.String(), "all built in") {
		t.Errorf("the progress was\n%s", &out)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "*", ".*")); len(left) > 0 {
		t.Errorf("unfinished files are left: %q", left)
	}

	out.Reset()
	again, err := Builder{Cache: cache, Out: &out}.Build(t.Context(), pin)
	if err != nil || out.Len() > 0 {
		t.Errorf("a second build said %q, %v; want silence", &out, err)
	}
	if diff := cmp.Diff(files, again); diff != "" {
		t.Errorf("files (-first +second):\n%s", diff)
	}
}

func TestBuildLeavesNothingInThePin(t *testing.T) {
	pin := tiny(t, greeting)
	before, _ := filepath.Glob(filepath.Join(pin.Dir, "*"))
	if _, err := (Builder{Cache: t.TempDir(), Out: &bytes.Buffer{}}).Build(t.Context(), pin); err != nil {
		t.Fatal(err)
	}
	after, _ := filepath.Glob(filepath.Join(pin.Dir, "*"))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("files of the pin (-before +after):\n%s", diff)
	}
}

func TestBuildDependsOnTheVersions(t *testing.T) {
	pin, builder := tiny(t, greeting), Builder{Cache: t.TempDir(), Out: &bytes.Buffer{}}
	first, err := builder.Build(t.Context(), pin)
	if err != nil {
		t.Fatal(err)
	}
	write(t, pin.Dir, "go.mod", "module example.com/tiny\n\ngo 1.26.0\n")
	second, err := builder.Build(t.Context(), pin)
	if err != nil {
		t.Fatal(err)
	}
	if first["tiny"] == second["tiny"] {
		t.Errorf("another go.mod gave the same file %s", first["tiny"])
	}
}

func TestFailedBuildSaysWhy(t *testing.T) {
	pin, cache := tiny(t, "package main\n\nfunc main() { undefinedName() }\n"), t.TempDir()
	var out bytes.Buffer
	_, err := Builder{Cache: cache, Out: &out}.Build(t.Context(), pin)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"build tiny", "main.go:3", "undefinedName"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}

	write(t, pin.Dir, "main.go", greeting) // the same versions: only a build that failed is done again
	if _, err := (Builder{Cache: cache, Out: &out}).Build(t.Context(), pin); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}

func TestUnusablePinsAreNamed(t *testing.T) {
	tests := map[string]struct {
		change func(*testing.T, *Pin)
		want   string
	}{
		"no such directory": {func(_ *testing.T, p *Pin) { p.Dir = "/nonexistent/pin" }, "/nonexistent/pin"},
		"no go.mod": {func(t *testing.T, p *Pin) {
			if err := os.Remove(filepath.Join(p.Dir, "go.mod")); err != nil {
				t.Fatal(err)
			}
		}, "go.mod"},
		"missing text":    {func(_ *testing.T, p *Pin) { p.Texts[0].Parts = []string{"stages/c.yaml"} }, "stages/c.yaml"},
		"unknown release": {func(_ *testing.T, p *Pin) { p.Release = "example.com/other" }, "example.com/tiny@"},
		"unknown stamp":   {func(_ *testing.T, p *Pin) { p.Stamp = "example.com/stamp" }, "example.com/stamp"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pin := tiny(t, greeting)
			test.change(t, &pin)
			_, err := Builder{Cache: t.TempDir(), Out: &bytes.Buffer{}}.Build(t.Context(), pin)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error that names %q", err, test.want)
			}
		})
	}
}

func TestReadyMadeProgramsAreNotBuilt(t *testing.T) {
	pin, assets := tiny(t, "package main // does not compile"), t.TempDir()
	write(t, assets, "tiny", "ready made")
	files, err := Builder{Cache: t.TempDir(), Assets: assets, Out: &bytes.Buffer{}}.Build(t.Context(), pin)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(assets, "tiny"); files["tiny"] != want {
		t.Errorf("got %s, want %s", files["tiny"], want)
	}
	if read(t, files[Stages]) == "" {
		t.Error("what the assets lack was not made")
	}
}

func TestRemainsOfAKilledBuildGo(t *testing.T) {
	pin, cache := tiny(t, greeting), t.TempDir()
	builder := Builder{Cache: cache, Out: &bytes.Buffer{}}
	files, err := builder.Build(t.Context(), pin)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files["tiny"]); err != nil {
		t.Fatal(err)
	}
	remains := filepath.Join(filepath.Dir(files["tiny"]), ".tiny.123")
	write(t, cache, strings.TrimPrefix(remains, cache), "half a program")
	if _, err := builder.Build(t.Context(), pin); err != nil {
		t.Fatal(err)
	}
	if isFile(remains) {
		t.Errorf("%s is still there", remains)
	}
}

func TestStampFlags(t *testing.T) {
	const variable = "-X k8s.io/component-base/version."
	want := variable + "gitVersion=v1.37.2 " + variable + "gitMajor=1 " + variable + "gitMinor=37"
	if diff := cmp.Diff(want, stampFlags("v1.37.2")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPinsAreFound(t *testing.T) {
	pins, err := Pins(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var programs []string
	for _, pin := range pins {
		if pin.Release == "" && !isFile(filepath.Join(pin.Dir, "go.mod")) {
			t.Errorf("%s has no go.mod", pin.Dir)
		}
		for _, program := range pin.Programs {
			programs = append(programs, program.Name)
		}
	}
	want := []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok"}
	if diff := cmp.Diff(want, programs); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
}

func TestMissingGoCommandIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Builder{Cache: t.TempDir(), Out: &bytes.Buffer{}}.Build(t.Context(), tiny(t, greeting))
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "not in PATH") {
		t.Errorf("got %v, want an error that says that go is not in PATH", err)
	}
}
