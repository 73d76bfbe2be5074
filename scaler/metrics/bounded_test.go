package metrics

import (
	"crypto/tls"
	"net/http"
	"testing"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// TestTheTransportBelowIsFound: else client-go warns at each request that times out.
func TestTheTransportBelowIsFound(t *testing.T) {
	want := &tls.Config{ServerName: "below", MinVersion: tls.VersionTLS12}
	got, err := utilnet.TLSClientConfig(bounded{&http.Transport{TLSClientConfig: want}, 1})
	if err != nil || got != want {
		t.Errorf("%v, error %v; want the configuration of the transport below", got, err)
	}
}
