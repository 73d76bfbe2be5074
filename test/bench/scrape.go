//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
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

// seriesOf reads one metric out of a page of the text format; the pages have megabytes of others.
func seriesOf(page, name string) ([]series, error) {
	var found []series
	lines := bufio.NewScanner(strings.NewReader(page))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		rest, ours := strings.CutPrefix(lines.Text(), name)
		if !ours || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		end := strings.LastIndexByte(rest, '}') + 1
		value, err := strconv.ParseFloat(strings.Fields(rest[end:])[0], 64)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
		found = append(found, series{labels: labelsOf(strings.Trim(rest[:end], "{}")), value: value})
	}
	return found, lines.Err()
}

// labelsOf reads labels whose values hold neither quotes nor commas, as those of requests do.
func labelsOf(text string) map[string]string {
	labels := map[string]string{}
	for _, pair := range strings.Split(text, ",") {
		if key, value, found := strings.Cut(pair, "="); found {
			labels[key] = strings.Trim(value, `"`)
		}
	}
	return labels
}
