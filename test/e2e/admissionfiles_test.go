package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// volume is a directory of certificate files that is kept as the kubelet keeps a Secret's: what is read is a link to a link, and
// the link in the middle is what changes.
type volume struct {
	t    *testing.T
	path string
	n    int
}

// put replaces both files at once.
func (v *volume) put(p pair) {
	v.t.Helper()
	v.n++
	version, link := fmt.Sprintf("version-%d", v.n), filepath.Join(v.path, "..data")
	before, _ := os.Readlink(link) // none at first
	v.must(os.Mkdir(filepath.Join(v.path, version), 0o700),
		os.WriteFile(filepath.Join(v.path, version, "tls.crt"), p.certificate, 0o600),
		os.WriteFile(filepath.Join(v.path, version, "tls.key"), p.key, 0o600),
		os.Symlink(version, link+"-new"), os.Rename(link+"-new", link))
	if before != "" {
		v.must(os.RemoveAll(filepath.Join(v.path, before)))
		return
	}
	for _, name := range []string{"tls.crt", "tls.key"} {
		v.must(os.Symlink(filepath.Join("..data", name), filepath.Join(v.path, name)))
	}
}

func (v *volume) must(errs ...error) {
	v.t.Helper()
	if err := errors.Join(errs...); err != nil {
		v.t.Fatal(err)
	}
}

// pair is a certificate for the webhook's Service with its key, and the CA that has signed it.
type pair struct{ ca, certificate, key []byte }

// issue makes a CA and a certificate of it.
func issue(t *testing.T, serial int64) pair {
	t.Helper()
	made, err := func() (pair, error) {
		root := &x509.Certificate{Subject: pkix.Name{CommonName: fmt.Sprint("CA ", serial)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
		leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "webhook"}, DNSNames: []string{"mini-hpa-webhook.mini-hpa.svc"},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		var keys [2]*ecdsa.PrivateKey
		for i, certificate := range []*x509.Certificate{root, leaf} {
			certificate.SerialNumber, certificate.NotBefore, certificate.NotAfter = big.NewInt(serial), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
			var err error
			if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
				return pair{}, err
			}
		}
		ca, err := x509.CreateCertificate(rand.Reader, root, root, keys[0].Public(), keys[0])
		if err != nil {
			return pair{}, err
		}
		signed, err := x509.CreateCertificate(rand.Reader, leaf, root, keys[1].Public(), keys[0])
		if err != nil {
			return pair{}, err
		}
		key, err := x509.MarshalPKCS8PrivateKey(keys[1])
		return pair{encode("CERTIFICATE", ca), encode("CERTIFICATE", signed), encode("PRIVATE KEY", key)}, err
	}()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// certificateFiles: somebody else makes the certificates and sees to the caBundle. When the files change, the new certificate is
// shown without a restart.
func (a *admission) certificateFiles(t *testing.T) {
	files := &volume{t: t, path: t.TempDir()}
	first, second := issue(t, 100), issue(t, 200)
	files.put(first)
	a.trust(t, first)
	c := a.serve(t, "--tls-cert-file", filepath.Join(files.path, "tls.crt"), "--tls-private-key-file", filepath.Join(files.path, "tls.key"))

	files.put(second)
	changed, address := time.Now(), c.cmd.Args[slices.Index(c.cmd.Args, "--webhook-bind-address")+1]
	var shown *x509.Certificate
	eventually(t, "the new certificate is shown", func(ctx context.Context) (bool, string) {
		var err error
		shown, err = shownBy(ctx, address)
		return err == nil && shown.SerialNumber.Int64() == 200, fmt.Sprint(err)
	})
	t.Logf("replaced to shown: %s", time.Since(changed).Round(time.Millisecond))
	a.trust(t, second) // from now on the first certificate would be no good
	a.awaitRefusal(t, a.somewhere(t))
	if said := a.kubectl(t, annotated(plain), "-n", a.somewhere(t), "create", "-f", "-"); said.verdict() != accepted {
		t.Error(said)
	}
	_, metrics := get(t, c.address, "/metrics")
	if end := total(metrics, "mini_hpa_webhook_certificate_expiry_timestamp_seconds", `type="leaf"`); int64(end) != shown.NotAfter.Unix() {
		t.Errorf("the metric says that the certificate ends at %d, want %d", end, shown.NotAfter.Unix())
	}
}

// trust writes the caBundle, as cert-manager or a person does.
func (a *admission) trust(t *testing.T, p pair) {
	t.Helper()
	a.configure(t, fmt.Sprintf(`{"clientConfig":{"caBundle":%q}}`, base64.StdEncoding.EncodeToString(p.ca)))
}

func shownBy(ctx context.Context, address string) (*x509.Certificate, error) {
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // it is the certificate that is looked at
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}
