package recommend

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
	// Settling is for how long there has to be nothing to do until that counts; 0 is at once. Recent is the most that the value was of late, where it was
	// more than it is now, or nil where the source has not been asked for so long yet.
	Settling metav1.Duration    `json:"settling,omitzero"`
	Recent   *resource.Quantity `json:"recent,omitempty"`
}
