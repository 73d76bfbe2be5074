package scaler

import (
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// goesOn is how long writes may be refused before that is reported. Less is normal: somebody else has written at the same time, or a busy
// API server asks to come again later.
const goesOn = 30 * time.Second

// conflicts are the refused writes of a workload since the last one that was not. The zero value is none.
//
// After the first conflict the decision is made again on the cache, which should have the other change by then. If the cache has not
// moved, or the next write conflicts as well, the decision is made on the live object, and the write depends only on its UID and
// its number of replicas. Otherwise frequent changes of a label, on a slow API server, would keep the workload from being scaled for
// ever.
//
// That takes a patch, which a role or a policy may refuse where it allows an update. Then an update on the live version takes its place.
type conflicts struct {
	number int
	since  time.Time
	// met are those that were conflicts, and version is what the last of them was for.
	met     int
	version string
	// unpatched says that a patch was refused since.
	unpatched bool
}

// add counts one and returns it, with how many there were if they go on.
func (c *conflicts) add(err error, version string, now time.Time) error {
	if c.number == 0 {
		c.since = now
	}
	c.number++
	if apierrors.IsConflict(err) {
		c.met++
		c.version = version
	}
	if gone := now.Sub(c.since); gone >= goesOn {
		return fmt.Errorf("turned away %d times in %s: %w", c.number, gone.Round(time.Second), err)
	}
	return err
}

// contended says whether others write so often that the cached version is not worth a write.
func (c *conflicts) contended(cached string) bool {
	return c.met > 1 || c.met == 1 && c.version == cached
}

// condition is the workload as a write is conditional on it: see Scales.
func (c *conflicts) condition(w *annotations.Workload) *annotations.Workload {
	if !c.patches(w.Version) {
		return w
	}
	unversioned := *w
	unversioned.Version = ""
	return &unversioned
}

// patches says whether a write decided on this version is conditional on less than the version.
func (c *conflicts) patches(version string) bool { return c.contended(version) && !c.unpatched }

// refuse notes that a write that was decided on this version was refused for something else than a conflict.
func (c *conflicts) refuse(version string) {
	if c.patches(version) {
		c.unpatched = true
		return
	}
	*c = conflicts{} // an update is refused as well: it does not matter what others write
}

// passing says whether an error is still to be expected to pass.
func (c *conflicts) passing(err error, now time.Time) bool {
	return err != nil && passes(err) && now.Sub(c.since) < goesOn
}
