package authority

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"time"

	"k8s.io/client-go/util/cert"
)

const (
	// commonName is that of every CA made here. It tells them from other CAs in a caBundle.
	commonName = "mini-hpa webhook CA"
	// skew is how far the validity of a certificate begins before its creation, for clients whose clock is behind.
	skew = time.Hour
	// longestName is ub-common-name of RFC 5280.
	longestName = 64
)

// ca is a CA with its private key. It is never changed once it is made.
type ca struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// leaf is a serving certificate, and the CA that signed it.
type leaf struct {
	served *tls.Certificate
	by     *ca
}

// newCA makes a CA that expires after a life. Like all times in certificates, that is truncated to seconds.
func newCA(now time.Time, life time.Duration) (*ca, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make the key of a CA: %w", err)
	}
	template := &x509.Certificate{ // a random serial number and the key's SubjectKeyId are filled in
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(life),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	made, err := sign(template, template, key, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make the certificate of a CA: %w", err)
	}
	return &ca{cert: made, key: key}, nil
}

// subject is whom a leaf is for: a server of these names and addresses, or a client.
type subject struct {
	hosts    []string
	isClient bool
}

// issue makes a leaf that expires after a life, but not later than its CA.
func (c *ca) issue(of subject, now time.Time, life time.Duration) (*leaf, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make the key of a leaf: %w", err)
	}
	template := leafTemplate(of.hosts)
	if of.isClient {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	template.NotBefore, template.NotAfter = now.Add(-skew), now.Add(life)
	if template.NotAfter.After(c.cert.NotAfter) {
		template.NotAfter = c.cert.NotAfter
	}
	made, err := sign(template, c.cert, key, c.key)
	if err != nil {
		return nil, fmt.Errorf("cannot make the certificate of a leaf: %w", err)
	}
	served := &tls.Certificate{Certificate: [][]byte{made.Raw}, PrivateKey: key, Leaf: made}
	return &leaf{served: served, by: c}, nil
}

func leafTemplate(hosts []string) *x509.Certificate {
	template := &x509.Certificate{
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if len(hosts[0]) <= longestName { // clients read the SANs, the name is for people
		template.Subject.CommonName = hosts[0]
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return template
}

// sign signs a template with the key by of a parent, for the owner of a key, and parses what came out.
func sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// created is the moment at which a certificate was made, to the second.
func created(c *x509.Certificate) time.Time { return c.NotBefore.Add(skew) }

// life is how long a certificate is meant to be used.
func life(c *x509.Certificate) time.Duration { return c.NotAfter.Sub(created(c)) }

// at is the moment at which a fraction of a certificate's life is over.
func at(c *x509.Certificate, fraction float64) time.Time {
	return created(c).Add(time.Duration(fraction * float64(life(c))))
}

// reached says whether a moment has come.
func reached(now, moment time.Time) bool { return !now.Before(moment) }

// isValid says whether there is a CA and it has not expired.
func (c *ca) isValid(now time.Time) bool { return c != nil && !reached(now, c.cert.NotAfter) }

// is says whether both exist and are the same CA.
func (c *ca) is(other *ca) bool { return c != nil && other != nil && c.cert.Equal(other.cert) }

// isWebhookCA says whether a certificate is a CA that mini-hpa made.
func isWebhookCA(c *x509.Certificate) bool {
	return c.Subject.CommonName == commonName && c.BasicConstraintsValid && c.IsCA && c.KeyUsage&x509.KeyUsageCertSign != 0
}

// contains says whether a certificate is in a list.
func contains(all []*x509.Certificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(all, c.Equal)
}

// pool has CAs in the form in which package x509 takes those to trust.
func pool(all []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range all {
		p.AddCert(c)
	}
	return p
}

// sorted sorts by age and drops repetitions. The order depends only on the certificates, so that replicas agree on the bytes of a
// caBundle even while they disagree on which CA signs.
func sorted(all []*x509.Certificate) []*x509.Certificate {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *x509.Certificate) int {
		return cmp.Or(a.NotBefore.Compare(b.NotBefore), bytes.Compare(a.Raw, b.Raw))
	})
	return slices.CompactFunc(all, (*x509.Certificate).Equal)
}

// encodePEM writes certificates as PEM.
func encodePEM(all ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range all {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: c.Raw})...)
	}
	return text
}

// decodePEM reads the certificates of a PEM text. It skips and counts other parts.
func decodePEM(text []byte) (all []*x509.Certificate, bad int) {
	for len(bytes.TrimSpace(text)) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return all, bad + 1
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if block.Type != cert.CertificateBlockType || err != nil {
			bad++
			continue
		}
		all = append(all, c)
	}
	return all, bad
}
