package authority

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/keyutil"
)

// Published is a leaf for others, whose pods mount it: as tls.crt and tls.key, with the CAs that they trust as ca.crt.
type Published struct {
	// Secret is where it is kept, in the namespace of the CA. It is created if it is missing.
	Secret string
	// Hosts are the DNS names and IP addresses that it is for.
	Hosts []string
}

// caFile are the CAs to trust, beside the leaf and its key.
const caFile = "ca.crt"

// holds says whether what is published will do.
func (to Published) holds(data map[string][]byte, r rotation, now time.Time) bool {
	if !bytes.Equal(data[caFile], r.bundle()) {
		return false
	}
	pair, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil || reached(now, at(pair.Leaf, renewAt)) {
		return false
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: pool(r.all()), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return err == nil && !slices.ContainsFunc(to.Hosts, func(host string) bool { return pair.Leaf.VerifyHostname(host) != nil })
}

// content is what the Secret is to hold, with a new leaf.
func (to Published) content(r rotation, now time.Time, life time.Duration) (map[string][]byte, error) {
	made, err := r.current.issue(subject{hosts: to.Hosts}, now, life)
	if err != nil {
		return nil, err
	}
	key, err := keyutil.MarshalPrivateKeyToPEM(made.served.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the key of a leaf: %w", err)
	}
	return map[string][]byte{corev1.TLSCertKey: encodePEM(made.served.Leaf), corev1.TLSPrivateKeyKey: key, caFile: r.bundle()}, nil
}

func pool(all []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range all {
		p.AddCert(c)
	}
	return p
}
