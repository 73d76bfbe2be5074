package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/keyutil"
)

// Keys of the Secret's data. Others are left alone.
const (
	currentName  = "ca"   // .crt and .key of the CA that signs
	nextName     = "next" // .crt and .key of the CA that is being made known
	previousFile = "previous.crt"
)

// weakest is the size in bits of the smallest curve that a CA may use.
const weakest = 256

// vault is what the Secret means.
type vault struct {
	current  *signer             // signs; nil if the Secret has no good one
	next     *signer             // will sign; nil most of the time
	previous []*x509.Certificate // signed once, and trusted until they expire
}

// secret is the Secret as it was read.
type secret struct {
	vault
	object *corev1.Secret // nil if it does not exist
	faults []string       // what is wrong with it, without its content
}

// readSecret takes what is good, and says what is not.
func readSecret(object *corev1.Secret, now time.Time) *secret {
	s, data := &secret{object: object}, object.Data
	var currentErr, nextErr error
	s.current, currentErr = readSigner(data, currentName, now)
	s.next, nextErr = readSigner(data, nextName, now)
	for _, err := range []error{currentErr, nextErr} {
		if err != nil {
			s.faults = append(s.faults, err.Error())
		}
	}
	if s.next.is(s.current) {
		s.next = nil
	}
	all, bad := decode(data[previousFile])
	for _, c := range all {
		if isOurs(c) {
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

// readSigner reads a CA that can sign now. Without a trace of one it is nil without an error.
func readSigner(data map[string][]byte, name string, now time.Time) (*signer, error) {
	crt, key := data[name+".crt"], data[name+".key"]
	if len(crt) == 0 && len(key) == 0 {
		return nil, nil
	}
	all, bad := decode(crt)
	if len(all) != 1 || bad > 0 {
		return nil, fmt.Errorf("%s.crt is not one PEM certificate", name)
	}
	s, err := pair(all[0], key)
	if err == nil && !s.good(now) {
		err = fmt.Errorf("it expired at %s", s.cert.NotAfter.Format(time.RFC3339))
	}
	if err != nil {
		return nil, fmt.Errorf("%s.crt and %s.key are no CA to sign with: %w", name, name, err)
	}
	return s, nil
}

// pair puts a certificate and its key together. No error repeats what it read.
func pair(c *x509.Certificate, text []byte) (*signer, error) {
	parsed, err := keyutil.ParsePrivateKeyPEM(text)
	if err != nil {
		return nil, errors.New("the key is not PEM")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	switch {
	case !ok:
		return nil, errors.New("the key is not for ECDSA")
	case key.Curve.Params().BitSize < weakest:
		return nil, errors.New("the key is weak")
	case !key.PublicKey.Equal(c.PublicKey):
		return nil, errors.New("the key is not that of the certificate")
	case !isOurs(c):
		return nil, errors.New("the certificate is not a webhook CA's")
	case c.CheckSignatureFrom(c) != nil:
		return nil, errors.New("the certificate is not signed by itself")
	}
	return &signer{cert: c, key: key}, nil
}

// all are the CAs to trust, the oldest first.
func (v vault) all() []*x509.Certificate {
	all := slices.Clone(v.previous)
	for _, s := range []*signer{v.current, v.next} {
		if s != nil {
			all = append(all, s.cert)
		}
	}
	return ordered(all)
}

// bundle is what belongs into each caBundle.
func (v vault) bundle() []byte { return encode(v.all()...) }

// content is what belongs into the Secret.
func (v vault) content() (map[string][]byte, error) {
	data := map[string][]byte{}
	for name, s := range map[string]*signer{currentName: v.current, nextName: v.next} {
		if s == nil {
			continue
		}
		key, err := keyutil.MarshalPrivateKeyToPEM(s.key)
		if err != nil {
			return nil, fmt.Errorf("cannot encode the key of a CA: %w", err)
		}
		data[name+".crt"], data[name+".key"] = encode(s.cert), key
	}
	if len(v.previous) > 0 {
		data[previousFile] = encode(v.previous...)
	}
	return data, nil
}

// ownKeys are the keys of the Secret that are written here.
func ownKeys() []string {
	return []string{currentName + ".crt", currentName + ".key", nextName + ".crt", nextName + ".key", previousFile}
}

// differs says whether the Secret has to be written to mean v. Only certificates and faults count: a key that is encoded
// in another way is the same key.
func (s *secret) differs(v vault) bool {
	same := func(a, b *signer) bool { return a == b || a.is(b) }
	return len(s.faults) > 0 || !same(s.current, v.current) || !same(s.next, v.next) ||
		!bytes.Equal(encode(s.previous...), encode(v.previous...))
}
