// Package authority keeps the certificates of the admission webhook.
//
// One Secret holds the CA that all replicas share. Every replica issues itself a short-lived leaf, which is in memory and
// nowhere else, and any replica writes the CAs to trust into the caBundle of the ValidatingWebhookConfiguration. Nothing
// is elected: writers are ordered by the resource versions of the two objects, and the one that loses reads again and takes over what the other wrote.
//
// A CA is replaced long before its end, in three phases, so that at every moment every leaf that is served is trusted:
//
//	life of a CA   0 --------- 1/2 --------- 2/3 ------------------ 1
//	ca.crt         | this CA   | this CA     | the new one
//	next.crt       |           | the new one |
//	previous.crt   |           |             | this CA              | nothing
//	caBundle       | this CA   | both        | both                 | the new one
//	leaves         | this CA's | this CA's   | the new one's
//
// All moments derive from the certificates themselves. Beside them one thing is remembered: since when this process has seen a CA in the
// live caBundle. API servers need time to see it too (propagation) before a leaf may depend on it.
//
// Deleting the Secret means to rotate now: the CA comes back from the memory of some replica together with a new one,
// which takes over as soon as it has propagated. A former CA is trusted until it expires; to end that sooner, remove
// previous.crt once the new CA signs.
//
// The rules are in decide.go, a function of values; ca.go makes and checks certificates; objects.go reads, writes and watches the Secret and
// the configuration. Run, in authority.go, observes, does the first thing that decide says, and asks again.
package authority

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"
)

const (
	defaultCALife   = 365 * 24 * time.Hour
	defaultLeafLife = 7 * 24 * time.Hour
	// shortestLife keeps the phases of a life apart: times in certificates are whole seconds.
	shortestLife = 10 * time.Second

	// reconcilesPerSecond and reconcilesAtOnce bound what this costs the API server if somebody keeps undoing what is written.
	reconcilesPerSecond = 2
	reconcilesAtOnce    = 20
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
	config      Config
	creator     string        // the field manager of this process where it creates
	jitter      float64       // in [0, 1): when this replica renews its leaves
	changed     chan struct{} // has room for one: something changed
	pace        flowcontrol.RateLimiter
	memory      memory
	reconciling *failureLog // of reading and writing
	expiring    *failureLog // of getting another CA in time

	served atomic.Pointer[tls.Certificate]
	view   atomic.Pointer[view]
}

// view is what those who ask are told; it is never changed once stored.
type view struct {
	status        Status
	configuration *configuration
	err           error // why the last reconciliation was not complete
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
		changed: make(chan struct{}, 1), pace: flowcontrol.NewTokenBucketRateLimiter(reconcilesPerSecond, reconcilesAtOnce),
		reconciling: &failureLog{what: "keeping the webhook's certificates", log: c.Log},
		expiring:    &failureLog{what: "replacing the webhook's CA", log: c.Log},
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
	if v.configuration == nil {
		return fmt.Errorf("it is not known whom the API server trusts: %w", v.reason())
	}
	return v.configuration.verify(served, time.Now())
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

const (
	firstRetry = 100 * time.Millisecond
	// longestRetry and longestReconcile are for lives of days; shorter lives shorten them to slowFraction of the CA's.
	longestRetry     = 30 * time.Second
	longestReconcile = 10 * time.Second
	slowFraction     = 20
	// quietConflicts in a row are how replicas agree; more are worth a line in the log.
	quietConflicts = 5
)

// Run keeps the certificates until ctx ends. What it served last is served after that too. It may be called again after
// it returned, which it does when nothing is left running.
func (a *Authority) Run(ctx context.Context) {
	informers, err := a.watches()
	if err != nil { // only of informers that were started before
		a.config.Log.Error("changes will be noticed late", zap.Error(err))
	}
	var running sync.WaitGroup
	defer running.Wait()
	for _, informer := range informers {
		running.Go(func() { informer.RunWithContext(ctx) })
	}
	a.loop(ctx)
}

// loop reconciles whenever something changed or is due, at a bounded pace.
func (a *Authority) loop(ctx context.Context) {
	backoff := a.backoff()
	for failures := 0; a.pace.Wait(ctx) == nil; {
		next, err := a.reconcileInTime(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := time.Until(next)
		if err == nil {
			failures, backoff = 0, a.backoff()
		} else {
			failures++
			pause = min(pause, backoff.Step())
		}
		if !errors.Is(err, errConflict) || failures > quietConflicts {
			a.reconciling.report(err)
		}
		a.rest(ctx, pause)
	}
}

// reconcileInTime gives up on an API server that does not answer: a leaf may have to be renewed meanwhile.
func (a *Authority) reconcileInTime(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, min(longestReconcile, a.config.CALife/slowFraction))
	defer cancel()
	return a.reconcile(ctx)
}

func (a *Authority) backoff() wait.Backoff {
	return wait.Backoff{Duration: firstRetry, Factor: 2, Jitter: 0.5, Steps: math.MaxInt,
		Cap: min(longestRetry, a.config.CALife/slowFraction)}
}

// notify says that something changed. Said twice before it is heard, it is heard once.
func (a *Authority) notify() {
	select {
	case a.changed <- struct{}{}:
	default: // it was said already
	}
}

// rest lasts until the pause is over, something changed or ctx ends.
func (a *Authority) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-a.changed:
	}
}

// mostActions end a reconciliation that does not come to an end because something undoes what it writes.
const mostActions = 10

// memory is what is kept from one reconciliation to the next. Only the goroutine of Run touches it.
type memory struct {
	known         rotation             // the last good content of the Secret
	configuration *configuration       // the configuration as last read
	trustedSince  map[string]time.Time // of each CA that every caBundle holds, when it was first seen there
	leaf          *leaf                // what is served
}

// errConflict says that another writer was faster. It is no failure: what is there now is read.
var errConflict = errors.New("the object changed in between")

// reconcile reads both objects, does what is to be done, and says when to do so again. An error says what could not be done; the
// rest was done all the same.
func (a *Authority) reconcile(ctx context.Context) (time.Time, error) {
	s, err := a.observe(ctx)
	errs := []error{err}
	for n := 1; ; n++ {
		p := decide(s)
		done, err := a.act(ctx, &s, p)
		if !done && n == mostActions {
			done, err = true, errors.New("what is written to the API server does not stay")
		}
		errs = append(errs, err)
		if done {
			err = errors.Join(errs...)
			a.remember(s, p, err)
			return p.recheck, err
		}
	}
}

// observe reads the configuration before the Secret: decide relies on this order.
func (a *Authority) observe(ctx context.Context) (observed, error) {
	m := a.memory
	s := observed{now: time.Now(), known: m.known, trustedSince: m.trustedSince, leaf: m.leaf, configuration: m.configuration, jitter: a.jitter}
	live, configurationErr := a.getConfiguration(ctx)
	if configurationErr == nil {
		s.configuration, s.trustedSince = live, live.trustedSince(m.trustedSince, s.now)
	}
	read, secretErr := a.getSecret(ctx)
	s.secret = read
	return s, errors.Join(configurationErr, secretErr)
}

// act does the first thing of a plan that is not done yet, and changes s accordingly. It says whether nothing is left.
func (a *Authority) act(ctx context.Context, s *observed, p plan) (done bool, err error) {
	switch {
	case p.prepare:
		s.prepared, err = newCA(s.now, a.config.CALife)
		return err != nil, err
	case p.write != nil:
		if s.secret, err = a.writeSecret(ctx, s.secret, *p.write); err == nil {
			a.config.Log.Info("wrote the Secret of the webhook's CA", zap.String("because", p.reason),
				zap.Time("expires", p.write.current.cert.NotAfter))
		}
		s.prepared = nil // it is in use, or too old by the time of the next reconciliation
		return false, reason(err, p.reason)
	case p.issue != nil:
		err = a.issue(s, p.issue)
		return err != nil, err
	case p.bundle != nil:
		s.bundleWritten = true
		return false, a.writeBundle(ctx, s, p.bundle)
	}
	return true, nil
}

// reason adds to an error what was to be written, unless somebody else wrote first.
func reason(err error, why string) error {
	if err == nil || errors.Is(err, errConflict) {
		return err
	}
	return fmt.Errorf("%w (%s)", err, why)
}

// issue makes a leaf and serves it from now on.
func (a *Authority) issue(s *observed, by *ca) error {
	made, err := by.issue(a.config.Hosts, s.now, a.config.LeafLife)
	if err != nil {
		return err
	}
	s.leaf = made
	a.served.Store(made.served)
	a.config.Log.Info("serving a new certificate", zap.Time("expires", made.served.Leaf.NotAfter), zap.Strings("hosts", a.config.Hosts))
	return nil
}

// remember keeps what the next reconciliation needs, and what Ready and Status answer.
func (a *Authority) remember(s observed, p plan, err error) {
	status := a.Status()
	if p.known.current != nil && !p.known.current.is(a.memory.known.current) {
		status.Generations++
	}
	if s.leaf != nil && s.leaf != a.memory.leaf {
		status.Leaves++
		status.Leaf = s.leaf.served.Leaf.NotAfter
	}
	if p.known.current != nil {
		status.CA = p.known.current.cert.NotAfter
	}
	a.memory = memory{known: p.known, trustedSince: s.trustedSince, leaf: s.leaf, configuration: s.configuration}
	a.view.Store(&view{status: status, configuration: s.configuration, err: err})
	var expiring error
	if p.expiring != "" {
		expiring = errors.New(p.expiring)
	}
	a.expiring.report(expiring)
}

// conflict turns the errors of a write that another writer came before into errConflict.
func conflict(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("%w: %w", errConflict, err)
	}
	return err
}

// reminder is how often something that keeps failing is logged.
const reminder = time.Minute

// failureLog logs of the failures of one thing the first, then one a minute, and the end. Any goroutine may report to it.
type failureLog struct {
	what string
	log  *zap.Logger

	mu     sync.Mutex
	logged time.Time // zero while nothing fails
	silent int       // failures since then that were not logged
}

// report says how it went. Nil ends the failures; of a watch that is never reported.
func (l *failureLog) report(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil && !l.logged.IsZero():
		l.log.Info(l.what + ": works again")
		l.logged, l.silent = time.Time{}, 0
	case err == nil:
	case !l.logged.IsZero() && now.Sub(l.logged) < reminder:
		l.silent++
	default:
		l.log.Warn(l.what+": fails", zap.Error(err), zap.Int("unreported", l.silent))
		l.logged, l.silent = now, 0
	}
}

// watchFailed is called by a reflector when a list or watch has ended. Whatever the reason is, the reflector tries again.
func (l *failureLog) watchFailed(ctx context.Context, _ *cache.Reflector, err error) {
	routine := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || apierrors.IsResourceExpired(err)
	if ctx.Err() == nil && !routine {
		l.report(err)
	}
}
