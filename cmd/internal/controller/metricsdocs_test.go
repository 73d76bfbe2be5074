package controller

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/endpoint"
	"github.com/mini-hpa/mini-hpa/docs"
	"github.com/mini-hpa/mini-hpa/informer/watching"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/activator"
	"github.com/mini-hpa/mini-hpa/scaler/doors"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
	"github.com/mini-hpa/mini-hpa/webhook"
)

// TestMetricsDocs renders what the registry describes.
func TestMetricsDocs(t *testing.T) {
	telemetry := newTelemetry(cli.Build{Version: "v0", Commit: "c", GoVersion: "go1"})
	telemetry.watch(metrics.NewFeed(metrics.Config{}))
	telemetry.follow(metrics.NewReaders(metrics.ReadersConfig{}))
	telemetry.registry.MustRegister(endpoint.WatchFailures(watching.NewWatches("", nil)))
	scaler.NewTelemetry(telemetry.registry)
	scaler.NewBudget(telemetry.registry, zap.NewNop())
	webhook.NewTelemetry(telemetry.registry)
	sources.NewTelemetry(telemetry.registry)
	doors.NewTelemetry(doors.NewKeeper(doors.Config{}), telemetry.registry)
	telemetry.registry.MustRegister(newExpirations(nil), activator.NewTelemetry(nil))
	docs.Keep(t, filepath.Join("..", "..", "..", "docs", "metrics.md"), *clitest.Update, map[string]string{
		"metrics": "| metric | labels | meaning |\n| --- | --- | --- |\n" + strings.Join(metricRows(t, telemetry.registry), ""),
	})
}

// described is how client_golang prints a Desc, its only way to tell what is in it.
var described = regexp.MustCompile(`fqName: "(mini_hpa_[^"]*)", help: "((?:[^"\\]|\\.)*)"[^{]*constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)

func metricRows(t *testing.T, registry *prometheus.Registry) []string {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descriptions)
		close(descriptions)
	}()
	var rows []string
	for d := range descriptions {
		found := described.FindStringSubmatch(d.String())
		if found == nil {
			continue // go_* and process_*
		}
		labels := found[4]
		if labels == "" {
			labels = regexp.MustCompile(`="[^"]*"`).ReplaceAllString(found[3], "")
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", found[1], labels, found[2]))
	}
	slices.Sort(rows)
	if len(rows) < 10 {
		t.Fatalf("%d metrics found, want all of them", len(rows))
	}
	return rows
}

// TestEachReasonOfAFailedWatchIsTold: the runbook says what it is, and the alert is for it, but for the one that another alert is for.
func TestEachReasonOfAFailedWatchIsTold(t *testing.T) {
	const alert = "MiniHPAWatchFailing"
	section := func(path, from, to string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", path))
		if err != nil {
			t.Fatal(err)
		}
		_, found, _ := strings.Cut(string(text), from)
		found, _, _ = strings.Cut(found, to)
		return found
	}
	runbook, rule := section("docs/runbooks.md", "## "+alert+"\n", "\n## "), section("charts/mini-hpa/files/alerts.yaml", "alert: "+alert+"\n", "for:")
	var want, got []string
	for _, reason := range watching.Reasons() {
		if !strings.Contains(runbook, "`"+reason+"`") {
			t.Errorf("the runbook of %s says nothing of %q", alert, reason)
		}
		if reason != watching.FailedForbidden { // MiniHPAAPIForbidden
			want = append(want, reason)
		}
	}
	for _, found := range regexp.MustCompile(`reason=~?"([^"]*)"`).FindAllStringSubmatch(rule, -1) {
		got = append(got, strings.Split(found[1], "|")...)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reasons that %s is for (-want +got):\n%s", alert, diff)
	}
}
