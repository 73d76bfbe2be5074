package recommend

import (
	"fmt"
	"time"
)

// activeFrom is a value, and from where on it is active.
type activeFrom struct {
	value, above int64
	// said is what the source says of it; nil if nothing.
	said *bool
	// settling is for how long the metric must not be active until it counts as not active, where it has not been for so long yet, or that is not
	// known; 0 is at once. recent is the most that the value was of late; nil if that is not known.
	settling time.Duration
	recent   *int64
}

func (a activeFrom) is() bool { return a.isNow() || a.isSettling() }

// isNow says whether it is active by its value alone.
func (a activeFrom) isNow() bool {
	if a.said != nil {
		return *a.said
	}
	return a.value > a.above
}

// isSettling says whether it was active of late, or may have been.
func (a activeFrom) isSettling() bool { return a.wasAbove(a.above) }

// left says whether something is left to do, or was of late, however little.
func (a activeFrom) left() bool { return a.value > 0 || a.wasAbove(0) }

func (a activeFrom) wasAbove(n int64) bool {
	return a.settling > 0 && (a.recent == nil || *a.recent > n)
}

// String says whether it is active, and why: "above 0".
func (a activeFrom) String() string {
	switch {
	case !a.isNow() && a.isSettling() && a.said != nil:
		return fmt.Sprintf("not active, as its source says, but not for %s yet", whole(a.settling))
	case !a.isNow() && a.isSettling():
		return fmt.Sprintf("not above %s, but not for %s yet", decimal(a.above), whole(a.settling))
	case a.said != nil && *a.said:
		return "active, as its source says"
	case a.said != nil:
		return "not active, as its source says"
	case a.is():
		return "above " + decimal(a.above)
	}
	return "not above " + decimal(a.above)
}

// waker is a metric that wakes a workload.
type waker struct {
	metric   string
	replicas int32
	from     activeFrom
}
