//go:build unix

package child

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shell runs a script.
func shell(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start("shell", exec.CommandContext(t.Context(), "/bin/sh", "-c", script), filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestStop(t *testing.T) {
	tests := map[string]struct {
		script string
		grace  time.Duration
		want   string
		itself bool
	}{
		"ends when asked":          {"trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done", time.Minute, "exit status 3", true},
		"is killed if it does not": {"trap '' TERM; echo up; while :; do sleep 0.01; done", 10 * time.Millisecond, "signal: killed", false},
		"had ended":                {"echo up; exit 2", time.Minute, "exit status 2", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := shell(t, test.script)
			for !strings.Contains(p.Tail(), "up") {
				time.Sleep(10 * time.Millisecond)
			}
			if strings.HasPrefix(test.script, "echo") {
				<-p.Ended()
			}
			if got := p.Stop(test.grace); got != test.itself || p.Alive() {
				t.Errorf("by itself: %v, alive: %v", got, p.Alive())
			}
			if got := p.Result(); got == nil || got.Error() != test.want {
				t.Errorf("it ended with %q, want %q", got, test.want)
			}
			if err := p.Fallen(); err != nil {
				t.Errorf("it was asked to end, but: %v", err)
			}
		})
	}
}

func TestFallenSaysWhyAndWhat(t *testing.T) {
	p := shell(t, "echo no such flag; exit 4")
	<-p.Ended()
	err := p.Fallen()
	if want := "shell ended by itself (exit status 4), saying last:\nno such flag"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFallenCarriesTheEndOfALongLog(t *testing.T) {
	p := shell(t, "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done; exit 1")
	<-p.Ended()
	text := p.Fallen().Error()
	if len(text) > endOfLog+100 || !strings.HasSuffix(text, "line 999") {
		t.Errorf("%d bytes, ending with %q", len(text), text[max(0, len(text)-20):])
	}
	if tail := Tail(p.log + "x"); !strings.Contains(tail, "no such file") {
		t.Errorf("got %q", tail)
	}
}
