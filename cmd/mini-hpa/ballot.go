package main

import (
	"context"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// ballot is the lock of one candidacy, from the first try to get the lease to the end of the term that it wins. The
// leader election calls it from one goroutine.
type ballot struct {
	resourcelock.Interface
	// won is what the lease said when it was won; nil before that.
	won *resourcelock.LeaderElectionRecord
	// concede ends the candidacy.
	concede context.CancelFunc
}

// Get reads the lease. A leader that finds another one in it gives up at once: client-go would go on trying, and the
// term with it, until the renew deadline. It happens where this process was stopped for longer than the lease lasts.
func (b *ballot) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := b.Interface.Get(ctx)
	if err == nil && b.won != nil && record.HolderIdentity != b.Identity() {
		b.concede()
	}
	return record, raw, err
}

// Create is the first lease ever.
func (b *ballot) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return b.count(r, b.Interface.Create(ctx, r))
}

// Update takes or renews the lease.
func (b *ballot) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return b.count(r, b.Interface.Update(ctx, r))
}

func (b *ballot) count(r resourcelock.LeaderElectionRecord, err error) error {
	if err == nil && b.won == nil {
		b.won = &r
	}
	return err
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
