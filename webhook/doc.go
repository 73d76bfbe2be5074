// Package webhook is admission: it answers the API server's question whether a workload may be stored. It asks the same
// checks as the controller (annotations.Review), so that a mistake is refused before it can do harm.
//
// A handler gathers what the checks need, from memory, and renders their verdict as the API server's own validation would: all
// problems at once, each with its field. The package guard is the server in front of it and bounds what a stranger can make it
// spend, sampled the log of both; the package authority has the certificates of that server.
package webhook
