package simulate

import (
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
	return clitest.Call(t, Command(), args[1:]...)
}
