//go:build linux

package story

import "testing"

func TestCheckReplay(t *testing.T) {
	const head = "web_20260101T120000.000Z.trace.jsonl: deployment shop/web\n\nObservations\n  TIME                  REPLICAS  RATIO  ACTIVE            ABLE              LIMITED             BECAUSE\n"
	const row = "  2026-01-01T12:00:15Z  1 -> 2    2.00   ValidMetricFound  SucceededRescale  DesiredWithinRange  cpu utilization 100% above target 50% (1 of 1 pods, sample 2s old)\n"
	for name, c := range map[string]struct {
		page string
		ok   bool
	}{
		"out":           {head + row, true},
		"of another":    {"x: deployment shop/db\n" + row, false},
		"nothing":       {head, false},
		"no other size": {head + "  2026-01-01T12:00:15Z  1         0.50   ValidMetricFound  ReadyForNewScale  DesiredWithinRange  cpu utilization 25% below target 50%\n", false},
	} {
		if err := checkReplay(c.page); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
