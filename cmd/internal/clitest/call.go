// Package clitest is what tests of commands share: calls, golden files, and an API server that answers what the program asks.
package clitest

import (
	"bufio"
	"bytes"
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

// Call runs a command line in this process, without changing where the process logs.
func Call(t *testing.T, p cli.Program, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = p.Run(t.Context(), args, cli.Streams{Out: &out, Err: &err, Bridge: func(*zap.Logger) {}})
	return code, out.String(), err.String()
}
