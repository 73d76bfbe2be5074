package metrics

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// take makes the items of a LIST the newest samples.
func (f *Feed) take(items []sample.Pod, o observation) reading {
	r := reading{
		old: *f.snapshot.Load(), gone: f.vanished, sent: o.sent, now: o.done, keep: f.config.Keep, began: f.schedule.set.began,
		patience: 2 * max(f.schedule.period(), f.config.Resolution),
	}
	r.read(items)
	f.vanished = r.goneNext
	next := r.next // not &r.next, which would keep the whole reading, and with it the samples before
	f.snapshot.Store(&next)

	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Pods = len(r.next)
	if !r.newest.IsZero() {
		f.status.Newest = r.newest
	}
	return r
}

// tell reports a good LIST.
func (f *Feed) tell(changed []types.NamespacedName, now time.Time) {
	f.mu.Lock()
	var recovered bool
	f.health, recovered = f.health.with(nil)
	f.status.LastSuccess = now
	f.mu.Unlock()
	if recovered {
		f.config.OnState(nil)
	}
	if len(changed) > 0 {
		f.config.OnSamples(changed)
	}
}

// failed reports a LIST without an answer and returns its failure, with the text that repetitions of it share.
func (f *Feed) failed(why *failure) error {
	f.mu.Lock()
	var changed bool
	f.health, changed = f.health.with(why)
	f.status.Failures++
	why = f.health.last
	f.mu.Unlock()
	if changed {
		f.config.OnState(why)
	}
	return why
}

// tellUnreadable reports samples that could not be read.
func (f *Feed) tellUnreadable(list Listing) {
	f.mu.Lock()
	before := f.status.Unreadable
	f.status.Unreadable = list.Unreadable
	f.mu.Unlock()
	switch {
	case list.Unreadable > 0 && before == 0:
		f.config.OnUnreadable(fmt.Errorf("the resource metrics API (metrics.k8s.io) has %d samples that cannot be read; the first is that of %w", list.Unreadable, list.Why))
	case list.Unreadable == 0 && before > 0:
		f.config.OnUnreadable(nil)
	}
}
