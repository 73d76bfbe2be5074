// Package serves is what the controller and the activators tell each other: the EndpointSlices that are mini-hpa's own, and the state that
// an activator reports. It is pure: it reads and writes values.
//
// A Service whose workload may sleep has a slice of mini-hpa's beside its own. What is written there has one of three faces:
//
//	Out      no endpoints: nobody is sent to the activators
//	Standby  endpoints that are not ready, but serving and terminating, at the even port: data planes use them while there are no others
//	Active   endpoints that are ready, at the odd port: all new connections go there, or some of them while pods are ready, too
//
// The activators listen on both ports, the doors, from before they are named until nobody comes any more.
package serves
