//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain is also the background process that up starts: it starts its own program again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

// result is what a command line leads to.
type result struct {
	code           int
	stdout, stderr string
}

func invoke(ctx context.Context, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// expect fails the test unless the command ends with the code and says the words.
func (r result) expect(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d; it said\n%s%s", r.code, code, r.stdout, r.stderr)
	}
	for _, word := range words {
		if !strings.Contains(r.stderr, word) {
			t.Errorf("it did not say %q but\n%s", word, r.stderr)
		}
	}
}

func TestUsage(t *testing.T) {
	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"nothing":         {nil, exitUsage, "which command?"},
		"unknown command": {[]string{"start"}, exitUsage, `there is no command "start"`},
		"long nonsense":   {[]string{strings.Repeat("ä", 100)}, exitUsage, `"` + strings.Repeat("ä", 64) + `..."`},
		"argument":        {[]string{"up", "now\n"}, exitUsage, `up takes no arguments, got "now\n"`},
		"unknown flag":    {[]string{"down", "--force"}, exitUsage, `down: there is no flag "force"`},
		"no value":        {[]string{"down", "--dir"}, exitUsage, "down: the flag --dir needs a value"},
		"bad syntax":      {[]string{"down", "--=\n"}, exitUsage, `down: not understood: "bad flag syntax: --=\n"`},
		"no nodes":        {[]string{"up", "--nodes=0"}, exitUsage, "--nodes must be at least 1, got 0"},
		"not a number":    {[]string{"serve", "--nodes=many"}, exitUsage, `serve: the flag --nodes wants int, got "many"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := invoke(t.Context(), test.args...)
			got.expect(t, test.code, test.want, "usage: controlplane COMMAND")
			if got.stdout != "" {
				t.Errorf("a shell would evaluate %q", got.stdout)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"-h"}, {"--help"}, {"up", "--help"}} {
		got := invoke(t.Context(), args...)
		got.expect(t, 0)
		for _, c := range commands() {
			if !strings.Contains(got.stdout, "  "+c.name) {
				t.Errorf("the help of %q lacks %s:\n%s", args, c.name, got.stdout)
			}
		}
	}
}

func TestUnusableDirectoryIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"up", "env", "down", "serve"} {
		invoke(t.Context(), name, "--dir", file).expect(t, exitFailure, name+": make the directory", file)
	}
}
