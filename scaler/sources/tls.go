package sources

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// TLS is how an entry wants connections to be encrypted.
type TLS struct {
	// CAFile holds whom a server's certificate has to be from; without it, whom the system trusts.
	CAFile string `json:"caFile,omitempty"`
	// CertFile and KeyFile are the client's own certificate, where the server wants one.
	CertFile string `json:"certFile,omitempty"`
	KeyFile  string `json:"keyFile,omitempty"`
	// ServerName is whose certificate the server's has to be, if not the host's that is dialled.
	ServerName string `json:"serverName,omitempty"`
	// Insecure says that anybody's certificate will do.
	Insecure bool `json:"insecure,omitempty"`
}

func (t *TLS) check(at *field.Path) field.ErrorList {
	if t == nil {
		return nil
	}
	problems := append(checkPath(t.CAFile, at.Child("caFile")), checkPath(t.CertFile, at.Child("certFile"))...)
	problems = append(problems, checkPath(t.KeyFile, at.Child("keyFile"))...)
	if (t.CertFile == "") != (t.KeyFile == "") {
		problems = append(problems, field.Invalid(at, field.OmitValueType{}, "certFile and keyFile belong together: want both or neither"))
	}
	if t.Insecure && (t.CAFile != "" || t.ServerName != "") {
		problems = append(problems, field.Invalid(at, field.OmitValueType{}, "insecure: true accepts any certificate: want no caFile and no serverName beside it"))
	}
	return problems
}

// warn tells the log, once for each client, what is not safe.
func (t *TLS) warn(env Env) {
	if t != nil && t.Insecure {
		env.Log.Warn("the server's certificate is not checked (insecure: true): whoever is between may read the credentials and answer in its place")
	}
}

// config reads the files and returns the configuration of one connection to a host. It is made again for each connection, so that
// certificates that were renewed count. A nil TLS trusts whom the system trusts.
func (t *TLS) config(env Env, host string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if t == nil {
		return config, nil
	}
	if t.ServerName != "" {
		config.ServerName = t.ServerName
	}
	config.InsecureSkipVerify = t.Insecure // the administrator has written it out, and warn has said what it means
	if t.CAFile != "" {
		text, err := fileOf(env, t.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fault("is not set up: a file of it cannot be read", fmt.Errorf("%s holds no certificate in PEM", t.CAFile))
		}
	}
	if t.CertFile != "" {
		own, err := t.own(env)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

// own is the client's certificate.
func (t *TLS) own(env Env) (tls.Certificate, error) {
	certificate, err := fileOf(env, t.CertFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := fileOf(env, t.KeyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	own, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return tls.Certificate{}, fault("is not set up: a file of it cannot be read", fmt.Errorf("%s and %s: %w", t.CertFile, t.KeyFile, err))
	}
	return own, nil
}
