package image

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const program = `package main

var greeting = "nothing"

func main() { print(greeting) }
`

func TestACompiledProgramIsTakenAsItsPlatformsBinary(t *testing.T) {
	t.Parallel()
	source := Source{Dir: module(t, program), Package: "./hello", LDFlags: "-X main.greeting=good-day"}
	spec := Spec{Binaries: map[string]string{}, Path: "/hello"}
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		spec.Binaries[platform] = filepath.Join(t.TempDir(), "hello")
		if err := Compile(t.Context(), source, platform, spec.Binaries[platform]); err != nil {
			t.Fatal(err)
		}
		if content := must(os.ReadFile(spec.Binaries[platform]))(t); !strings.Contains(string(content), "good-day") {
			t.Errorf("the linker's flags did not reach the binary for %s", platform)
		}
	}
	mustWrite(t, "localhost/hello:1", spec)
}

// The user's settings are in the environment and, written down by `go env -w`, in a file. Each of these alone changes the binary, or
// keeps it from being compiled.
func TestTheUsersSettingsDoNotChangeTheBinary(t *testing.T) {
	source := Source{Dir: module(t, program), Package: "./hello"}
	compile := func() []byte {
		out := filepath.Join(t.TempDir(), "hello")
		if err := Compile(t.Context(), source, "linux/amd64", out); err != nil {
			t.Fatal(err)
		}
		return must(os.ReadFile(out))(t)
	}
	settings := map[string]string{
		"GOFLAGS": "-tags=own -ldflags=-X=main.greeting=own", "GOEXPERIMENT": "fieldtrack", "GOFIPS140": "latest", "GOAMD64": "v3",
		"GOWORK": filepath.Join(t.TempDir(), "go.work"), "GOOS": "windows", "GOARCH": "arm64",
	}
	want := compile()
	written := ""
	for name, value := range settings {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			if !bytes.Equal(compile(), want) {
				t.Errorf("%s=%s in the environment changes the binary", name, value)
			}
		})
		if name != "GOWORK" { // which the go command does not take from the file
			written += name + "=" + value + "\n"
		}
	}
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte(written), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOENV", file)
	if !bytes.Equal(compile(), want) {
		t.Errorf("settings that were written down change the binary:\n%s", written)
	}
}

func TestAProgramThatDoesNotCompileIsToldWithTheCompilersWords(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		program, pkg, platform string
		want                   []string
	}{
		"its source is wrong":     {program: "package main\nfunc main() { undefinedName() }", pkg: "./hello", platform: "linux/amd64", want: []string{"./hello", "linux/amd64", "undefined: undefinedName"}},
		"its package is missing":  {program: program, pkg: "./nowhere", platform: "linux/amd64", want: []string{"./nowhere", "directory not found"}},
		"its platform is unknown": {program: program, pkg: "./hello", platform: "plan9/amd64", want: []string{"./hello", `platform "plan9/amd64"`, "linux/arm64"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "hello")
			err := Compile(t.Context(), Source{Dir: module(t, test.program), Package: test.pkg}, test.platform, out)
			if err == nil {
				t.Fatal("it was compiled")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

// module returns the folder of a module with the program in its package ./hello.
func module(t *testing.T, program string) string {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{"go.mod": "module example.com/hello\n\ngo 1.26\n", "hello/main.go": program}
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}
