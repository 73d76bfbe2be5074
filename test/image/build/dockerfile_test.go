package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/test/image"
	"github.com/mini-hpa/mini-hpa/test/image/product"
)

// instruction is one of the Dockerfile, without comments and with its lines joined.
type instruction struct{ name, arguments string }

func dockerfile(t *testing.T) []instruction {
	t.Helper()
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(string(read(t, filepath.Join(root, "Dockerfile"))), "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	var all []instruction
	for line := range strings.Lines(text) {
		if name, arguments, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all = append(all, instruction{name: name, arguments: strings.TrimSpace(arguments)})
		}
	}
	return all
}

// last returns the arguments of the instruction's last occurrence, with VERSION and COMMIT filled in.
func last(t *testing.T, name string) string {
	t.Helper()
	found := ""
	for _, each := range dockerfile(t) {
		if each.name == name {
			found = each.arguments
		}
	}
	if found == "" {
		t.Fatalf("the Dockerfile has no %s", name)
	}
	return strings.NewReplacer("$VERSION", "v1.2.3", "$COMMIT", "0123abcd").Replace(found)
}

func list(t *testing.T, arguments string) []string {
	t.Helper()
	var all []string
	if err := json.Unmarshal([]byte(arguments), &all); err != nil {
		t.Fatalf("%s is not the exec form: %v", arguments, err)
	}
	return all
}

// texts are what is copied from the repository to the root of the image.
func texts(t *testing.T) []string {
	t.Helper()
	for _, each := range slices.Backward(dockerfile(t)) {
		if names, ok := strings.CutSuffix(each.arguments, " /"); ok && each.name == "COPY" {
			return strings.Fields(names)
		}
	}
	return nil
}

func TestTheDockerfileDescribesTheSameImage(t *testing.T) {
	spec := product.Release{Version: "v1.2.3", Commit: "0123abcd"}.Image(nil, time.Time{})
	labels := map[string]string{}
	for _, match := range regexp.MustCompile(`([a-z.]+)=("[^"]*")`).FindAllStringSubmatch(last(t, "LABEL"), -1) {
		value, err := strconv.Unquote(match[2])
		if err != nil {
			t.Fatal(err)
		}
		labels[match[1]] = value
	}
	got := image.Spec{
		User: last(t, "USER"), Labels: labels,
		Entrypoint: list(t, last(t, "ENTRYPOINT")), Cmd: list(t, last(t, "CMD")),
		Path: strings.TrimPrefix(last(t, "COPY"), "--from=build /mini-hpa "), Texts: texts(t),
	}
	if diff := cmp.Diff(got, spec); diff != "" {
		t.Errorf("the Dockerfile (-) and the command (+) differ:\n%s", diff)
	}
	const label = "org.opencontainers.image.description"
	if about := string(read(t, filepath.Join(root, "charts", "mini-hpa", "Chart.yaml"))); !strings.Contains(about, "\ndescription: "+spec.Labels[label]+"\n") {
		t.Errorf("Chart.yaml describes it otherwise than %q", spec.Labels[label])
	}
	if from := last(t, "FROM"); from != "scratch" {
		t.Errorf("the image begins with %q: the command knows no base image", from)
	}
	for _, each := range dockerfile(t) {
		if slices.Contains([]string{"ENV", "EXPOSE", "WORKDIR", "VOLUME", "HEALTHCHECK", "STOPSIGNAL"}, each.name) && each.arguments != "/src" {
			t.Errorf("%s %s is not in the command's image", each.name, each.arguments)
		}
	}
}

// A stand-in for the compiler writes down how it was called.
const recorder = `#!/bin/sh
for argument in "$@"; do echo "$argument"; done >"$RECORD"
echo "CGO_ENABLED=$CGO_ENABLED GOOS=$GOOS GOARCH=$GOARCH" >>"$RECORD"
`

func TestTheDockerfileCompilesWithTheSameFlags(t *testing.T) {
	folder := t.TempDir()
	record := filepath.Join(folder, "record")
	if err := os.WriteFile(filepath.Join(folder, "go"), []byte(recorder), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("RECORD", record)
	called := func(run func() error) string {
		if err := run(); err != nil {
			t.Fatal(err)
		}
		return string(read(t, record))
	}
	release := product.Release{Root: root, Version: "v1.2.3", Commit: "0123abcd"}
	command := called(func() error { return image.Compile(t.Context(), release.Source(), "linux/arm64", "/mini-hpa") })
	script := called(func() error {
		shell := exec.CommandContext(t.Context(), "sh", "-c", last(t, "RUN"))
		shell.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH=arm64")
		return shell.Run()
	})
	if diff := cmp.Diff(script, command); diff != "" {
		t.Errorf("the Dockerfile (-) and the command (+) differ:\n%s", diff)
	}
	if want := "-s -w -funcalign=8 -buildid= -X main.version=v1.2.3 -X main.commit=0123abcd\n"; !strings.Contains(command, want) {
		t.Errorf("the flags are\n%s", command)
	}
}

func TestTheDockerfilesContextIsWhatTheProgramIsMadeOf(t *testing.T) {
	ignored := slices.DeleteFunc(patterns(t), func(line string) bool { return line[0] == '!' })
	if diff := cmp.Diff([]string{"*", "**/*_test.go", "**/testdata"}, ignored); diff != "" {
		t.Errorf("what is ignored (-want +got):\n%s", diff)
	}
	want := []string{"go.mod", "go.sum", "LICENSE", "NOTICE"}
	for _, file := range sources(t) {
		if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/testdata/") {
			t.Errorf("%s is compiled or embedded, but ignored", file)
		}
		top, _, _ := strings.Cut(file, "/")
		want = append(want, top)
	}
	slices.Sort(want)
	if diff := cmp.Diff(slices.Compact(want), kept(t)); diff != "" {
		t.Errorf("what is not ignored (-want +got):\n%s", diff)
	}
}

// patterns are the lines of .dockerignore without comments.
func patterns(t *testing.T) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(string(read(t, filepath.Join(root, ".dockerignore")))) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			all = append(all, line)
		}
	}
	return all
}

// kept are the files and folders at the root that .dockerignore leaves, sorted.
func kept(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, line := range patterns(t) {
		if name, ok := strings.CutPrefix(line, "!"); ok {
			all = append(all, name)
		}
	}
	return slices.Sorted(slices.Values(all))
}

// sources are the files of the repository that the program is compiled from, as paths with slashes.
func sources(t *testing.T) []string {
	t.Helper()
	const template = `{{if .Module}}{{if .Module.Main}}{{$p := .}}` +
		`{{range .GoFiles}}{{$p.ImportPath}}/{{.}}{{"\n"}}{{end}}{{range .EmbedFiles}}{{$p.ImportPath}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`
	var files []string
	for _, line := range dependencies(t, template) {
		if file, ok := strings.CutPrefix(line, "github.com/mini-hpa/mini-hpa/"); ok {
			files = append(files, file)
		}
	}
	if !slices.Contains(files, "cmd/mini-hpa/main.go") || !slices.Contains(files, "cmd/internal/picture/style.css") {
		t.Fatalf("the program is made of %q?", files)
	}
	return files
}

// dependencies returns the lines that `go list` makes of the program's packages by a template.
func dependencies(t *testing.T, template string) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", template, "./cmd/mini-hpa")
	list.Dir = root
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(output))
}
