// Package election says which of several replicas works, and until when it may write: a lease that one of them holds, and a tenure that ends before
// anybody else can have it.
package election

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2"
)

// wedged is how long after its lease has expired a leader may still try to end its term before /healthz fails and the
// kubelet restarts it; kube-controller-manager has the same.
const wedged = 20 * time.Second

// Leadership competes for a lease for as long as the process lives, and works while it holds it.
//
//	watch the lease <------lost, or somebody was faster------+
//	  |                                                      |
//	  +--free--> take it --won--> term --lost--> wait for the term's end
//	                                   --told to end--> wait for the term's end --> release the lease
type Leadership struct {
	Flags    Flags
	Client   coordinationv1client.LeasesGetter
	identity string
	// Term works until its context ends, and returns when nothing works any more.
	Term func(ctx context.Context)
	// Forget is called before a term if another process led since the last one.
	Forget func()
	// Tenure is for how long writes are allowed.
	Tenure *Tenure
	// watchdog reports a leader that neither renews its lease nor ends its term.
	watchdog *leaderelection.HealthzAdaptor
	Log      *zap.Logger

	seen   lease                              // the lease as it was last read
	last   *resourcelock.LeaderElectionRecord // what it said when it was last won
	ending atomic.Pointer[time.Time]          // since when a term that has lost its lease is ending
}

// New completes a leadership, of which the flags, the client, the term, forget, the tenure and the log are given.
func New(l *Leadership) (*Leadership, error) {
	name, err := identity()
	if err != nil {
		return nil, err
	}
	l.identity, l.watchdog = name, leaderelection.NewLeaderHealthzAdaptor(wedged)
	return l, nil
}

// Identity is this process' name in the lease: that of its pod, or else its host, and what tells it from others there.
func (l *Leadership) Identity() string { return l.identity }

// Renews fails where the lease is held but could not be renewed for too long, and was not given up either.
func (l *Leadership) Renews(r *http.Request) error { return l.watchdog.Check(r) }

// Run competes until ctx ends. When it returns no term runs, and the lease is free for others.
func (l *Leadership) Run(ctx context.Context) error {
	if !l.Flags.Enabled {
		l.Term(ctx)
		return nil
	}
	ctx = klog.NewContext(ctx, zapr.NewLogger(l.Log)) // where client-go's election logs
	defer l.release(context.WithoutCancel(ctx))
	for ctx.Err() == nil {
		if err := l.compete(ctx); err != nil {
			return err
		}
	}
	return nil
}

// awaitFree returns when nobody else holds the lease, or when ctx ends. client-go looks every 2 to 4.4 s, at random, after a lease has
// run out as well as before; here it is read once in a retry period, and at the moment at which it runs out. It has run out when it
// has said the same for as long as it lasts, by our own clock: nobody else's counts.
//
//	leader      renews  killed
//	            |       |
//	standby         a       b       c                      d    reads it
//	                |       |       |          ...         |
//	                |<------ what the lease lasts -------->| free
func (l *Leadership) awaitFree(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		asked := time.Now() // what is read is no older
		err := l.read(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			l.Log.Warn("cannot read the lease", zap.Error(err))
		}
		if failing = err != nil; !failing && l.free(asked) {
			return
		}
		pause := l.Flags.RetryPeriod
		if rest := l.seen.lasts - time.Since(l.seen.since); !failing && rest > 0 {
			pause = min(pause, rest)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// read looks at the lease.
func (l *Leadership) read(ctx context.Context) error {
	record, raw, err := l.lock().Get(ctx)
	if apierrors.IsNotFound(err) {
		l.seen = lease{since: time.Now()}
		return nil
	}
	if err != nil || len(l.seen.raw) > 0 && bytes.Equal(raw, l.seen.raw) {
		return err
	}
	if record.HolderIdentity != "" && record.HolderIdentity != l.seen.holder {
		l.Log.Info("leader observed", zap.String("identity", record.HolderIdentity))
	}
	l.seen = lease{raw: raw, holder: record.HolderIdentity, lasts: time.Duration(record.LeaseDurationSeconds) * time.Second, since: time.Now()}
	return nil
}

// free says whether nobody else held the lease, as it was last read, at a moment.
func (l *Leadership) free(at time.Time) bool {
	return l.seen.holder == "" || l.seen.holder == l.identity || at.Sub(l.seen.since) >= l.seen.lasts
}

// compete is one candidacy: it waits until the lease is free, takes it, works while it can renew it, and returns when the work has
// ended.
func (l *Leadership) compete(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	b := &candidacy{Interface: l.lock(), tenure: l.Tenure, concede: cancel}
	ended := make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(l.config(b, func(ctx context.Context) {
		defer close(ended)
		l.lead(ctx, b.won)
	}))
	if err != nil {
		return fmt.Errorf("cannot take part in the leader election: %w", err)
	}
	l.awaitFree(ctx)
	b.seen, b.begin = l.seen, func() { l.watchdog.SetLeaderElection(elector) }
	elector.Run(ctx)
	if b.won != nil {
		now := time.Now()
		l.ending.Store(&now)
		<-ended
		l.Tenure.end()
		l.watchdog.SetLeaderElection(nil)
		l.ending.Store(nil)
	}
	return nil
}

// EndsTerms fails where a term goes on without its lease: something in it neither ends nor has a deadline.
func (l *Leadership) EndsTerms() error {
	if since := l.ending.Load(); since != nil && time.Since(*since) > wedged {
		return fmt.Errorf("a term has not ended %s after it lost its lease", time.Since(*since).Truncate(time.Second))
	}
	return nil
}

// lead is one term.
func (l *Leadership) lead(ctx context.Context, won *resourcelock.LeaderElectionRecord) {
	if l.last != nil && !sameReign(l.last, won) {
		l.Log.Info("another process led in between; forgetting what is known from before")
		l.Forget()
	}
	l.last = won
	l.Log.Info("term begins", zap.String("identity", l.identity))
	l.Term(ctx)
	l.Log.Info("term has ended", zap.String("identity", l.identity))
}

func (l *Leadership) lock() resourcelock.Interface {
	return &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: l.Flags.Namespace, Name: l.Flags.name},
		Client:     l.Client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: l.identity},
	}
}

// config leaves the release to leadership.release: client-go's own gives the lease away, or spends up to another renew
// deadline trying to, before it even tells the term to end.
func (l *Leadership) config(lock resourcelock.Interface, lead func(context.Context)) leaderelection.LeaderElectionConfig {
	return leaderelection.LeaderElectionConfig{
		Lock: lock, Name: l.Flags.name, WatchDog: l.watchdog, ReleaseOnCancel: false,
		LeaseDuration: l.Flags.leaseDuration, RenewDeadline: l.Flags.RenewDeadline, RetryPeriod: l.Flags.RetryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: lead,
			OnStoppedLeading: func() {},
		},
	}
}

// release gives the lease away, if it is still held, so that the next process need not wait until it expires.
func (l *Leadership) release(ctx context.Context) {
	if l.last == nil {
		return // never held
	}
	ctx, cancel := context.WithTimeout(ctx, l.Flags.RenewDeadline)
	defer cancel()
	lock := l.lock()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		record, _, err := lock.Get(ctx)
		if err != nil || record.HolderIdentity != l.identity {
			return err
		}
		now := metav1.NewTime(time.Now())
		return lock.Update(ctx, resourcelock.LeaderElectionRecord{LeaderTransitions: record.LeaderTransitions,
			LeaseDurationSeconds: 1, AcquireTime: now, RenewTime: now})
	})
	if err != nil {
		l.Log.Warn("cannot release the lease; it expires by itself", zap.Error(err))
	}
}
