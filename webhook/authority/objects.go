package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/keyutil"
)

// Keys of the Secret's data. Other keys are left alone.
const (
	currentName  = "ca"   // .crt and .key of the CA that signs
	nextName     = "next" // .crt and .key of the CA that is being made known
	previousFile = "previous.crt"
)

// smallestCurve is the size in bits of the smallest curve that a CA may use.
const smallestCurve = 256

// rotation has the CAs of the Secret by their part in a rotation.
type rotation struct {
	current  *ca                 // signs; nil if the Secret has no good one
	next     *ca                 // will sign; nil most of the time
	previous []*x509.Certificate // signed once, and trusted until they expire
}

// secret is the Secret as it was read.
type secret struct {
	rotation
	object *corev1.Secret // nil if it does not exist
	faults []string       // what is wrong with it, without its content
}

// readSecret takes the good parts of a Secret and notes the faults of the others.
func readSecret(object *corev1.Secret, now time.Time) *secret {
	s, data := &secret{object: object}, object.Data
	var currentErr, nextErr error
	s.current, currentErr = readCA(data, currentName, now)
	s.next, nextErr = readCA(data, nextName, now)
	for _, err := range []error{currentErr, nextErr} {
		if err != nil {
			s.faults = append(s.faults, err.Error())
		}
	}
	if s.next.is(s.current) {
		s.next = nil
	}
	all, bad := decodePEM(data[previousFile])
	for _, c := range all {
		if isWebhookCA(c) {
			s.previous = append(s.previous, c)
		} else {
			bad++
		}
	}
	if bad > 0 {
		s.faults = append(s.faults, fmt.Sprintf("%s has %d parts that are no certificate of a webhook CA", previousFile, bad))
	}
	return s
}

// readCA reads a CA that can sign now. It returns nil without an error if the Secret has neither its certificate nor its key.
func readCA(data map[string][]byte, name string, now time.Time) (*ca, error) {
	crt, key := data[name+".crt"], data[name+".key"]
	if len(crt) == 0 && len(key) == 0 {
		return nil, nil
	}
	all, bad := decodePEM(crt)
	if len(all) != 1 || bad > 0 {
		return nil, fmt.Errorf("%s.crt is not one PEM certificate", name)
	}
	c, err := parseCA(all[0], key)
	if err == nil && !c.isValid(now) {
		err = fmt.Errorf("it expired at %s", c.cert.NotAfter.Format(time.RFC3339))
	}
	if err != nil {
		return nil, fmt.Errorf("%s.crt and %s.key are no CA to sign with: %w", name, name, err)
	}
	return c, nil
}

// parseCA checks that a certificate and a private key are a CA. No error repeats what it read.
func parseCA(c *x509.Certificate, text []byte) (*ca, error) {
	parsed, err := keyutil.ParsePrivateKeyPEM(text)
	if err != nil {
		return nil, errors.New("the key is not PEM")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	switch {
	case !ok:
		return nil, errors.New("the key is not for ECDSA")
	case key.Curve.Params().BitSize < smallestCurve:
		return nil, errors.New("the key is weak")
	case !key.PublicKey.Equal(c.PublicKey):
		return nil, errors.New("the key is not that of the certificate")
	case !isWebhookCA(c):
		return nil, errors.New("the certificate is not a webhook CA's")
	case c.CheckSignatureFrom(c) != nil:
		return nil, errors.New("the certificate is not signed by itself")
	}
	return &ca{cert: c, key: key}, nil
}

// all returns the CAs to trust, the oldest first.
func (r rotation) all() []*x509.Certificate {
	all := slices.Clone(r.previous)
	for _, c := range []*ca{r.current, r.next} {
		if c != nil {
			all = append(all, c.cert)
		}
	}
	return sorted(all)
}

// bundle returns what each caBundle should be.
func (r rotation) bundle() []byte { return encodePEM(r.all()...) }

// content returns what the data of the Secret should be.
func (r rotation) content() (map[string][]byte, error) {
	data := map[string][]byte{}
	for name, c := range map[string]*ca{currentName: r.current, nextName: r.next} {
		if c == nil {
			continue
		}
		key, err := keyutil.MarshalPrivateKeyToPEM(c.key)
		if err != nil {
			return nil, fmt.Errorf("cannot encode the key of a CA: %w", err)
		}
		data[name+".crt"], data[name+".key"] = encodePEM(c.cert), key
	}
	if len(r.previous) > 0 {
		data[previousFile] = encodePEM(r.previous...)
	}
	return data, nil
}

// ownKeys are the keys of the Secret that mini-hpa writes.
func ownKeys() []string {
	return []string{currentName + ".crt", currentName + ".key", nextName + ".crt", nextName + ".key", previousFile}
}

// differs says whether the Secret has to be written to hold r. It compares certificates only, as a key that is encoded in another
// way is the same key, and any fault is a difference.
func (s *secret) differs(r rotation) bool {
	same := func(a, b *ca) bool { return a == b || a.is(b) }
	return len(s.faults) > 0 || !same(s.current, r.current) || !same(s.next, r.next) ||
		!bytes.Equal(encodePEM(s.previous...), encodePEM(r.previous...))
}

// configuration is the live ValidatingWebhookConfiguration: which webhooks the API server calls, and which CAs it trusts for each.
type configuration struct {
	version  string    // resourceVersion, for a write that fails if anything changed
	injected bool      // cert-manager injects the caBundles
	webhooks []webhook // empty: no webhook is called
}

// webhook is one webhook of the configuration.
type webhook struct {
	name   string
	bundle []byte
	cas    []*x509.Certificate
}

// injectors are the annotations that tell cert-manager's cainjector to write the caBundles.
func injectors() []string {
	return []string{"cert-manager.io/inject-ca-from", "cert-manager.io/inject-ca-from-secret", "cert-manager.io/inject-apiserver-ca"}
}

// readConfiguration takes the needed parts of a configuration.
func readConfiguration(c *admissionv1.ValidatingWebhookConfiguration) *configuration {
	live := &configuration{version: c.ResourceVersion}
	live.injected = slices.ContainsFunc(injectors(), func(key string) bool {
		_, ok := c.Annotations[key]
		return ok
	})
	for _, w := range c.Webhooks {
		cas, _ := decodePEM(w.ClientConfig.CABundle) // anything else in a caBundle will be overwritten
		live.webhooks = append(live.webhooks, webhook{name: w.Name, bundle: w.ClientConfig.CABundle, cas: cas})
	}
	return live
}

// managed says whether there are caBundles to keep up to date.
func (live *configuration) managed() bool {
	return live != nil && !live.injected && len(live.webhooks) > 0
}

// trusts says whether a CA is in the caBundle of every webhook.
func (live *configuration) trusts(c *x509.Certificate) bool {
	return live.managed() && !slices.ContainsFunc(live.webhooks, func(w webhook) bool { return !contains(w.cas, c) })
}

// isWritten says whether the caBundle of every webhook has these bytes.
func (live *configuration) isWritten(bundle []byte) bool {
	return !slices.ContainsFunc(live.webhooks, func(w webhook) bool { return !bytes.Equal(w.bundle, bundle) })
}

// cas returns the CAs of mini-hpa that are in the caBundle of at least one webhook.
func (live *configuration) cas() []*x509.Certificate {
	var all []*x509.Certificate
	if !live.managed() {
		return nil
	}
	for _, w := range live.webhooks {
		all = append(all, w.cas...)
	}
	return slices.DeleteFunc(sorted(all), func(c *x509.Certificate) bool { return !isWebhookCA(c) })
}

// trustedSince returns, for each CA that is in every caBundle, when it was first seen there, given what was seen before.
func (live *configuration) trustedSince(before map[string]time.Time, now time.Time) map[string]time.Time {
	since := map[string]time.Time{}
	for _, c := range live.cas() {
		if !live.trusts(c) {
			continue
		}
		since[string(c.Raw)] = now
		if was, ok := before[string(c.Raw)]; ok {
			since[string(c.Raw)] = was
		}
	}
	return since
}

// verify fails if the caBundle of some webhook does not verify a leaf.
func (live *configuration) verify(served *tls.Certificate, now time.Time) error {
	for _, w := range live.webhooks {
		if _, err := served.Leaf.Verify(x509.VerifyOptions{Roots: pool(w.cas), CurrentTime: now}); err != nil {
			return fmt.Errorf("the caBundle of webhook %s does not verify the certificate that is served: %w", w.name, err)
		}
	}
	return nil
}

// Published is a leaf for others, whose pods mount it: as tls.crt and tls.key, with the CAs that they trust as ca.crt.
type Published struct {
	// Secret is where it is kept, in the namespace of the CA. It is created if it is missing.
	Secret string
	// Hosts are the DNS names and IP addresses that it is for.
	Hosts []string
}

// caFile are the CAs to trust, beside the leaf and its key.
const caFile = "ca.crt"

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
