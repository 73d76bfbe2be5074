package selftest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// contact is where the API server calls a webhook, and whom it expects there.
type contact struct {
	address string // host:port
	name    string // the certificate has to be for it
	// roots verify the certificate; nil stands for the system's.
	roots *x509.CertPool
}

// contactOf reads the configuration as the API server does: the Service's name with .svc, or the URL's host, and port 443 unless
// another one is named.
func contactOf(c admissionv1.WebhookClientConfig) (contact, error) {
	var at contact
	switch {
	case c.Service != nil:
		port := int32(443)
		if c.Service.Port != nil {
			port = *c.Service.Port
		}
		at.name = c.Service.Name + "." + c.Service.Namespace + ".svc"
		at.address = net.JoinHostPort(at.name, strconv.Itoa(int(port)))
	case c.URL != nil:
		u, err := url.Parse(*c.URL)
		if err != nil {
			return contact{}, errors.New("the URL in clientConfig cannot be read")
		}
		port := u.Port()
		if port == "" {
			port = "443"
		}
		at.name, at.address = u.Hostname(), net.JoinHostPort(u.Hostname(), port)
	default:
		return contact{}, errors.New("clientConfig names neither a Service nor a URL")
	}
	if len(c.CABundle) == 0 && c.URL != nil {
		return at, nil // the API server takes the system's CAs then
	}
	at.roots = x509.NewCertPool()
	if !at.roots.AppendCertsFromPEM(c.CABundle) {
		return contact{}, fmt.Errorf("its caBundle (%d bytes) holds no certificate", len(c.CABundle))
	}
	return at, nil
}

// checkCertificate connects to the webhook as the API server does.
func (t *tester) checkCertificate(ctx context.Context, hook *admissionv1.ValidatingWebhook) {
	claim := "the certificate of webhook " + hook.Name
	at, err := contactOf(hook.ClientConfig)
	if err != nil {
		t.fail(claim, err.Error(), "mini-hpa's pods write the caBundle within seconds, see their log; where somebody else makes the certificate, it is theirs to write")
		return
	}
	leaf, err := t.shownAt(ctx, at)
	invalid := (*tls.CertificateVerificationError)(nil)
	switch {
	case err == nil:
		t.ok(claim, fmt.Sprintf("%s shows one that is trusted, for another %s", at.address, cli.Short(time.Until(leaf.NotAfter).Truncate(time.Second))))
	case isUnknownHere(err):
		t.skip(claim, at.name+" cannot be looked up from here; if it is a name inside of the cluster, run this in a pod")
	case errors.As(err, &invalid):
		t.fail(claim, at.address+" shows one that the API server does not accept: "+err.Error(),
			"the caBundle has to hold the CA that signed it, and it has to be valid now and for "+at.name)
	default:
		t.fail(claim, at.address+" cannot be reached: "+err.Error(), "see that mini-hpa's pods are ready and that they are endpoints of the Service; "+
			"a NetworkPolicy that lets in only the API server keeps this test out, too")
	}
}

// shownAt is the certificate that the webhook shows, if the API server accepts it.
func (t *tester) shownAt(ctx context.Context, at contact) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, t.api.Timeout)
	defer cancel()
	raw, err := t.dial(ctx, "tcp", at.address)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	connection := tls.Client(raw, &tls.Config{ServerName: at.name, RootCAs: at.roots, MinVersion: tls.VersionTLS12})
	if err := connection.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return connection.ConnectionState().PeerCertificates[0], nil
}

// isUnknownHere says that a name cannot be looked up because this is not a pod.
func isUnknownHere(err error) bool {
	lookup := (*net.DNSError)(nil)
	return errors.As(err, &lookup) && os.Getenv("KUBERNETES_SERVICE_HOST") == ""
}
