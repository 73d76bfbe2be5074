package metrics

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// TestTheTransportBelowIsFound: else client-go warns at each request that times out.
func TestTheTransportBelowIsFound(t *testing.T) {
	want := &tls.Config{ServerName: "below", MinVersion: tls.VersionTLS12}
	got, err := utilnet.TLSClientConfig(bounded{next: &http.Transport{TLSClientConfig: want}})
	if err != nil || got != want {
		t.Errorf("%v, error %v; want the configuration of the transport below", got, err)
	}
}

// TestTextThatGrowsWhenItIsDecodedIsNotRead: each of these has less than a MiB, and would take a hundred.
func TestTextThatGrowsWhenItIsDecodedIsNotRead(t *testing.T) {
	value := `{"metricName":"backlog","metricLabels":{"queue":"a, b and \\" c"},"timestamp":"2026-01-01T00:00:00Z","windowSeconds":0,"value":"1"}`
	for name, story := range map[string]struct {
		text string
		want string
	}{
		"values as they are":   {`{"items":[` + strings.Repeat(value+",", 999) + value + `]}`, "<nil>"},
		"a few too many":       {`{"items":[` + strings.Repeat(value+",", 1500) + value + `]}`, "<nil>"},
		"one value of commas":  {`{"items":[{"metricName":"` + strings.Repeat(",", 100_000) + `"}]}`, "<nil>"},
		"values of nothing":    {`{"items":[` + strings.Repeat("{},", 100_000) + `{}]}`, "the answer is not read: it has more than 4001 values, and 1000 are allowed"},
		"values behind values": {`{"items":[` + strings.Repeat("[],", 100_000) + `{}]}`, "the answer is not read: it has more than 4001 values, and 1000 are allowed"},
		"a value of much": {`{"items":[{"metricLabels":{` + strings.Repeat(`"":"",`, 100_000) + `"":""}}]}`,
			"the answer is not read: what it says of its first 1 values, such as labels, has more than 40001 parts, and 40000 are allowed"},
		"a few values with many labels": {`{"items":[` + strings.Repeat(`{"metricLabels":{`+strings.Repeat(`"a":"",`, 1000)+`"b":""}},`, 300) + `{}]}`,
			"the answer is not read: what it says of its first 40 values, such as labels, has more than 40001 parts, and 40000 are allowed"},
	} {
		// Byte by byte, so that what was counted does not depend on how much is read at a time.
		text := iotest.OneByteReader(strings.NewReader(story.text))
		_, err := io.ReadAll(&boundedBody{ReadCloser: io.NopCloser(text), left: mostExternal, most: mostExternal, values: maxExternal})
		if got := fmt.Sprint(err); got != story.want {
			t.Errorf("%s: %s, want %s", name, got, story.want)
		}
	}
}
