package activator

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// certificates are the files that the controller keeps in a Secret, which the kubelet mounts. They are read for each connection: only the
// controller's replicas connect, and seldom, so that nothing has to notice when the files change.
type certificates struct{ dir string }

// config is for the server: it shows its certificate, and talks to the leader only.
func (c *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.read() }}
}

// read reads the files. The error says which of them is wrong.
func (c *certificates) read() (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(filepath.Join(c.dir, "tls.crt"), filepath.Join(c.dir, "tls.key"))
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate in --tls-dir=%s: %w", c.dir, err)
	}
	authority, err := os.ReadFile(filepath.Join(c.dir, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("cannot use the CA in --tls-dir=%s: %w", c.dir, err)
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("cannot use the CA in --tls-dir=%s: there is no certificate in ca.crt", c.dir)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
		VerifyConnection: isLeader}, nil
}

// isLeader refuses clients that have a certificate of the CA and are not the controller: the CA is also that of the webhook, and of the activators.
func isLeader(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("there is no certificate")
	}
	return s.PeerCertificates[0].VerifyHostname(serves.LeaderName)
}
