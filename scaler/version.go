package scaler

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Which version of a workload is decided on:
//
//	the cached one   as a rule
//	none             while the cache has not told of a version that is known to exist, such as that of an own write
//	a live one       where it has not told of it for lateWatch, and where writes meet conflicts
//
// A decision on an old version would write a second time, conflict with the first write, and take the process's own change for somebody
// else's.

// lateWatch is how late a watch may bring a version that is known to exist.
const lateWatch = 5 * time.Second

// Origin is where what is in memory comes from.
type Origin interface {
	// Live asks the API server for the workload; nil if it does not exist.
	Live(ctx context.Context, key annotations.Key) (*annotations.Workload, error)
	// Doubt says that the API server has had a version of a workload for so long that the cache should have it.
	Doubt(key annotations.Key, version string)
}

// version is what is known of the versions of a workload.
type version struct {
	// newest is the newest that is known; "" before there is one. over says that it has been written over since.
	newest string
	over   bool
	// stuck is the version that the cache has had since a moment, although a newer one was known.
	stuck string
	since time.Time
}

// meet notes a version that was seen live, or that a write has brought about.
func (v *version) meet(newest string) { v.newest, v.over = newest, false }

// replace notes a write on a version whose new version is not known.
func (v *version) replace(old string) { v.newest, v.over = old, true }

// behind is for how long the cache has had this version although a newer one is known; false if none is.
func (v *version) behind(cached string, now time.Time) (time.Duration, bool) {
	if !v.newerThan(cached) {
		v.stuck = ""
		return 0, false
	}
	if v.stuck != cached {
		v.stuck, v.since = cached, now
	}
	return now.Sub(v.since), true
}

func (v *version) newerThan(cached string) bool {
	order, err := resourceversion.CompareResourceVersion(cached, v.newest)
	if err != nil { // in no order, so only the same is known to be no newer
		return v.over && cached == v.newest
	}
	return order < 0 || order == 0 && v.over
}

// current returns the workload to decide on, given the cached one; contended says that writes on that meet conflicts. If there is none yet,
// it returns when to look again, or the error that prevents it. Where nothing is written, origin is nil and the cached one is good enough.
func (v *version) current(ctx context.Context, origin Origin, cached *annotations.Workload, contended bool, now time.Time) (*annotations.Workload, time.Duration, error) {
	late, behind := v.behind(cached.Version, now)
	switch {
	case !behind && !contended || origin == nil:
		return cached, 0, nil
	case !contended && late < lateWatch:
		return nil, lateWatch - late, nil // the version is on its way
	}
	key := cached.Key
	live, err := origin.Live(ctx, key)
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s, which others change: %w", key.Title(), err)
	}
	if live == nil || live.UID != cached.UID || live.Deleting || !annotations.Selected(live.Annotations) {
		return nil, lateWatch, nil // the watch will say so
	}
	v.meet(live.Version)
	if late >= lateWatch && v.newerThan(cached.Version) {
		origin.Doubt(key, live.Version)
	}
	return live, 0, nil
}
