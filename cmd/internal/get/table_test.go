package get

import (
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/scaler"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// shop has one workload in each of several states, and names that a terminal must not obey.
func shop() *Fleet {
	status := func(namespace, name string, state scaler.State, why string, bounds [2]int32, replicas, ready, wants int32, targets ...scaler.Target) scaler.Status {
		s := scaler.Status{Kind: "Deployment", Group: "apps", Namespace: namespace, Name: name, State: state, Why: why, Mode: annotations.ModeAuto,
			Min: &bounds[0], Max: &bounds[1], Replicas: replicas, Ready: ready, Targets: targets, Decided: noon.Add(-3 * time.Second), Reason: "because"}
		if wants >= 0 {
			s.Wants = &wants
		}
		return s
	}
	cpu := func(value string) scaler.Target {
		return scaler.Target{Metric: "cpu", Value: value, Target: "50%"}
	}
	items := []scaler.Status{
		status("shop", "web", scaler.StateLimited, "needs 8, mini-hpa/max is 5", [2]int32{1, 5}, 5, 5, 8, cpu("96%")),
		status("shop", "api", scaler.StateInvalid, `container "app" has no CPU request`, [2]int32{1, 10}, 1, 1, -1),
		status("shop", "geo", scaler.StateStarved, "5 of 8 replicas do not come\x1b[2J\nowned", [2]int32{1, 10}, 8, 3, 8, cpu("100%")),
		status("tight", "pay", scaler.StateOK, "", [2]int32{1, 10}, 4, 4, 4, cpu("52%"), scaler.Target{Metric: "rps", Value: "40", Target: "40"}),
		status("tight", "idle\x1b]0;owned\a", scaler.StateHolding, "needs 2; 6 is the highest recommendation of the last 5m0s", [2]int32{2, 10}, 6, 6, 2, cpu("2%")),
		status("tight", "jobs", scaler.StateUnknown, "its sources are known to the controller alone", [2]int32{0, 10}, 1, 1, -1, scaler.Target{Metric: "rabbit@messages", Value: "?", Target: "30"}),
	}
	items[1].Min, items[1].Max, items[1].Decided, items[1].Reason = nil, nil, time.Time{}, ""
	items[0].LastScale = &scaler.Rescale{Time: noon.Add(-4 * time.Minute), From: 4, To: 5}
	items[5].Kind, items[5].LastScale = "StatefulSet", &scaler.Rescale{Time: noon.Add(-26 * time.Hour), From: 0, To: 1}
	return &Fleet{Source: "source: leader mini-hpa-7c9f-x2, 3s ago", Leader: "mini-hpa-7c9f-x2", MetricsTaken: noon.Add(-9 * time.Second), Time: noon, Items: items, leads: "leader mini-hpa-7c9f-x2"}
}

func TestForms(t *testing.T) {
	for name, c := range map[string]struct {
		output     string
		namespaces bool
		sortBy     string
	}{
		"table.txt":       {"", true, "namespace"},
		"namespace.txt":   {"", false, "namespace"},
		"worst-first.txt": {"", true, "state"},
		"wide.txt":        {"wide", true, "wants"},
		"fleet.json":      {"json", true, "namespace"},
		"fleet.yaml":      {"yaml", true, "namespace"},
		"names.txt":       {"name", true, "name"},
		"path.txt":        {`jsonpath={range .items[*]}{.namespace}/{.name} {.state}{"\n"}{end}`, true, "last-scale"},
		"columns.txt":     {"custom-columns=NAME:.name,WANTS:{.wants},CPU:.targets[0].value", true, "replicas"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			sortItems(f.Items, c.sortBy)
			var text strings.Builder
			if err := f.write(&text, c.output, c.namespaces); err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(text.String(), "\x1b\a") {
				t.Error("a terminal would obey what a name says")
			}
			clitest.Golden(t, "testdata/"+name, text.String())
		})
	}
}

// TestAWatchSaysWhatHasChanged and not that time has passed.
func TestAWatchSaysWhatHasChanged(t *testing.T) {
	f := shop()
	before := gist(&f.Items[0])
	f.Items[0].Why, f.Items[0].Decided = "needs 8, since longer", noon
	if gist(&f.Items[0]) != before {
		t.Error("printed again because time has passed")
	}
	f.Items[0].Ready = 4
	if gist(&f.Items[0]) == before {
		t.Error("a pod that is no longer ready is not printed")
	}
}
