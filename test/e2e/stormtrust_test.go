package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/util/keyutil"
)

// stormPair is a certificate and its key, PEM encoded.
type stormPair struct {
	cert, key []byte
	parsed    *x509.Certificate
	signer    *ecdsa.PrivateKey
}

// stormCA is a CA with a life from now on, which may be over. It looks like the webhook's if it has its name.
func stormCA(t *testing.T, name string, life time.Duration) *stormPair {
	t.Helper()
	return stormIssue(t, nil, &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(life),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true})
}

// stormOurs is the name of the webhook's CAs.
const stormOurs = "mini-hpa webhook CA"

func stormIssue(t *testing.T, by *stormPair, template *x509.Certificate) *stormPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.parsed, by.signer
	}
	template.NotBefore = time.Now().Add(-2 * time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	text, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	return &stormPair{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key: text, parsed: parsed, signer: key}
}

// data is what the webhook's Secret holds of its CA.
func (p *stormPair) data() map[string][]byte {
	return map[string][]byte{"ca.crt": p.cert, "ca.key": p.key}
}

// stormGarbageKind is something that the Secret may hold and should not.
type stormGarbageKind struct {
	name string
	data func(c *stormCase) map[string][]byte
}

func stormGarbageKinds() []stormGarbageKind {
	noise := []byte("-----BEGIN CERTIFICATE-----\nbm9pc2U=\n-----END CERTIFICATE-----\nand more noise")
	return []stormGarbageKind{
		{"empty", func(*stormCase) map[string][]byte { return nil }},
		{"noise", func(*stormCase) map[string][]byte {
			return map[string][]byte{"ca.crt": noise, "ca.key": noise, "next.crt": {0xff, 0}, "next.key": nil, "previous.crt": noise}
		}},
		{"a key that does not match", func(c *stormCase) map[string][]byte {
			return map[string][]byte{"ca.crt": stormCA(c.t, stormOurs, time.Hour).cert, "ca.key": stormCA(c.t, stormOurs, time.Hour).key}
		}},
		{"the key of another CA", func(c *stormCase) map[string][]byte {
			data, err := c.secret(c.t.Context())
			if err != nil {
				c.t.Fatal(err)
			}
			data["ca.key"] = stormCA(c.t, stormOurs, time.Hour).key
			return data
		}},
		{"an expired CA", func(c *stormCase) map[string][]byte { return stormCA(c.t, stormOurs, -time.Minute).data() }},
		{"a leaf instead of a CA", func(c *stormCase) map[string][]byte {
			leaf := &x509.Certificate{Subject: pkix.Name{CommonName: stormOurs}, NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true}
			return stormIssue(c.t, stormCA(c.t, stormOurs, time.Hour), leaf).data()
		}},
		{"a CA of somebody else", func(c *stormCase) map[string][]byte { return stormCA(c.t, "somebody else", time.Hour).data() }},
		{"another good CA", func(c *stormCase) map[string][]byte { return stormCA(c.t, stormOurs, time.Minute).data() }},
	}
}

// deleteSecretBehindABack stops a replica, deletes the Secret, and lets the replica go on when the other one has made it good and
// taken another CA. A stopped process answers nobody: the API server is led to the other one for as long as that lasts.
func (c *stormCase) deleteSecretBehindABack() {
	c.t.Helper()
	sleeper, other := c.replicas[0], c.replicas[1]
	before, err := other.shown(c.t.Context(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.balancer.leave(sleeper, true)
	c.stream.paused(func() { c.balancer.cut(sleeper) })
	sleeper.signal(syscall.SIGSTOP)
	defer c.balancer.leave(sleeper, false)
	defer sleeper.signal(syscall.SIGCONT)
	c.deleteSecret()
	eventually(c.t, "the other replica has another CA", func(ctx context.Context) (bool, string) {
		now, err := other.shown(ctx, nil)
		return err == nil && string(now.AuthorityKeyId) != string(before.AuthorityKeyId), fmt.Sprint("the same CA, or ", err)
	})
}

// awaitHealed waits until the Secret holds a CA that works, and every replica is ready and trusted by the caBundle, which trusts
// the Secret's CA, too.
func (c *stormCase) awaitHealed(what string) {
	c.t.Helper()
	eventually(c.t, what+": made good", func(ctx context.Context) (bool, string) {
		pool, err := c.trusted(ctx)
		if err == nil {
			err = c.checkSecret(ctx, pool)
		}
		for _, r := range c.replicas {
			r.alive()
			_, shownErr := r.shown(ctx, pool)
			err = errors.Join(err, shownErr)
			if !c.balancer.leadsTo(r) {
				err = errors.Join(err, errors.New("a replica is not ready"))
			}
		}
		return err == nil, fmt.Sprint(err)
	})
}

// trusted is whom the API server trusts.
func (s *storm) trusted(ctx context.Context) (*x509.CertPool, error) {
	bundle, err := s.bundle(ctx)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	return pool, nil
}

// checkSecret fails unless the Secret's CA can sign and is trusted.
func (s *storm) checkSecret(ctx context.Context, pool *x509.CertPool) error {
	data, err := s.secret(ctx)
	if err != nil {
		return err
	}
	ca, err := tls.X509KeyPair(data["ca.crt"], data["ca.key"])
	if err != nil {
		return err
	}
	_, err = ca.Leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err
}

// wantOneCA fails the test unless both replicas serve leaves of the Secret's CA, and the caBundle is that CA and no other.
func (s *storm) wantOneCA(replicas []*stormReplica) {
	s.t.Helper()
	data, err := s.secret(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	bundle, err := s.bundle(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if string(bundle) != string(data["ca.crt"]) {
		s.t.Errorf("the caBundle is not the Secret's CA:\n%s\n%s", bundle, data["ca.crt"])
	}
	only := x509.NewCertPool()
	only.AppendCertsFromPEM(data["ca.crt"])
	for _, r := range replicas {
		if _, err := r.shown(s.t.Context(), only); err != nil {
			s.t.Errorf("a replica serves a leaf of another CA: %v", err)
		}
	}
}

// watchHandshakes connects to each replica again and again as the API server would with the caBundle of the moment, until the
// result is asked for. The API server itself keeps its connections, and would notice much less.
func (c *stormCase) watchHandshakes() (result func() (handshakes, untrusted int64)) {
	var all, bad atomic.Int64
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			for _, r := range c.replicas {
				if pool, err := c.trusted(ctx); err == nil && c.balancer.leadsTo(r) {
					_, err := r.shown(ctx, pool)
					all.Add(1)
					if invalid := (*tls.CertificateVerificationError)(nil); errors.As(err, &invalid) {
						bad.Add(1)
					}
				}
			}
			<-tick.C
		}
	}()
	return func() (int64, int64) {
		cancel()
		<-done
		return all.Load(), bad.Load()
	}
}
