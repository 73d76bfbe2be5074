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
		want string
	}{
		"nothing":         {nil, "one of build, up, env, down and serve is wanted, got []"},
		"unknown command": {[]string{"start"}, `got ["start"]`},
		"long nonsense":   {[]string{strings.Repeat("ä", 100)}, `["` + strings.Repeat("ä", 64) + `"]`},
		"argument":        {[]string{"up", "now\n"}, `got ["up" "now\n"]`},
		"unknown flag":    {[]string{"down", "--\x1b"}, `\x1b`},
		"no value":        {[]string{"down", "--dir"}, "--dir"},
		"no nodes":        {[]string{"up", "--nodes=0"}, "--nodes must be at least 1, got 0"},
		"not a number":    {[]string{"serve", "--nodes=many\n"}, `many\`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := invoke(t.Context(), test.args...)
			got.expect(t, exitUsage, test.want, "usage: controlplane COMMAND")
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
		for _, word := range []string{"  build ", "  up ", "  env ", "  down ", "  serve ", "--nodes int", `--dir string`} {
			if !strings.Contains(got.stdout, word) {
				t.Errorf("the help of %q lacks %s:\n%s", args, word, got.stdout)
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
