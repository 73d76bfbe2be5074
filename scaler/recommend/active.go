package recommend

// activeFrom is a value, and from where on it is active.
type activeFrom struct {
	value, above int64
	// said is what the source says of it; nil if nothing.
	said *bool
}

func (a activeFrom) is() bool {
	if a.said != nil {
		return *a.said
	}
	return a.value > a.above
}

// String says whether it is active, and why: "above 0".
func (a activeFrom) String() string {
	switch {
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
