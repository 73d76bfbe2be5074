// Package authority keeps the certificates of the admission webhook.
//
// One Secret holds the CA that all replicas share. Every replica issues a short-lived leaf for itself and keeps it in memory
// only. Any replica writes the CAs to trust into the caBundle of the ValidatingWebhookConfiguration. There is no leader: the
// resource versions of the two objects order the writers, and a writer that loses reads again and takes over what the other wrote.
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
// All moments follow from the certificates. The process remembers only one thing more: since when it has seen each CA in the
// live caBundle. API servers need time to see it as well (propagation) before a leaf may depend on it.
//
// To rotate now, delete the Secret: some replica writes the CA back from its memory, together with a new one, which takes over
// as soon as it has propagated. A former CA is trusted until it expires; to end that sooner, remove previous.crt once the new CA
// signs.
//
// The rules are in decide.go, a function of values; ca.go makes and checks certificates; objects.go knows what the two Secrets
// and the configuration say. Run, in authority.go, observes, does the first thing that decide says, and decides again.
package authority

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/wait"
	admissionapply "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	admissioninformers "k8s.io/client-go/informers/admissionregistration/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"
)

const (
	defaultCALife   = 365 * 24 * time.Hour
	defaultLeafLife = 7 * 24 * time.Hour
	// shortestLife keeps the phases of a life apart, as times in certificates are whole seconds.
	shortestLife = 10 * time.Second

	// reconcilesPerSecond and reconcilesAtOnce bound the requests to an API server where somebody keeps undoing what is written.
	reconcilesPerSecond = 2
	reconcilesAtOnce    = 20
)

// Config says where the CA is kept, and for which hosts leaves are issued.
type Config struct {
	// Client reads and writes the two objects. Required. It needs the verbs get, list, watch, create, update and patch on
	// the one Secret, and get, list, watch and patch on the one configuration, both by name.
	Client kubernetes.Interface
	// Namespace and Secret say where the CA is kept. Required. The Secret is created if it is missing; keys of it that
	// are not the CA's are left alone.
	Namespace, Secret string
	// Configuration is the name of the ValidatingWebhookConfiguration whose caBundles are kept up to date. It is never
	// created, and left alone if an annotation tells cert-manager to inject the caBundles. It is empty where the certificates are for no webhook.
	Configuration string
	// ForClient says that leaves are for a client, and Hosts its names.
	ForClient bool
	// Publish is the Secret in which a leaf for others is kept; the zero value is none.
	Publish Published
	// Hosts are the DNS names and IP addresses for which leaves are issued. At least one.
	Hosts []string
	// CALife is how long a CA made from now on is valid. Default 365 days, at least 10s.
	CALife time.Duration
	// LeafLife is how long a leaf is valid, unless its CA expires earlier. Default 7 days, at least 10s.
	LeafLife time.Duration
	// Log gets what happens, but never a key or a certificate. Nil logs nothing.
	Log *zap.Logger
}

// Status is a summary for telemetry.
type Status struct {
	// CA and Leaf are the times at which the CA that signs and the leaf that is served expire; zero while there is none.
	CA, Leaf time.Time
}

// Authority keeps the certificates of one webhook. All methods may be called from any goroutine; one Run at a time.
type Authority struct {
	config      Config
	creator     string        // the field manager with which this process creates the Secret
	jitter      float64       // in [0, 1): spreads the times at which replicas renew their leaves
	changed     chan struct{} // of capacity 1: something changed
	pace        flowcontrol.RateLimiter
	memory      memory
	reconciling *failureLog // failures to read and write
	expiring    *failureLog // failures to get another CA in time

	served atomic.Pointer[tls.Certificate]
	view   atomic.Pointer[view]
}

// view is what Ready and Status answer with. It is never changed once it is stored.
type view struct {
	status        Status
	configuration *configuration
	trusted       []*x509.Certificate
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

// check returns all problems of the configuration as one error.
func (c Config) check() error {
	var errs []error
	if c.Client == nil {
		errs = append(errs, errors.New("there is no Client"))
	}
	for field, name := range map[string]string{"Namespace": c.Namespace, "Secret": c.Secret, "Configuration": c.Configuration, "Publish.Secret": c.Publish.Secret} {
		if isNone := name == "" && (field == "Configuration" || field == "Publish.Secret"); isNone {
			continue
		}
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

// GetCertificate returns the leaf to serve; its type is that of tls.Config's. As long as there is no leaf, the error says why.
func (a *Authority) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if served := a.served.Load(); served != nil {
		return served, nil
	}
	return nil, fmt.Errorf("there is no certificate to serve yet: %w", a.view.Load().reason())
}

// Ready returns nil if the API server can call the webhook: a leaf is served, and every caBundle of the configuration that was
// last read trusts it. Without a configuration no API server calls, and a leaf is enough. Otherwise the error says what is missing.
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

// Client is what a connection to a server is made with that has a published leaf: the own leaf, and trust in the CAs that there are now. It is for one
// connection, as either may change. It fails as long as there is no leaf.
func (a *Authority) Client(server string) (*tls.Config, error) {
	own, err := a.GetCertificate(nil)
	if err != nil {
		return nil, err
	}
	trusted := a.view.Load().trusted
	if len(trusted) == 0 {
		return nil, errors.New("there is no CA to trust yet")
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, ServerName: server, RootCAs: pool(trusted), Certificates: []tls.Certificate{*own}}, nil
}

// Status summarises the certificates.
func (a *Authority) Status() Status { return a.view.Load().status }

// reason says why something is missing.
func (v *view) reason() error {
	if v.err == nil {
		return errors.New("it is being made")
	}
	return v.err
}

const (
	firstRetry = 100 * time.Millisecond
	// longestRetry and longestReconcile are for CAs that live for days. Where a CA's life is short, a slowFraction-th of it is the
	// limit.
	longestRetry     = 30 * time.Second
	longestReconcile = 10 * time.Second
	slowFraction     = 20
	// quietConflicts in a row are normal when replicas agree on a CA; more are logged.
	quietConflicts = 5
)

// Run keeps the certificates until ctx ends and all its goroutines have returned. The last leaf is served even after that. Run may
// be called again after it returned.
func (a *Authority) Run(ctx context.Context) {
	informers, err := a.watches()
	if err != nil { // only if an informer had been started before
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
		a.wait(ctx, pause)
	}
}

// reconcileInTime gives up on an API server that does not answer, because a leaf may have to be renewed meanwhile.
func (a *Authority) reconcileInTime(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, min(longestReconcile, a.config.CALife/slowFraction))
	defer cancel()
	return a.reconcile(ctx)
}

func (a *Authority) backoff() wait.Backoff {
	return wait.Backoff{Duration: firstRetry, Factor: 2, Jitter: 0.5, Steps: math.MaxInt,
		Cap: min(longestRetry, a.config.CALife/slowFraction)}
}

// notify says that something changed. Several calls before the loop looks count as one.
func (a *Authority) notify() {
	select {
	case a.changed <- struct{}{}:
	default: // the loop knows already
	}
}

// wait returns when the pause is over, something changed or ctx ends.
func (a *Authority) wait(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-a.changed:
	}
}

// mostActions bounds a reconciliation, which would not end where somebody keeps undoing what it writes.
const mostActions = 10

// memory is what one reconciliation keeps for the next. Only the goroutine of Run uses it.
type memory struct {
	known         rotation             // the last good content of the Secret
	configuration *configuration       // the configuration as last read
	trustedSince  map[string]time.Time // of each CA that every caBundle holds, when it was first seen there
	leaf          *leaf                // what is served
}

// publish keeps the leaf for others: one that a trusted CA has signed, and that does not expire soon. Its pods see another one after a minute or two, so the
// CAs that are to sign next are in ca.crt long before.
func (a *Authority) publish(ctx context.Context, r rotation) error {
	to := a.config.Publish
	if to.Secret == "" || r.current == nil {
		return nil
	}
	client := a.config.Client.CoreV1().Secrets(a.config.Namespace)
	read, err := client.Get(ctx, to.Secret, metav1.GetOptions{})
	isNew := apierrors.IsNotFound(err)
	if err != nil && !isNew {
		return fmt.Errorf("cannot read the Secret %s: %w", to.Secret, err)
	}
	if !isNew && to.holds(read.Data, r, time.Now()) {
		return nil
	}
	data, err := to.content(r, time.Now(), a.config.LeafLife)
	if err != nil {
		return err
	}
	if isNew {
		_, err = client.Apply(ctx, coreapply.Secret(to.Secret, a.config.Namespace).WithType(corev1.SecretTypeOpaque).WithData(data), metav1.ApplyOptions{FieldManager: a.creator})
	} else {
		object := read.DeepCopy()
		object.Data = data
		_, err = client.Update(ctx, object, metav1.UpdateOptions{FieldManager: fieldManager})
	}
	if err != nil {
		return fmt.Errorf("cannot write the Secret %s: %w", to.Secret, conflict(err))
	}
	a.config.Log.Info("wrote the Secret of the certificate for others")
	return nil
}

// errConflict says that another writer was faster. That is not a failure: the next reconciliation reads what was written.
var errConflict = errors.New("the object changed in between")

// reconcile reads both objects, does what decide says, and returns when to reconcile again. An error says what could not be done;
// everything else was done all the same.
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
			errs = append(errs, a.publish(ctx, p.known))
			err = errors.Join(errs...)
			a.remember(s, p, err)
			return p.recheck, err
		}
	}
}

// observe reads the configuration before the Secret, an order that decide relies on.
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

// act does the first action of a plan and updates s accordingly. It returns true if there is nothing left to do, or no way to go on.
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
		s.prepared = nil // it is in use now, or will be too old at the next reconciliation
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

// reason adds to an error why the Secret was to be written, unless another writer was faster.
func reason(err error, why string) error {
	if err == nil || errors.Is(err, errConflict) {
		return err
	}
	return fmt.Errorf("%w (%s)", err, why)
}

// issue makes a leaf and has it served from now on.
func (a *Authority) issue(s *observed, by *ca) error {
	made, err := by.issue(subject{a.config.Hosts, a.config.ForClient}, s.now, a.config.LeafLife)
	if err != nil {
		return err
	}
	s.leaf = made
	a.served.Store(made.served)
	a.config.Log.Info("serving a new certificate", zap.Time("expires", made.served.Leaf.NotAfter), zap.Strings("hosts", a.config.Hosts))
	return nil
}

// remember stores what the next reconciliation needs, and what Ready and Status answer with.
func (a *Authority) remember(s observed, p plan, err error) {
	status := a.Status()
	if s.leaf != nil {
		status.Leaf = s.leaf.served.Leaf.NotAfter
	}
	if p.known.current != nil {
		status.CA = p.known.current.cert.NotAfter
	}
	a.memory = memory{known: p.known, trustedSince: s.trustedSince, leaf: s.leaf, configuration: s.configuration}
	a.view.Store(&view{status: status, configuration: s.configuration, trusted: p.known.all(), err: err})
	var expiring error
	if p.expiring != "" {
		expiring = errors.New(p.expiring)
	}
	a.expiring.report(expiring)
}

// fieldManager is the field manager that owns the caBundles and no other field of the configuration.
const fieldManager = "mini-hpa"

// getConfiguration reads the configuration. If it does not exist, the result is empty and there is no error.
func (a *Authority) getConfiguration(ctx context.Context) (*configuration, error) {
	if a.config.Configuration == "" {
		return &configuration{}, nil
	}
	read, err := a.config.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, a.config.Configuration, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return &configuration{}, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read the ValidatingWebhookConfiguration %s: %w", a.config.Configuration, err)
	}
	return readConfiguration(read), nil
}

// writeBundle writes the caBundle of every webhook. It fails if the configuration was changed or deleted since it was read.
//
// It uses a strategic merge patch, which finds webhooks by name and never creates a configuration. Server-side apply finds them by
// name as well, but it has to own the names. A chart that is installed with server-side apply (Helm 4) could then neither remove
// nor rename a webhook, because the rest of the old one would be invalid.
func (a *Authority) writeBundle(ctx context.Context, s *observed, bundle []byte) error {
	c := admissionapply.ValidatingWebhookConfiguration(a.config.Configuration).WithResourceVersion(s.configuration.version)
	for _, w := range s.configuration.webhooks {
		c.WithWebhooks(admissionapply.ValidatingWebhook().WithName(w.name).
			WithClientConfig(admissionapply.WebhookClientConfig().WithCABundle(bundle...)))
	}
	patch, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("cannot encode the caBundles: %w", err)
	}
	written, err := a.config.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(ctx, a.config.Configuration,
		types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("cannot write the caBundles of the ValidatingWebhookConfiguration %s: %w", a.config.Configuration, conflict(err))
	}
	s.configuration = readConfiguration(written)
	s.trustedSince = s.configuration.trustedSince(s.trustedSince, time.Now())
	return nil
}

// getSecret reads the Secret. If it does not exist, the result is empty and there is no error.
func (a *Authority) getSecret(ctx context.Context) (*secret, error) {
	read, err := a.config.Client.CoreV1().Secrets(a.config.Namespace).Get(ctx, a.config.Secret, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return &secret{}, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read the Secret %s: %w", a.secretName(), err)
	}
	return readSecret(read, time.Now()), nil
}

// writeSecret writes a rotation into the Secret, unless that has changed since it was read, and returns the new Secret.
func (a *Authority) writeSecret(ctx context.Context, read *secret, r rotation) (*secret, error) {
	data, err := r.content()
	if err != nil {
		return nil, err
	}
	write := a.update
	if read.object == nil {
		write = a.create
	}
	written, err := write(ctx, read.object, data)
	if err != nil {
		return nil, fmt.Errorf("cannot write the Secret %s: %w", a.secretName(), conflict(err))
	}
	return readSecret(written, time.Now()), nil
}

// conflict wraps the errors that a write gets when another writer was faster in errConflict.
func conflict(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("%w: %w", errConflict, err)
	}
	return err
}

func (a *Authority) update(ctx context.Context, object *corev1.Secret, data map[string][]byte) (*corev1.Secret, error) {
	object = object.DeepCopy()
	if object.Data == nil {
		object.Data = map[string][]byte{}
	}
	for _, key := range ownKeys() {
		delete(object.Data, key)
	}
	maps.Copy(object.Data, data)
	return a.config.Client.CoreV1().Secrets(a.config.Namespace).Update(ctx, object, metav1.UpdateOptions{FieldManager: fieldManager})
}

// create creates the Secret by server-side apply, the only way to create that is authorized by name. It does not force, and each
// process has its own field manager. So if two processes create it at once, one of them gets a conflict, because their CAs
// differ.
func (a *Authority) create(ctx context.Context, _ *corev1.Secret, data map[string][]byte) (*corev1.Secret, error) {
	s := coreapply.Secret(a.config.Secret, a.config.Namespace).WithType(corev1.SecretTypeOpaque).WithData(data)
	return a.config.Client.CoreV1().Secrets(a.config.Namespace).Apply(ctx, s, metav1.ApplyOptions{FieldManager: a.creator})
}

func (a *Authority) secretName() string { return a.config.Namespace + "/" + a.config.Secret }

// watches returns the informers that notify of every change of the Secret or the configuration. Each watches one object by name, so
// that a right by name suffices. They only say that something changed: decisions are made on what is read then, which is never
// older than what another replica has seen.
func (a *Authority) watches() ([]cache.SharedIndexInformer, error) {
	var informers []cache.SharedIndexInformer
	watched := map[string]cache.SharedIndexInformer{"watching the Secret " + a.secretName(): coreinformers.NewFilteredSecretInformer(
		a.config.Client, a.config.Namespace, 0, nil, named(a.config.Secret))}
	if a.config.Configuration != "" {
		watched["watching the ValidatingWebhookConfiguration "+a.config.Configuration] = admissioninformers.NewFilteredValidatingWebhookConfigurationInformer(
			a.config.Client, 0, nil, named(a.config.Configuration))
	}
	if a.config.Publish.Secret != "" {
		watched["watching the Secret "+a.config.Publish.Secret] = coreinformers.NewFilteredSecretInformer(a.config.Client, a.config.Namespace, 0, nil, named(a.config.Publish.Secret))
	}
	for what, informer := range watched {
		if err := a.listen(what, informer); err != nil {
			return nil, err
		}
		informers = append(informers, informer)
	}
	return informers, nil
}

// listen prepares an informer that has not been started. The informer keeps only the identity of an object, so that no private key
// is in a cache.
func (a *Authority) listen(what string, informer cache.SharedIndexInformer) error {
	failures := &failureLog{what: what, log: a.config.Log}
	notify := func(any) { a.notify() }
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: notify, UpdateFunc: func(_, changed any) { notify(changed) }, DeleteFunc: notify})
	if err == nil {
		err = informer.SetTransform(identity)
	}
	if err == nil {
		err = informer.SetWatchErrorHandlerWithContext(failures.watchFailed)
	}
	if err != nil {
		return fmt.Errorf("cannot prepare %s: %w", what, err)
	}
	return nil
}

// identity is the transform of the informers: it keeps an object's identity and version only.
func identity(object any) (any, error) {
	o, ok := object.(metav1.Object)
	if !ok {
		return object, nil // a tombstone
	}
	slim := &metav1.PartialObjectMetadata{}
	slim.Name, slim.Namespace, slim.UID, slim.ResourceVersion = o.GetName(), o.GetNamespace(), o.GetUID(), o.GetResourceVersion()
	return slim, nil
}

func named(name string) func(*metav1.ListOptions) {
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	return func(o *metav1.ListOptions) { o.FieldSelector = selector }
}

// reminder is how often something that keeps failing is logged.
const reminder = time.Minute

// failureLog logs failures of one kind: the first, then one a minute, and their end. Any goroutine may report to it.
type failureLog struct {
	what string
	log  *zap.Logger

	mu     sync.Mutex
	logged time.Time // zero while nothing fails
	silent int       // failures since then that were not logged
}

// report notes a failure, or with nil that it works again. Nobody reports that a watch works again.
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

// watchFailed is the watch error handler of an informer. Whatever the error is, the reflector tries again.
func (l *failureLog) watchFailed(ctx context.Context, _ *cache.Reflector, err error) {
	routine := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || apierrors.IsResourceExpired(err)
	if ctx.Err() == nil && !routine {
		l.report(err)
	}
}
