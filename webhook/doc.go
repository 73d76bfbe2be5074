// Package webhook is admission: it answers the API server's question whether a Deployment may be stored, with the opinion
// that the controller has, too (annotations.Review), before a mistake in it can do harm.
//
// A handler gathers what the checks need, from memory, and renders their verdict as the API server's own validation would: all
// problems at once, each with its field. The server in front of it, which bounds what a stranger can make it spend, is in the
// package guard, and the certificates of that server are in the package authority.
package webhook
