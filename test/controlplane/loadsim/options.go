package loadsim

import (
	"fmt"
	"time"
)

// Options say how samples are taken. The zero Options are those of metrics-server's defaults.
type Options struct {
	// Period is the time between two sample sets; 0 means 15s (metrics-server --metric-resolution), the least is 1s,
	// because timestamps have whole seconds on the wire and equal timestamps mean that nothing is new.
	Period time.Duration
	// Window is the time over which usage is averaged; 0 means the Period. A younger pod's window is its age.
	Window time.Duration
	// FirstSample is how long a pod must have run before it has a sample. 0 means 10s or the Period, whichever is less:
	// what comes of metrics-server wanting two points, or one of a container older than 10s. Negative means from the
	// first tick on; the Window means one full window.
	FirstSample time.Duration
	// Report is told what goes wrong while the server runs, such as a load that cannot be read; nil drops it. It may be
	// called from several goroutines.
	Report func(error)
}

// freshContainer is metrics-server's freshContainerMinMetricsResolution (pkg/storage/pod.go).
const freshContainer = 10 * time.Second

// complete fills in the defaults.
func (o Options) complete() (Options, error) {
	if o.Period == 0 {
		o.Period = 15 * time.Second
	}
	if o.Window == 0 {
		o.Window = o.Period
	}
	if o.FirstSample == 0 {
		o.FirstSample = min(o.Period, freshContainer)
	}
	if o.Report == nil {
		o.Report = func(error) {}
	}
	if o.Period < time.Second || o.Window < 0 {
		return o, fmt.Errorf("sampling every %s over %s is not possible: want a period of at least 1s and a positive window", o.Period, o.Window)
	}
	return o, nil
}
