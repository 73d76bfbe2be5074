package replay

import (
	"testing"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// program has this command only.
func program() cli.Program { return cli.Program{Commands: []cli.Command{Command()}} }

func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return clitest.Call(t, Command(), args[1:]...)
}
