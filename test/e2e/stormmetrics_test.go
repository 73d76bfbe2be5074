package e2e

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stormMetrics are the samples of a /metrics page by their name and labels.
type stormMetrics map[string]float64

// readStormMetrics reads the text format of Prometheus as far as client_golang writes it: one sample a line, without a time.
func readStormMetrics(from io.Reader) (stormMetrics, error) {
	m := stormMetrics{}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		line := lines.Text()
		cut := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || cut < 0 {
			continue
		}
		value, err := strconv.ParseFloat(line[cut+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		m[line[:cut]] = value
	}
	return m, lines.Err()
}

// add sums up counters of several processes.
func (m stormMetrics) add(other stormMetrics) {
	for name, value := range other {
		m[name] += value
	}
}

// counts are the series of a counter that are not zero, by their labels.
func (m stormMetrics) counts(name string) string {
	var found []string
	for _, series := range slices.Sorted(maps.Keys(m)) {
		if labels, ok := strings.CutPrefix(series, name+"{"); ok && m[series] > 0 {
			found = append(found, fmt.Sprintf("%s %.0f", strings.TrimSuffix(labels, "}"), m[series]))
		}
	}
	if found == nil {
		return "none"
	}
	return strings.Join(found, ", ")
}

// quantile is Prometheus' histogram_quantile: linear within a bucket, and the last bound for what lies beyond it.
func (m stormMetrics) quantile(name string, q float64) time.Duration {
	total := m[name+"_count"]
	rank := q * total
	bound, below := 0., 0.
	for _, next := range m.bounds(name) {
		upTo := m[fmt.Sprintf("%s_bucket{le=\"%s\"}", name, strconv.FormatFloat(next, 'g', -1, 64))]
		if upTo >= rank && upTo > below {
			return stormSeconds(bound + (next-bound)*(rank-below)/(upTo-below))
		}
		bound, below = next, upTo
	}
	return stormSeconds(bound)
}

// bounds are the finite upper bounds of a histogram's buckets.
func (m stormMetrics) bounds(name string) []float64 {
	var bounds []float64
	for series := range m {
		text, ok := strings.CutPrefix(series, name+`_bucket{le="`)
		bound, err := strconv.ParseFloat(strings.TrimSuffix(text, `"}`), 64)
		if ok && err == nil && !math.IsInf(bound, 0) {
			bounds = append(bounds, bound)
		}
	}
	slices.Sort(bounds)
	return bounds
}

func stormSeconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Microsecond)
}
