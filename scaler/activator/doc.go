// Package activator takes the connections of Services whose workloads sleep, holds them until a pod is ready, and passes them on.
//
//	client -> door -> http1: headers are read   -> a place in the lobby -> a ready pod is dialled -> request, answer
//	                  tcp:   nothing is read                                                      -> bytes, both ways
//
// Nothing is lost that could be kept: a connection is accepted before it is known whether there is a pod, nothing of it is sent before a pod
// has accepted it, and until then the pods are tried in turn. How many wait is bounded for each Service and for all together.
//
// Which Services are served and which pods are ready is told by whoever runs it (Server.Serve, Server.Pods); what is held is told to whoever
// asks (Server.Reports). The package knows no cluster.
package activator
