package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/mini-hpa/mini-hpa/test/image/product"
)

// root is the repository, seen from here.
const root = "../../.."

// maxImage is how much a node may have to pull, for its platform.
const maxImage = 20 << 20

func TestTheArchiveHoldsTheProgramThatTellsItsVersion(t *testing.T) {
	t.Setenv(product.EpochVariable, "1700000000")
	one, another := snapshot(t)
	path := filepath.Join(t.TempDir(), "folder", "image.tar")
	told := mustRun(t, "-root", one, "-o", path, "-version", "v1.2.3", "-commit", "0123abcd")
	o, err := parse([]string{"-root", another, "-o", filepath.Join(t.TempDir(), "again.tar"), "-version", "v1.2.3", "-commit", "0123abcd"}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	again, err := build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, o.out), read(t, path)) {
		t.Error("the same sources in another folder give another archive")
	}
	wants := []string{"ghcr.io/mini-hpa/mini-hpa:v1.2.3", again.Digest, path}
	for i, platform := range []string{"linux/amd64", "linux/arm64"} {
		one := again.Images[i]
		if one.Platform != platform || one.Size > maxImage {
			t.Errorf("the image for %s is %+v, want it for %s in at most %d bytes", one.Platform, one, platform, maxImage)
		}
		wants = append(wants, one.Platform, one.Digest, mebibytes(one.Size))
	}
	for _, want := range wants {
		if !strings.Contains(told, want) {
			t.Errorf("the report does not have %s:\n%s", want, told)
		}
	}
	image, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil || !config.Created.Equal(time.Unix(1700000000, 0)) {
		t.Errorf("created at %s, %v", config.Created, err)
	}
	checkProgram(t, image)
}

// snapshot copies what .dockerignore leaves to two folders: nobody edits it between two runs, and it must be enough to compile.
func snapshot(t *testing.T) (one, another string) {
	t.Helper()
	one, another = t.TempDir(), t.TempDir()
	for _, name := range kept(t) {
		source, target := filepath.Join(root, name), filepath.Join(one, name)
		info, err := os.Stat(source)
		if err == nil && info.IsDir() {
			err = os.CopyFS(target, os.DirFS(source))
		} else if err == nil {
			err = os.WriteFile(target, read(t, source), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(another, os.DirFS(one)); err != nil {
		t.Fatal(err)
	}
	return one, another
}

// checkProgram runs the image's binary, on the platform that docker load is given.
func checkProgram(t *testing.T, image v1.Image) {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(content)
	header, err := files.Next()
	if err != nil || header.Name != "mini-hpa" {
		t.Fatalf("the image begins with %+v, %v", header, err)
	}
	binary := filepath.Join(t.TempDir(), "mini-hpa")
	program, err := io.ReadAll(files)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, program, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"LICENSE", "NOTICE"} {
		header, err := files.Next()
		if err != nil || header.Name != name {
			t.Fatalf("%+v, %v, where %s should be", header, err, name)
		}
		if text, err := io.ReadAll(files); err != nil || !bytes.Equal(text, read(t, filepath.Join(root, name))) {
			t.Errorf("%s has %d bytes, %v", name, len(text), err)
		}
	}
	if _, err := files.Next(); err == nil {
		t.Error("the image has one file more")
	}
	if runtime.GOOS+"/"+runtime.GOARCH != "linux/amd64" {
		return
	}
	says, err := exec.CommandContext(t.Context(), binary, "version").CombinedOutput()
	if err != nil || !strings.Contains(string(says), "v1.2.3 (commit 0123abcd") {
		t.Errorf("the binary says %q, %v", says, err)
	}
}

func TestACommandLineThatIsWrongIsToldSo(t *testing.T) {
	tests := map[string]struct {
		args  []string
		epoch string
		code  int
		want  string
	}{
		"help":                    {args: []string{"-h"}, code: product.ExitWritten, want: "-platform"},
		"an unknown flag":         {args: []string{"-tag", "x"}, code: product.ExitUsage, want: "-tag"},
		"an argument":             {args: []string{"\x1b[31m"}, code: product.ExitUsage, want: `unexpected argument "\x1b[31m"`},
		"an unknown platform":     {args: []string{"-platform", "linux/mips"}, code: product.ExitFailed, want: `unknown platform "linux/mips"; known are darwin/amd64, `},
		"no platform":             {args: []string{"-platform", ""}, code: product.ExitFailed, want: `unknown platform ""`},
		"a version that is split": {args: []string{"-version", "v1 -X main.a=b"}, code: product.ExitFailed, want: `the version "v1 -X main.a=b"`},
		"a version with a plus":   {args: []string{"-version", "v1+2"}, code: product.ExitFailed, want: `the version "v1+2"`},
		"a commit that is split":  {args: []string{"-commit", "a b"}, code: product.ExitFailed, want: `the commit "a b"`},
		"no commit":               {args: []string{"-commit", ""}, code: product.ExitFailed, want: `the commit ""`},
		"a time that is no time":  {epoch: "yesterday", code: product.ExitFailed, want: `SOURCE_DATE_EPOCH is "yesterday"`},
		"a time before 1970":      {epoch: "-1", code: product.ExitFailed, want: `SOURCE_DATE_EPOCH is "-1"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv(product.EpochVariable, test.epoch)
			path := filepath.Join(t.TempDir(), "image.tar")
			var stdout, stderr bytes.Buffer
			code := command(t.Context(), append([]string{"-root", root, "-o", path}, test.args...), &stdout, &stderr)
			if code != test.code || !strings.Contains(stderr.String(), test.want) {
				t.Errorf("exit code %d, want %d, with %q in\n%s", code, test.code, test.want, &stderr)
			}
			if _, err := os.Stat(path); err == nil || stdout.Len() > 0 {
				t.Errorf("something was written; %s", &stdout)
			}
		})
	}
}

func TestTheTimeIsTheVariablesOrTheCommitsOr1970(t *testing.T) {
	repository := t.TempDir()
	commit := newCommit(t, repository, "2026-01-02T03:04:05Z")
	tests := map[string]struct {
		epoch, commit string
		want          time.Time
	}{
		"the variable goes first":           {epoch: "5", commit: commit, want: time.Unix(5, 0)},
		"a commit has a time":               {commit: commit, want: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		"an abbreviated commit has one too": {commit: commit[:10], want: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		"an unknown commit has none":        {commit: "unknown", want: time.Unix(0, 0)},
		"an option is no commit":            {commit: "--all", want: time.Unix(0, 0)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv(product.EpochVariable, test.epoch)
			got, err := product.Release{Root: repository, Commit: test.commit}.Time(t.Context())
			if err != nil || !got.Equal(test.want) {
				t.Errorf("%s, %v, want %s", got, err, test.want)
			}
		})
	}
}

// newCommit makes a repository with one commit, whatever the user's configuration says.
func newCommit(t *testing.T, folder, at string) string {
	t.Helper()
	git := func(args ...string) string {
		run := exec.CommandContext(t.Context(), "git", append([]string{"-C", folder}, args...)...)
		run.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_COMMITTER_DATE="+at,
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
		output, err := run.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, output)
		}
		return strings.TrimSpace(string(output))
	}
	git("init", "--quiet")
	git("commit", "--quiet", "--allow-empty", "--message", "first")
	return git("rev-parse", "HEAD")
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := command(t.Context(), args, &stdout, &stderr); code != product.ExitWritten {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	return stdout.String()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
