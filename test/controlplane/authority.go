//go:build unix

package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

const (
	// certificateLife outlasts any cluster of a test by far.
	certificateLife = 365 * 24 * time.Hour
	// clockSkew is how far a certificate's validity begins in the past.
	clockSkew = time.Hour
	// serialBits keeps serial numbers positive and within the 20 octets of RFC 5280.
	serialBits = 127
)

// frontProxyUser is the name under which the API server speaks to aggregated APIs.
const frontProxyUser = "front-proxy-client"

// adminGroup may do everything: RBAC binds it to cluster-admin, and priority and fairness exempts it.
const adminGroup = "system:masters"

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// pair is a certificate and its key, PEM encoded.
type pair struct{ certificate, key []byte }

func newAuthority(name string) (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	certificate, err := cert.NewSelfSignedCACert(cert.Config{CommonName: name, NotBefore: time.Now().Add(-clockSkew)}, key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate authority %s: %w", name, err)
	}
	return &authority{certificate: certificate, key: key}, nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a private key: %w", err)
	}
	return key, nil
}

// client identifies a user and its groups, as the API server reads them from a certificate.
func (a *authority) client(user string, groups ...string) (pair, error) {
	return a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// server identifies whatever listens on loopback, and on the further addresses.
func (a *authority) server(further ...string) (pair, error) {
	addresses := []net.IP{net.ParseIP(loopback)}
	for _, address := range further {
		addresses = append(addresses, net.ParseIP(address))
	}
	return a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: addresses,
	})
}

func (a *authority) issue(template *x509.Certificate) (pair, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return pair{}, fmt.Errorf("make a serial number: %w", err)
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-clockSkew), time.Now().Add(certificateLife)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	key, err := newKey()
	if err != nil {
		return pair{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return pair{}, fmt.Errorf("sign the certificate of %q: %w", template.Subject.CommonName, err)
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return pair{}, fmt.Errorf("encode the key of %q: %w", template.Subject.CommonName, err)
	}
	return pair{certificate: encodeCertificate(der), key: keyPEM}, nil
}

func (a *authority) encoded() []byte { return encodeCertificate(a.certificate.Raw) }

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: der})
}

// writeIdentities makes the cluster's certificates in dir and returns the authority that signs its clients. The API server is on loopback
// and, unless it is "", at address.
func writeIdentities(dir, address string) (*authority, error) {
	clients, err := newAuthority("mini-hpa-test-ca")
	if err != nil {
		return nil, err
	}
	proxies, err := newAuthority("mini-hpa-test-front-proxy-ca") // its own: a client certificate must not pass for a proxy's
	if err != nil {
		return nil, err
	}
	pairs, err := identities(clients, proxies, address)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"ca.crt": clients.encoded(), "front-proxy-ca.crt": proxies.encoded()}
	for name, p := range pairs {
		files[name+".crt"], files[name+".key"] = p.certificate, p.key
	}
	return clients, writeFiles(dir, files)
}

// identities are the certificates by which the components know each other.
func identities(clients, proxies *authority, address string) (map[string]pair, error) {
	var further []string
	if address != "" {
		further = []string{address, serviceAddress}
	}
	serving, servingErr := clients.server(further...)
	proxy, proxyErr := proxies.client(frontProxyUser)
	store, storeErr := clients.client("etcd-client")
	accounts, accountsErr := clients.client("service-accounts") // only its key is used, to sign tokens
	kubelets, kubeletsErr := clients.client("kube-apiserver-kubelet-client", adminGroup)
	pairs := map[string]pair{
		"serving": serving, "front-proxy": proxy, "etcd-client": store, "sa": accounts, "kubelet-client": kubelets,
	}
	return pairs, errors.Join(servingErr, proxyErr, storeErr, accountsErr, kubeletsErr)
}

func writeFiles(dir string, files map[string][]byte) error {
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
