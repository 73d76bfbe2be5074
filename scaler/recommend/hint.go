package recommend

import "k8s.io/apimachinery/pkg/api/resource"

// Hint is what a source says of a line of mini-hpa/sources beside its value. The zero value is nothing.
type Hint struct {
	// Limit is how many replicas the value is of use to, such as the partitions of a topic; 0 is no limit. Because says in words what limits
	// them, with the number.
	Limit   int32  `json:"limit,omitempty"`
	Because string `json:"because,omitempty"`
	// Passing says that the limit comes and goes with the value.
	Passing bool `json:"passing,omitempty"`
	// Active says whether there is something to do, where that is not the same as a value above the line's threshold.
	Active *bool `json:"active,omitempty"`
	// Target is the source's own for each pod, for a line without one.
	Target *resource.Quantity `json:"target,omitempty"`
}
