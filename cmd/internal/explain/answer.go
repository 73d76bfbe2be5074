package explain

import (
	"fmt"
	"time"

	"github.com/mini-hpa/mini-hpa/scaler"
)

// Answer is an explanation, and who gives it.
type Answer struct {
	scaler.Explanation
	// Source says in a line who gives it, and Told when, by the clock of the controller; Told is zero where it was not the controller that answered.
	Source string
	Told   time.Time
	// Status is how the workload stands, and Chronicle what has happened to it, the oldest first; nil where it was not the controller that answered.
	Status    *scaler.Status
	Chronicle []scaler.Entry
	// Requests is what is known of requests that wake it; nil where it is not known, or they do not.
	Requests *scaler.RequestsShown
}

// gist is what has to change for it to be explained again: not how long ago something was.
func (a *Answer) gist() string {
	d := &a.Decision
	state := ""
	if a.Status != nil {
		state = fmt.Sprint(a.Status.State, a.Status.Ready)
	}
	return fmt.Sprint(d.Current, d.Desired, d.Active, d.Able, d.Limited, state, len(a.Snapshot.Pods), len(a.Chronicle))
}
