package authority

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"
)

const (
	defaultCALife   = 365 * 24 * time.Hour
	defaultLeafLife = 7 * 24 * time.Hour
	// shortestLife keeps the phases of a life apart: times in certificates are whole seconds.
	shortestLife = 10 * time.Second

	// looksPerSecond and looksAtOnce bound what this costs the API server if somebody keeps undoing what is written.
	looksPerSecond = 2
	looksAtOnce    = 20
)

// Config says where the CA is kept, and whom its leaves are for.
type Config struct {
	// Client reads and writes the two objects. Required. It needs the verbs get, list, watch, create, update and patch on
	// the one Secret, and get, list, watch and patch on the one configuration, both by name.
	Client kubernetes.Interface
	// Namespace and Secret say where the CA is kept. Required. The Secret is created if it is missing; keys of it that
	// are not the CA's are left alone.
	Namespace, Secret string
	// Configuration is the name of the ValidatingWebhookConfiguration whose caBundles are kept. Required. It is never
	// created, and left alone if an annotation tells cert-manager to inject the caBundles.
	Configuration string
	// Hosts are the DNS names and IP addresses that leaves are for. At least one.
	Hosts []string
	// CALife is how long a CA made from now on is valid. Default 365 days, at least 10s.
	CALife time.Duration
	// LeafLife is how long a leaf is valid; none outlives its CA. Default 7 days, at least 10s.
	LeafLife time.Duration
	// Log is told what happens, never a key or a certificate. Nil logs nothing.
	Log *zap.Logger
}

// Status is a summary for telemetry.
type Status struct {
	// CA and Leaf are when the CA that signs and the leaf that is served expire; zero while there is none.
	CA, Leaf time.Time
	// Generations counts the CAs that this process has seen sign, Leaves those it issued.
	Generations, Leaves int
}

// Authority keeps the certificates of one webhook. All methods may be called from any goroutine; one Run at a time.
type Authority struct {
	config  Config
	creator string  // the field manager of this process where it creates
	jitter  float64 // in [0, 1): when this replica renews its leaves
	bell    bell    // rung when something changed
	pace    flowcontrol.RateLimiter
	memory  memory
	looking *outage // of reading and writing
	danger  *outage // of getting another CA in time

	served atomic.Pointer[tls.Certificate]
	view   atomic.Pointer[view]
}

// view is what those who ask are told; it is never changed once stored.
type view struct {
	status Status
	target *target
	err    error // why the last look was not complete
}

// New checks the configuration without contacting the API server. The error names each field that cannot be used.
func New(c Config) (*Authority, error) {
	c.CALife, c.LeafLife = cmp.Or(c.CALife, defaultCALife), cmp.Or(c.LeafLife, defaultLeafLife)
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("the webhook's certificates cannot be kept: %w", err)
	}
	a := &Authority{
		config: c, creator: fieldManager + "-" + utilrand.String(10), jitter: rand.Float64(),
		bell: make(bell, 1), pace: flowcontrol.NewTokenBucketRateLimiter(looksPerSecond, looksAtOnce),
		looking: &outage{what: "keeping the webhook's certificates", log: c.Log},
		danger:  &outage{what: "replacing the webhook's CA", log: c.Log},
	}
	a.view.Store(&view{err: errors.New("the API server was not asked yet")})
	return a, nil
}

// check fails with all that is wrong.
func (c Config) check() error {
	var errs []error
	if c.Client == nil {
		errs = append(errs, errors.New("there is no Client"))
	}
	for field, name := range map[string]string{"Namespace": c.Namespace, "Secret": c.Secret, "Configuration": c.Configuration} {
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
			errs = append(errs, fmt.Errorf("%s is %q: %s", field, name, problems[0]))
		}
	}
	if len(c.Hosts) == 0 {
		errs = append(errs, errors.New("there are no Hosts"))
	}
	for _, host := range c.Hosts {
		if problems := validation.IsDNS1123Subdomain(host); len(problems) > 0 && net.ParseIP(host) == nil {
			errs = append(errs, fmt.Errorf("the host %q is no DNS name and no IP address: %s", host, problems[0]))
		}
	}
	if c.CALife < shortestLife || c.LeafLife < shortestLife {
		errs = append(errs, fmt.Errorf("a life of %s and %s is too short: at least %s", c.CALife, c.LeafLife, shortestLife))
	}
	return errors.Join(errs...)
}

// GetCertificate returns the leaf to serve; it fits tls.Config. While there is none yet, the error says why.
func (a *Authority) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if served := a.served.Load(); served != nil {
		return served, nil
	}
	return nil, fmt.Errorf("there is no certificate to serve yet: %w", a.view.Load().reason())
}

// Ready is nil if the API server can call: a leaf is served, and every webhook of the configuration trusts it as far as
// this process has seen. Without a configuration nobody calls, and a leaf is enough. Else the error says what is missing.
func (a *Authority) Ready() error {
	served, err := a.GetCertificate(nil)
	if err != nil {
		return err
	}
	v := a.view.Load()
	if v.target == nil {
		return fmt.Errorf("it is not known whom the API server trusts: %w", v.reason())
	}
	return v.target.verify(served, time.Now())
}

// Status summarises the certificates.
func (a *Authority) Status() Status { return a.view.Load().status }

// reason is why something is missing.
func (v *view) reason() error {
	if v.err == nil {
		return errors.New("it is being made")
	}
	return v.err
}
