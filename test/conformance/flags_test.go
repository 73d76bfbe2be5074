package conformance

import "flag"

// The suite's size. `make conformance` runs it large, an ordinary test small.
var (
	first     = flag.Uint64("seed", 1, "the seed of the first workload")
	workloads = flag.Int("workloads", 120, "the number of workloads")
	least     = flag.Int("decisions", 0, "fail if there were fewer decisions")
	zeros     = flag.Int("zeros", 0, "fail if there were fewer decisions with 0 replicas or a min of 0")
	plant     = flag.Int("faults", 3, "the number of faults to plant, spread over the list; -1 for all")
	write     = flag.String("dir", "", "write the recordings to this directory")
	show      = flag.String("differences", "", "write the traces that show a difference to this directory (default: a temporary one)")
)
