package controller

import (
	"testing"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// program has the commands of this package only.
func program() cli.Program {
	return cli.Program{Commands: []cli.Command{Command(), WebhookCommand()}, Build: cli.NewBuild("", "")}
}

func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return clitest.Call(t, WebhookCommand(), args[1:]...)
}
