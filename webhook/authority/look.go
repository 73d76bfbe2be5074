package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// mostActions end a look that does not come to an end: something undoes what it does.
const mostActions = 10

// memory is what outlives a look. Only the goroutine of Run touches it.
type memory struct {
	known  vault                // the last good content of the Secret
	target *target              // the configuration as last read
	since  map[string]time.Time // since when that is seen to hold a CA
	leaf   *leaf                // what is served
}

// errMoved says that somebody else was faster. It is no failure: one looks again.
var errMoved = errors.New("the object changed in between")

// look reads both objects, does what is to be done, and says when to look again. An error says what could not be done; the
// rest was done all the same.
func (a *Authority) look(ctx context.Context) (time.Time, error) {
	s, err := a.gather(ctx)
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
			return p.again, err
		}
	}
}

// gather reads the configuration before the Secret: decide relies on this order.
func (a *Authority) gather(ctx context.Context) (sight, error) {
	m := a.memory
	s := sight{now: time.Now(), known: m.known, since: m.since, leaf: m.leaf, target: m.target, jitter: a.jitter}
	t, targetErr := a.getTarget(ctx)
	if targetErr == nil {
		s.target, s.since = t, t.since(m.since, s.now)
	}
	read, secretErr := a.getSecret(ctx)
	s.secret = read
	return s, errors.Join(targetErr, secretErr)
}

// act does the first thing of a plan that is not done yet, and changes s accordingly. It says whether nothing is left.
func (a *Authority) act(ctx context.Context, s *sight, p plan) (done bool, err error) {
	switch {
	case p.spare:
		s.spare, err = newSigner(s.now, a.config.CALife)
		return err != nil, err
	case p.write != nil:
		if s.secret, err = a.store(ctx, s.secret, *p.write); err == nil {
			a.config.Log.Info("wrote the Secret of the webhook's CA", zap.String("because", p.reason),
				zap.Time("expires", p.write.current.cert.NotAfter))
		}
		s.spare = nil // it is in use, or too old by the time of the next look
		return false, reason(err, p.reason)
	case p.issue != nil:
		err = a.issue(s, p.issue)
		return err != nil, err
	case p.bundle != nil:
		s.published = true
		return false, a.publish(ctx, s, p.bundle)
	}
	return true, nil
}

// reason adds to an error what was to be written, unless somebody else wrote first.
func reason(err error, why string) error {
	if err == nil || errors.Is(err, errMoved) {
		return err
	}
	return fmt.Errorf("%w (%s)", err, why)
}

// issue makes a leaf and serves it from now on.
func (a *Authority) issue(s *sight, by *signer) error {
	made, err := by.issue(a.config.Hosts, s.now, a.config.LeafLife)
	if err != nil {
		return err
	}
	s.leaf = made
	a.served.Store(made.served)
	a.config.Log.Info("serving a new certificate", zap.Time("expires", made.served.Leaf.NotAfter), zap.Strings("hosts", a.config.Hosts))
	return nil
}

// remember keeps what the next look and those who ask have to know.
func (a *Authority) remember(s sight, p plan, err error) {
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
	a.memory = memory{known: p.known, since: s.since, leaf: s.leaf, target: s.target}
	a.view.Store(&view{status: status, target: s.target, err: err})
	var danger error
	if p.danger != "" {
		danger = errors.New(p.danger)
	}
	a.danger.tell(danger)
}

// moved turns the errors of a write that somebody else was faster with into errMoved.
func moved(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("%w: %w", errMoved, err)
	}
	return err
}
