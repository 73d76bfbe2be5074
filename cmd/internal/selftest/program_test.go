package selftest

import (
	"testing"

	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return clitest.Call(t, Command(), args[1:]...)
}
