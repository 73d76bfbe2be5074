package explain

import (
	"fmt"

	"github.com/mini-hpa/mini-hpa/scaler"
)

// answer is an explanation, and who gives it.
type answer struct {
	scaler.Explanation
	// source says in a line who gives it.
	source string
	// status is how the workload stands, and history what has happened to it, the oldest first; nil where it was not the controller that answered.
	status  *scaler.Status
	history []scaler.Entry
	// requests is what is known of requests that wake it; nil where it is not known, or they do not.
	requests *scaler.RequestsShown
}

// gist is what has to change for it to be explained again: not how long ago something was.
func (a *answer) gist() string {
	d := &a.Decision
	state := ""
	if a.status != nil {
		state = fmt.Sprint(a.status.State, a.status.Ready)
	}
	return fmt.Sprint(d.Current, d.Desired, d.Active, d.Able, d.Limited, state, len(a.Snapshot.Pods), len(a.history))
}
