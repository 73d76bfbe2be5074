package authority

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// target is the live configuration: who calls, and whom they trust.
type target struct {
	version string // resourceVersion, for a write that fails if anything changed
	foreign bool   // somebody else injects the caBundles
	hooks   []hook // empty: nobody calls
}

// hook is one webhook of the configuration.
type hook struct {
	name   string
	bundle []byte
	cas    []*x509.Certificate
}

// injected are the annotations by which cert-manager's cainjector is told to write the caBundles.
func injected() []string {
	return []string{"cert-manager.io/inject-ca-from", "cert-manager.io/inject-ca-from-secret", "cert-manager.io/inject-apiserver-ca"}
}

// readTarget takes of a configuration what is needed here.
func readTarget(c *admissionv1.ValidatingWebhookConfiguration) *target {
	t := &target{version: c.ResourceVersion}
	t.foreign = slices.ContainsFunc(injected(), func(key string) bool {
		_, ok := c.Annotations[key]
		return ok
	})
	for _, w := range c.Webhooks {
		cas, _ := decode(w.ClientConfig.CABundle) // what is no certificate is overwritten
		t.hooks = append(t.hooks, hook{name: w.Name, bundle: w.ClientConfig.CABundle, cas: cas})
	}
	return t
}

// ours says whether there are caBundles to keep.
func (t *target) ours() bool { return t != nil && !t.foreign && len(t.hooks) > 0 }

// holds says whether every webhook trusts a CA.
func (t *target) holds(c *x509.Certificate) bool {
	return t.ours() && !slices.ContainsFunc(t.hooks, func(h hook) bool { return !holds(h.cas, c) })
}

// isWritten says whether every webhook has these bytes.
func (t *target) isWritten(bundle []byte) bool {
	return !slices.ContainsFunc(t.hooks, func(h hook) bool { return !bytes.Equal(h.bundle, bundle) })
}

// cas are the CAs made here that some webhook trusts.
func (t *target) cas() []*x509.Certificate {
	var all []*x509.Certificate
	if !t.ours() {
		return nil
	}
	for _, h := range t.hooks {
		all = append(all, h.cas...)
	}
	return slices.DeleteFunc(ordered(all), func(c *x509.Certificate) bool { return !isOurs(c) })
}

// since says of each CA that every webhook trusts since when that is so, given what was known before.
func (t *target) since(before map[string]time.Time, now time.Time) map[string]time.Time {
	since := map[string]time.Time{}
	for _, c := range t.cas() {
		if !t.holds(c) {
			continue
		}
		since[string(c.Raw)] = now
		if was, ok := before[string(c.Raw)]; ok {
			since[string(c.Raw)] = was
		}
	}
	return since
}

// verify fails if some webhook does not trust a leaf.
func (t *target) verify(served *tls.Certificate, now time.Time) error {
	for _, h := range t.hooks {
		roots := x509.NewCertPool()
		for _, c := range h.cas {
			roots.AddCert(c)
		}
		if _, err := served.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
			return fmt.Errorf("the caBundle of webhook %s does not verify the certificate that is served: %w", h.name, err)
		}
	}
	return nil
}
