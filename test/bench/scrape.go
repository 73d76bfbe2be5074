//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape reads a page of metrics.
func scrape(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	// The controller manager makes its own certificate; the address is one that this process has just chosen.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // see above
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, response.Status)
	}
	return string(text), err
}

// counter is the sum of all series of a counter.
func counter(ctx context.Context, url, name string) (float64, error) {
	page, err := scrape(ctx, url)
	if err != nil {
		return 0, err
	}
	series, err := seriesOf(page, name)
	total := 0.0
	for _, s := range series {
		total += s.value
	}
	return total, err
}

// single is the value of a metric without labels.
func single(page, name string) (float64, error) {
	series, err := seriesOf(page, name)
	if err == nil && len(series) != 1 {
		err = fmt.Errorf("metric %s has %d series, want one", name, len(series))
	}
	if err != nil {
		return 0, err
	}
	return series[0].value, nil
}

// series is one line of the Prometheus text format.
type series struct {
	labels map[string]string
	value  float64
}

// seriesOf reads one metric out of a page of the text format. It parses the lines of no other: the pages have megabytes of them, and
// whoever measures should take little time itself.
func seriesOf(page, name string) ([]series, error) {
	var ours strings.Builder
	for line := range strings.Lines(page) {
		if rest, found := strings.CutPrefix(line, name); found && strings.IndexAny(rest, "{ ") == 0 {
			ours.WriteString(line)
		}
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(ours.String()))
	if err != nil {
		return nil, fmt.Errorf("metric %s: %w", name, err)
	}
	var found []series
	for _, metric := range families[name].GetMetric() {
		s := series{labels: map[string]string{}, value: metric.GetUntyped().GetValue()} // a type would be in another line
		for _, label := range metric.GetLabel() {
			s.labels[label.GetName()] = label.GetValue()
		}
		found = append(found, s)
	}
	return found, nil
}
