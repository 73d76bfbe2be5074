package annotations

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Defaults are what the administrator sets for all workloads by flags. A workload's annotations override all but the last.
type Defaults struct {
	// Tolerance is a fraction of the target: 0.1 is 10 %.
	Tolerance resource.Quantity
	// ScaleDownStabilization is the window of scale-down, in whole seconds.
	ScaleDownStabilization time.Duration
	// WarmUp is how long a pod may use more than its share of the load after it has become ready.
	WarmUp time.Duration
	// SyncPeriod is the longest time between two looks of a workload.
	SyncPeriod time.Duration
	// MinSyncPeriod is the shortest sync period that an annotation may ask for.
	MinSyncPeriod time.Duration

	documents *documents // nil remembers nothing
}

// Remembering returns Defaults whose Parse and Review remember the documents that they have read, for a caller that reads the same ones
// again and again. Only one goroutine may use them at a time.
func (d Defaults) Remembering() Defaults {
	d.documents = &documents{}
	return d
}

// DefaultDefaults returns the values of the HPA controller's flags (--horizontal-pod-autoscaler-tolerance,
// -downscale-stabilization and -sync-period), no warm-up, which the HPA does not know, and 1 s as the shortest sync period.
func DefaultDefaults() Defaults {
	return Defaults{
		Tolerance:              *resource.NewMilliQuantity(100, resource.DecimalSI),
		ScaleDownStabilization: 5 * time.Minute,
		SyncPeriod:             15 * time.Second,
		MinSyncPeriod:          time.Second,
	}
}

// Validate holds the administrator's values to the limits that annotations have. Parse takes them as they are. The error
// names every field that is out of its limits and says what is allowed.
func (d Defaults) Validate() error {
	var errs []error
	demand := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	demand(d.Tolerance.Sign() >= 0, "tolerance %s must not be negative", d.Tolerance.String())
	window := d.ScaleDownStabilization
	demand(window >= 0 && window <= maxStabilization && window%time.Second == 0,
		"scale-down stabilization %v must be in whole seconds from 0s to %v", window, maxStabilization)
	demand(d.WarmUp >= 0 && d.WarmUp <= maxWarmUp, "warm-up %v must be from 0s to %v", d.WarmUp, maxWarmUp)
	demand(d.MinSyncPeriod > 0, "shortest sync period %v must be above 0s", d.MinSyncPeriod)
	demand(d.MinSyncPeriod <= d.SyncPeriod && d.SyncPeriod <= maxSyncPeriod,
		"sync period %v must be from %v to %v", d.SyncPeriod, d.MinSyncPeriod, maxSyncPeriod)
	return errors.Join(errs...)
}
