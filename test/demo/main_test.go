package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/test/demo/stage"
	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

func TestParse(t *testing.T) {
	tests := map[string]struct {
		args []string
		want options
		bad  string
	}{
		"nothing":            {want: options{image: "busybox:1.37"}},
		"everything":         {args: []string{"--here", "--image=b:1", "--out", "x"}, want: options{here: true, image: "b:1", out: "x"}},
		"an unknown flag":    {args: []string{"--there"}, bad: "unknown flag: --there"},
		"an argument":        {args: []string{"now"}, bad: `unexpected argument "now": it takes flags only`},
		"a strange argument": {args: []string{"\x1b[31m" + strings.Repeat("x", 100)}, bad: `unexpected argument "\x1b[31m` + strings.Repeat("x", 59) + `": it takes flags only`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(tt.args)
			if (err == nil) != (tt.bad == "") || (err != nil && err.Error() != tt.bad) {
				t.Fatalf("error %v, want %q", err, tt.bad)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(options{})); tt.bad == "" && diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUsageErrorsExitWith2(t *testing.T) {
	if code := command([]string{"now"}); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
}

func TestVerdictNamesThePhaseAndShowsTheLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte("level=error\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	held := story.Act{Phase: story.Phase{Title: "idle"}, Verdict: story.Verdict{State: story.Held, Says: "fine"}}
	failed := story.Act{Phase: story.Phase{Title: "load"}, Verdict: story.Verdict{State: story.Failed, Says: "web is at 1"}}
	if err := verdict([]story.Act{held}, log); err != nil {
		t.Errorf("all held, but: %v", err)
	}
	err := verdict([]story.Act{held, failed}, log)
	const want = "phase \"load\" did not show what it should: web is at 1\nThe end of the controller's log:\nlevel=error"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestFactsSayWhatIsNotReal(t *testing.T) {
	s := &stage.Stage{Version: "v1.36.3", Period: 5 * time.Second, Request: 1000, Simulated: true, Pace: story.Simulated(5 * time.Second)}
	want := []string{
		"Kubernetes v1.36.3; a new sample every 5s; the pods' CPU is simulated, everything else is real.",
		"Every pod requests 1000m of CPU; at the target of 50% it uses 500m.",
		"The scale-down stabilization window of web is shortened to 30s by its annotation; the default is 5m.",
	}
	if diff := cmp.Diff(want, facts(s)); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	s.Simulated = false
	if got := facts(s)[0]; !strings.Contains(got, "pods that really use CPU") {
		t.Errorf("%q", got)
	}
}

// After an interrupt there is no cluster to ask, but the files of what was seen are written.
func TestShowWritesTheFilesAfterAnInterrupt(t *testing.T) {
	dir := t.TempDir()
	var text strings.Builder
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := demo{options: options{out: dir}, text: &text}
	seen := story.Recording{Request: 1000, Target: 50, Tracks: []story.Track{{Workload: "web"}}}
	if err := d.show(ctx, &stage.Stage{Kubectl: "/no/kubectl"}, seen); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"demo.svg", "demo.html", "recording.json"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestShowPrintsTheEventsAsKubectlDoes(t *testing.T) {
	dir := t.TempDir()
	kubectl := filepath.Join(dir, "kubectl")
	script := "#!/bin/sh\necho \"Name: $5\"\necho Events:\necho '  Type  Reason  <x>'\n"
	if err := os.WriteFile(kubectl, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		kubectl, want, bad string
	}{
		"with kubectl":    {kubectl: kubectl, want: "$ kubectl describe deployment web\n...\nEvents:\n  Type  Reason  <x>\n"},
		"without kubectl": {want: "There is no kubectl on the PATH to describe the Events with."},
		"a broken one":    {kubectl: "/no/kubectl", bad: "could not describe web"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			d := demo{options: options{out: t.TempDir()}, text: &text}
			seen := story.Recording{Request: 1000, Target: 50, Tracks: []story.Track{{Workload: "web"}}}
			err := d.show(t.Context(), &stage.Stage{Kubectl: tt.kubectl}, seen)
			if (err == nil) != (tt.bad == "") || (err != nil && !strings.Contains(err.Error(), tt.bad)) {
				t.Errorf("error %v, want %q", err, tt.bad)
			}
			if !strings.Contains(text.String(), tt.want) {
				t.Errorf("text %q, want %q in it", text.String(), tt.want)
			}
			page, err := os.ReadFile(filepath.Join(d.out, "demo.html"))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(page), "Reason  &lt;x&gt;") != (tt.kubectl == kubectl) {
				t.Error("the page does not hold the Events that were printed")
			}
		})
	}
}
