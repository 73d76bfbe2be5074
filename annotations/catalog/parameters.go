package catalog

// Parameters are the values of a question, in a form in which equal ones are equal: sorted by key, each as key="value" with the value as a Go
// string, a blank between two of them. Names that begin with "$" are of who asks, and are there only where the answer depends on them.
type Parameters string
