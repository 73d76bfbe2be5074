//go:build linux

package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func machineIn(t *testing.T) *Machine {
	t.Helper()
	m := &Machine{dir: t.TempDir()}
	if err := os.Mkdir(filepath.Join(m.dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestADeadComponentIsToldWithItsLastWords(t *testing.T) {
	t.Parallel()
	p, err := machineIn(t).spawn("sh", "-c", "echo I cannot go on; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	err = p.await(t.Context(), "a miracle", func(context.Context) error { return errors.New("not yet") })
	for _, want := range []string{"wait for a miracle: sh ended by itself (exit status 3)", "I cannot go on"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p, err := machineIn(t).spawn("sleep", "100")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	err = p.await(ctx, "a miracle", func(context.Context) error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "enough; the last answer was: not yet") {
		t.Error(err)
	}
	p.Kill() // here, no sandbox ends it
}
