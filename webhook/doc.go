// Package webhook is admission: it answers the API server's question whether a Deployment may be stored, with the opinion
// that the controller has, too (annotations.Review), before a mistake in it can do harm.
//
// A handler gathers what the checks need, from memory, and renders their verdict as the API server's own validation would: all
// problems at once, each with its field. Around it, a server that bounds what a stranger can make it spend, and that ends
// without dropping a request. Its certificates are in the package authority.
package webhook
