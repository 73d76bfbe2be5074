// Package wake says when a workload that requests wake may go to sleep, and to whom its Services lead meanwhile. It is functions of values: who
// watches and writes is elsewhere.
//
// Beside the slices that Kubernetes makes of a Service, which lead to its pods, there is one of mini-hpa, which leads to the activators. It has one
// of three faces:
//
//	Out      it leads nobody anywhere
//	Standby  it leads to the activators while no pod is ready: nodes take endpoints that are serving and terminating if they know no ready one
//	Active   it leads to the activators, as it leads to a pod that is ready
//
// Out is the quiet face of most Services, Standby that of those whose requests also wait while there are pods of which none is ready.
//
//	        nothing to do              W later, and still nothing to do
//	Direct -----------------> Closing ---------------------------------> Asleep
//	quiet, pods    <--------- Active, pods                                Active, no pods
//	  ^             something                                               |
//	  |             to do                                                   | something to do
//	  |                                                                     v
//	  +------------------------------------------------------------------ Waking
//	                  W after a pod of the Service is ready               Active, pods that start
//
// W is how long it takes until each node knows of a change (Propagation). A node that knows less sends a request to a pod that is no more, or to
// nobody, so each of the waits is needed:
//
//	before the sleep    or a node that does not know of the activators yet sends to the pod that has ended
//	before the way out  or a node that does not know of the new pod yet finds nobody, or falls back to the old one, which ends
//	of the pod          which goes on accepting for W after it was told to end, or a node that does not know of that yet sends to it. That is the application's part (preStop.sleep)
//
// Where all requests go through the activators there are no such moves: the face is Active, and activators are told of the pods or of none (Told, Workload.Tells).
//
// The tests go through all orders in which this can happen, with the functions of this package.
package wake
