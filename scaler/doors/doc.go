// Package doors leads the requests of workloads that sleep to the activators, and knows what goes on there.
//
// For each Service that wakes a workload there is an EndpointSlice of mini-hpa (annotations/serves), whose face follows from what is decided (scaler/wake).
// A Keeper writes it, and nobody else does: what it has written counts, before a watch brings it. It follows the state of each activator, which says whether
// it listens, and what is held and under way there.
//
//	decision --> Keeper.Lead --> EndpointSlice --> activators
//	    ^            ^                                 |
//	    |            +------ listening -----------------+
//	    +------ held, in flight -------------------------+
package doors
