// Package clitest is what tests of commands share: calls, golden files, and an API server that answers what the program asks.
package clitest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// JSONLines are the lines of a log, each of which must be one JSON object.
func JSONLines(t *testing.T, text string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		line := map[string]any{}
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Errorf("not a JSON object: %s", s.Bytes())
		}
		lines = append(lines, line)
	}
	return lines
}

// Call runs a command line of a program that has this command, in this process and without changing where the process logs.
func Call(t *testing.T, c cli.Command, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = Run(t.Context(), c, args, cli.Streams{Out: &out, Err: &err})
	return code, out.String(), err.String()
}

// Run is Call with streams of the caller's own.
func Run(ctx context.Context, c cli.Command, args []string, s cli.Streams) int {
	s.Bridge = func(*zap.Logger) {}
	return cli.Program{Commands: []cli.Command{c}, Build: cli.NewBuild("", "")}.Run(ctx, append([]string{c.Name}, args...), s)
}
