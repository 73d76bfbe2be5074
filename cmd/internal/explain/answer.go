package explain

import "github.com/mini-hpa/mini-hpa/scaler"

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
