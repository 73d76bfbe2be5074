package election

import (
	"bytes"
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// lease is a Lease as it was read.
type lease struct {
	raw    []byte // what it said, to the letter; empty where there is none
	holder string // "" where nobody is in it
	lasts  time.Duration
	since  time.Time // when it was first read like this
}

// candidacy is the lock of one candidacy, from the moment at which the lease seems free to the end of the term that it wins. The leader
// election calls it from one goroutine.
type candidacy struct {
	resourcelock.Interface
	// seen is the lease that nobody holds, as the candidate has read it; empty if there is none.
	seen lease
	// won is what the lease said when it was won; nil before that.
	won *resourcelock.LeaderElectionRecord
	// tenure is told of each renewal, and when the lease is somebody else's.
	tenure *Tenure
	// begin is called when the lease is won.
	begin func()
	// concede ends the candidacy.
	concede context.CancelFunc
}

// Get reads the lease. If somebody else is in it, the candidacy ends at once: a candidate goes back to watching the lease, and a leader
// has been stopped for longer than the lease lasts. client-go would let that leader try, and its term go on, until the renew deadline.
// A lease that has run out is shown to client-go as one that nobody holds. Otherwise it would first watch it for as long as a lease lasts.
func (b *candidacy) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := b.Interface.Get(ctx)
	if err != nil || record.HolderIdentity == "" || record.HolderIdentity == b.Identity() {
		return record, raw, err
	}
	if b.won == nil && bytes.Equal(raw, b.seen.raw) {
		record.HolderIdentity = ""
		return record, raw, nil
	}
	b.lost()
	return record, raw, nil
}

// Create makes the lease, where there has never been one.
func (b *candidacy) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	sent := b.tenure.Clock()
	return b.count(sent, r, b.Interface.Create(ctx, r))
}

// Update takes or renews the lease.
func (b *candidacy) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	sent := b.tenure.Clock()
	return b.count(sent, r, b.Interface.Update(ctx, r))
}

func (b *candidacy) count(sent moment, r resourcelock.LeaderElectionRecord, err error) error {
	switch {
	case err == nil:
		b.tenure.Renew(sent)
		if b.won == nil {
			b.won = &r
			b.begin()
		}
	case b.won == nil && (apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)):
		b.lost() // to a faster one
	}
	return err
}

func (b *candidacy) lost() {
	b.tenure.end()
	b.concede()
}

// sameReign says whether nobody else held the lease between two wins of this process. A candidate that finds itself in
// the lease keeps the time of acquisition and the number of transitions; everybody else changes them.
//
//	lease:  |-- we, t=5 --|  expired  |-- we, t=5 --|      one reign
//	lease:  |-- we, t=5 --|-- they, t=6 --|-- we, t=7 --|  two
func sameReign(before, now *resourcelock.LeaderElectionRecord) bool {
	const stored = time.Microsecond // a Lease holds no finer time, the record of a win does
	return before.LeaderTransitions == now.LeaderTransitions &&
		before.AcquireTime.Truncate(stored).Equal(now.AcquireTime.Truncate(stored))
}
