package controller

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// TestTheAddressesOfTheAPIServer are none that a source may have.
func TestTheAddressesOfTheAPIServer(t *testing.T) {
	for host, cases := range map[string]map[string]bool{
		"https://10.96.0.1:443":    {"10.96.0.1:443": true, "10.96.0.1:9090": false, "10.96.0.2:443": false},
		"https://10.96.0.1":        {"10.96.0.1:443": true, "10.96.0.1:80": false},
		"http://10.96.0.1":         {"10.96.0.1:80": true, "10.96.0.1:443": false},
		"10.96.0.1:6443":           {"10.96.0.1:6443": true, "10.96.0.1:443": false},
		"10.96.0.1":                {"10.96.0.1:443": true},
		"https://[fd00::1]:443":    {"[fd00::1]:443": true, "[fd00::2]:443": false},
		"https://localhost:6443":   {"127.0.0.1:6443": true, "127.0.0.1:6444": false},
		"https://nowhere.invalid.": {"10.96.0.1:443": true, "10.96.0.1:9090": false},
	} {
		refused := addressesOf(host)
		for address, want := range cases {
			if got := refused(netip.MustParseAddrPort(address)); got != want {
				t.Errorf("API server %s: %s is refused: %t, want %t", host, address, got, want)
			}
		}
	}
}

// counted is a reader with questions of three sources.
type counted struct{}

func (counted) Status() metrics.ReadersStatus {
	return metrics.ReadersStatus{Of: map[string]int{"custom": 1, "external": 2, "prom": 3}}
}

// TestQuestionsOfEachSource: those of the metrics APIs of the cluster are told elsewhere.
func TestQuestionsOfEachSource(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newQuestions(counted{}))
	const want = `
# HELP mini_hpa_source_questions Different questions that a source of --sources is being asked.
# TYPE mini_hpa_source_questions gauge
mini_hpa_source_questions{source="prom"} 3
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// silent is a source that nobody asks.
type silent struct{ metrics.Source }

func (silent) Ask(context.Context, metrics.Question) (metrics.Answer, error) {
	return metrics.Answer{}, nil
}

// TestTheMetricsAPIsAreAlwaysThere: no source of the file takes the place of one.
func TestTheMetricsAPIsAreAlwaysThere(t *testing.T) {
	api, own := &silent{}, &silent{}
	all := together(map[string]metrics.Source{"custom": api}, map[string]metrics.Source{"custom": own, "prom": own})
	if all["custom"] != api || all["prom"] != own || len(all) != 2 {
		t.Errorf("sources %v", all)
	}
}
