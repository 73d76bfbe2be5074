package simulate

import (
	"regexp"
	"testing"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/replay"
)

// program has this command only.
func program() cli.Program { return cli.Program{Commands: []cli.Command{Command()}} }

func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	if args[0] == "replay" { // of a trace that a simulation has written
		return clitest.Call(t, replay.Command(), args[1:]...)
	}
	code, stdout, stderr = clitest.Call(t, Command(), args[1:]...)
	return code, stdout, withoutProgress(stderr)
}

// withoutProgress leaves out how far a simulation was, which a slow machine is told.
func withoutProgress(stderr string) string {
	return regexp.MustCompile(`(?m)^mini-hpa simulate: at .* of .*\n`).ReplaceAllString(stderr, "")
}
