package dictionary

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// TestSchema keeps the schema that is published with the docs.
func TestSchema(t *testing.T) {
	var b bytes.Buffer
	if err := cli.WriteJSON(&b, Schema()); err != nil {
		t.Fatal(err)
	}
	clitest.Golden(t, "../../../docs/mini-hpa.schema.json", b.String())
	if code, stdout, _ := clitest.Call(t, Command(), "--schema"); code != cli.ExitOK || stdout != b.String() {
		t.Errorf("exit code %d, and not the schema", code)
	}
}

func TestAnnotations(t *testing.T) {
	code, all, _ := clitest.Call(t, Command())
	if code != cli.ExitOK || strings.ContainsAny(all, "`[") {
		t.Errorf("exit code %d:\n%s", code, all)
	}
	for _, row := range annotations.Rows() {
		if !strings.Contains(all, "  "+row.Name+" ") {
			t.Errorf("%s is not listed", row.Name)
		}
		code, one, stderr := clitest.Call(t, Command(), strings.TrimPrefix(row.Name, annotations.Prefix))
		if code != cli.ExitOK || !strings.HasPrefix(one, row.Name+"\n") || !strings.Contains(one, "\nTakes:   a") && !slices.Contains([]string{annotations.ModeKey, annotations.Container, annotations.ClassKey}, row.Name) {
			t.Errorf("%s: exit code %d:\n%s%s", row.Name, code, one, stderr)
		}
	}
	code, stdout, _ := clitest.Call(t, Command(), "mini-hpa/mode")
	want := "mini-hpa/mode\n  auto decides and scales; observe decides and tells, but does not scale; paused does not decide.\n\nDefault: auto\nTakes:   \"auto\", \"observe\" or \"paused\"\n\nExamples:\n  mini-hpa/mode: \"auto\"\n  mini-hpa/mode: \"observe\"\n  mini-hpa/mode: \"paused\"\n"
	if code != cli.ExitOK || stdout != want {
		t.Errorf("exit code %d:\n%s", code, stdout)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"a", "b"}, {"max", "--schema"}, {"maximum-replicas"}, {"maxx"}} {
		if code, stdout, stderr := clitest.Call(t, Command(), args...); code != cli.ExitUsage || stdout != "" || stderr == "" {
			t.Errorf("%q: exit code %d, %q", args, code, stdout)
		}
	}
	if _, _, stderr := clitest.Call(t, Command(), "maxx"); !strings.Contains(stderr, `unknown annotation "maxx" (did you mean "mini-hpa/max"?)`) {
		t.Error(stderr)
	}
}
