package scaler

import (
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// goesOn is how long writes may be turned away before that is told. Shorter than that they are everyday life: somebody else has
// written at the same time, or an API server that has much to do asks to come again later.
const goesOn = 30 * time.Second

// conflicts are the writes of a workload that were turned away since the last one that was not. The zero value is none.
//
// The first is tried again on what the cache has then, by which time it should have the change of the other one. If the cache has not
// moved, or somebody was first again, what is live is decided on, and the write does not depend any more on everything about the Deployment
// but on what was decided on: that it is the same, with the same number of replicas. Otherwise labels that somebody
// else changes often, on an API server that is slow, would keep the workload from being scaled for ever.
//
// That takes a patch, which may be refused where an update is not, by a role or a policy. Then the version of what is live has to do.
type conflicts struct {
	number int
	since  time.Time
	// met are those that were conflicts, and version is what the last of them was for.
	met     int
	version string
	// unpatched says that a patch was refused since.
	unpatched bool
}

// passes says whether an error is one that passes by itself.
func passes(err error) bool { return apierrors.IsConflict(err) || apierrors.IsTooManyRequests(err) }

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

// condition is the Deployment as a write is conditional on it: see Scales.
func (c *conflicts) condition(w *annotations.Workload) *annotations.Workload {
	if !c.patches(w.Version) {
		return w
	}
	any := *w
	any.Version = ""
	return &any
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
