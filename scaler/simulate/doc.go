// Package simulate closes the loop around the recommender: a load, pods that share it, a metrics API that tells of it
// late, and a Deployment controller that does at once what was decided. It shows what annotations do, without a cluster.
// The load is CPU that is asked for, or messages that wait until pods serve them.
//
//	Load -> pods -> samples -> recommend.Snapshot -> trace.Replay -> replicas
//	          ^                                                         |
//	          +---------------------------------------------------------+
//
// Nothing here knows a clock or chance: the same Setup gives the same Run.
package simulate

import "time"

// Tick is the length of the steps in which the load is looked at. Everything happens at whole ticks, and a Run has one
// Moment for each. Points of a load within one Tick count by their average; a shape counts as it is at the beginning of one.
const Tick = time.Second

// Epoch is the time at which a simulation starts that says nothing else: a Saturday.
func Epoch() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }
