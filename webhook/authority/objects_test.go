package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/keyutil"
)

// forged makes the Secret's data of a CA that is wrong in one way.
func forged(t testing.TB, now time.Time, curve elliptic.Curve, change func(*x509.Certificate)) map[string][]byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: commonName}, NotBefore: now.Add(-skew), NotAfter: now.Add(long),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true}
	change(template)
	made, err := sign(template, template, key, key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"ca.crt": encodePEM(made), "ca.key": text}
}

func content(t testing.TB, v rotation) map[string][]byte {
	t.Helper()
	data, err := v.content()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// spoilt returns all kinds of Secrets without a CA to sign with, and the faults that are found in them.
func spoilt(t testing.TB, now time.Time) map[string]struct {
	data map[string][]byte
	want string
} {
	good, other := content(t, rotation{current: fresh(t, now, long)}), content(t, rotation{current: fresh(t, now, long)})
	broken := slices.Clone(good["ca.crt"])
	broken[len(broken)/2] ^= 1
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaText, err := keyutil.MarshalPrivateKeyToPEM(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	with := func(key string, text []byte) map[string][]byte {
		data := maps.Clone(good)
		data[key] = text
		return data
	}
	same := func(*x509.Certificate) {}
	return map[string]struct {
		data map[string][]byte
		want string
	}{
		"no certificate":      {with("ca.crt", nil), "not one PEM certificate"},
		"no PEM":              {with("ca.crt", []byte("x")), "not one PEM certificate"},
		"a PEM of nothing":    {with("ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), "not one PEM certificate"},
		"two certificates":    {with("ca.crt", append(slices.Clone(good["ca.crt"]), other["ca.crt"]...)), "not one PEM certificate"},
		"a broken letter":     {with("ca.crt", broken), "ca.crt"},
		"no key":              {with("ca.key", nil), "the key is not PEM"},
		"a key that is none":  {with("ca.key", []byte("x")), "the key is not PEM"},
		"another's key":       {with("ca.key", other["ca.key"]), "not that of the certificate"},
		"a key for RSA":       {with("ca.key", rsaText), "not for ECDSA"},
		"a weak key":          {forged(t, now, elliptic.P224(), same), "weak"},
		"an expired one":      {forged(t, now, elliptic.P256(), func(c *x509.Certificate) { c.NotAfter = now }), "it expired at 20"},
		"no CA":               {forged(t, now, elliptic.P256(), func(c *x509.Certificate) { c.IsCA = false }), "not a webhook CA's"},
		"a CA without a use":  {forged(t, now, elliptic.P256(), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }), "not a webhook CA's"},
		"somebody else's CA":  {forged(t, now, elliptic.P256(), func(c *x509.Certificate) { c.Subject.CommonName = "corporate CA" }), "not a webhook CA's"},
		"a key for the other": {map[string][]byte{"ca.crt": other["ca.crt"], "ca.key": good["ca.key"]}, "not that of the certificate"},
	}
}

func TestSpoiltSecret(t *testing.T) {
	t.Parallel()
	for name, tc := range spoilt(t, noon()) {
		s := readSecret(&corev1.Secret{Data: tc.data}, noon())
		if s.current != nil || len(s.faults) != 1 || !strings.Contains(s.faults[0], tc.want) {
			t.Errorf("%s: current %v, faults %q", name, s.current != nil, s.faults)
		}
		for key, text := range tc.data {
			if len(text) > 8 && strings.Contains(fmt.Sprint(s.faults), string(text[:8])) {
				t.Errorf("%s: the fault repeats %s", name, key)
			}
		}
		p := decide(observed{now: noon(), secret: s, configuration: &configuration{}, prepared: fresh(t, noon(), long)})
		if p.write == nil || p.write.current == nil {
			t.Errorf("%s: nothing is written", name)
		}
	}
}

func TestRotationComesBack(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	for _, text := range []string{"A//", "A/B/", "B//A", "X/C/A B"} {
		v := g.rotation(text)
		s := readSecret(&corev1.Secret{Data: content(t, v)}, noon().Add(time.Second))
		if diff := cmp.Diff(text, g.text(s.rotation)); diff != "" || len(s.faults) > 0 || s.differs(v) {
			t.Errorf("%s (%q)", diff, s.faults)
		}
	}
	if g.rotation("A//").current.cert.SerialNumber.Cmp(g.cas["B"].cert.SerialNumber) == 0 ||
		string(g.cas["A"].cert.SubjectKeyId) == string(g.cas["B"].cert.SubjectKeyId) {
		t.Error("two CAs have the same identity")
	}
}

// TestMany keeps a bundle from growing without end.
func TestMany(t *testing.T) {
	t.Parallel()
	var v rotation
	for i := range 3 * mostPrevious {
		v.previous = append(v.previous, fresh(t, noon().Add(time.Duration(i)*time.Second), long).cert)
	}
	newest := v.previous[len(v.previous)-1]
	v.current = fresh(t, noon().Add(time.Minute), long)
	s := &secret{rotation: v, object: &corev1.Secret{}}
	p := decide(observed{now: noon().Add(time.Minute), secret: s, configuration: &configuration{}})
	if p.write == nil || len(p.write.previous) != mostPrevious || !contains(p.write.previous, newest) {
		t.Errorf("wrote %v", p.write)
	}
}

func FuzzSecret(f *testing.F) {
	good := content(f, rotation{current: fresh(f, noon(), long), next: fresh(f, noon(), long)})
	f.Add(good["ca.crt"], good["ca.key"], good["next.crt"])
	for _, tc := range spoilt(f, noon()) {
		f.Add(tc.data["ca.crt"], tc.data["ca.key"], good["ca.crt"])
	}
	prepared := fresh(f, noon(), long)
	f.Fuzz(func(t *testing.T, crt, key, previous []byte) {
		object := &corev1.Secret{Data: map[string][]byte{"ca.crt": crt, "ca.key": key, "previous.crt": previous}}
		p := decide(observed{now: noon(), secret: readSecret(object, noon()), configuration: &configuration{}, prepared: prepared})
		if p.write == nil {
			return
		}
		again := readSecret(&corev1.Secret{Data: content(t, *p.write)}, noon())
		if len(again.faults) > 0 || again.differs(*p.write) || again.current == nil {
			t.Fatalf("what is written is no better: %q", again.faults)
		}
	})
}
