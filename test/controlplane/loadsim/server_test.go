package loadsim

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	type durations struct{ Period, Window, FirstSample time.Duration }
	for name, story := range map[string]struct {
		options Options
		want    durations
		err     string
	}{
		"metrics-server's":              {Options{}, durations{15 * time.Second, 15 * time.Second, 10 * time.Second}, ""},
		"short periods want two points": {Options{Period: time.Second}, durations{time.Second, time.Second, time.Second}, ""},
		"all set": {
			Options{Period: 10 * time.Second, Window: 30 * time.Second, FirstSample: -1},
			durations{10 * time.Second, 30 * time.Second, -1}, "",
		},
		"timestamps have whole seconds": {Options{Period: time.Second - 1}, durations{}, "want a period of at least 1s"},
		"a window is not negative":      {Options{Window: -1}, durations{}, "a positive window"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := story.options.complete()
			if story.err != "" {
				if err == nil || !strings.Contains(err.Error(), story.err) {
					t.Errorf("error = %v, want %q", err, story.err)
				}
				return
			}
			if diff := cmp.Diff(story.want, durations{o.Period, o.Window, o.FirstSample}); err != nil || diff != "" {
				t.Errorf("error %v, options (-want +got):\n%s", err, diff)
			}
			o.Report(nil) // there is always somebody to report to
		})
	}
}

func TestStartFailsAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, story := range map[string]struct {
		config *rest.Config
		o      Options
		want   string
	}{
		"no API server": {&rest.Config{Host: "http://127.0.0.1:1"}, Options{}, "cannot start the metrics API: cannot read the cluster's pods"},
		"bad options":   {&rest.Config{}, Options{Period: 1}, "cannot prepare the metrics API: sampling every 1ns"},
		"bad config": {
			&rest.Config{Host: "https://127.0.0.1:1", TLSClientConfig: rest.TLSClientConfig{CAFile: "/nonexistent"}}, Options{},
			"cannot prepare the metrics API: cannot read the configuration of the API server",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if s, err := Start(ended, story.config, story.o); err == nil || !strings.Contains(err.Error(), story.want) {
				t.Errorf("Start = %v, %v, want %q", s, err, story.want)
			}
		})
	}
}
