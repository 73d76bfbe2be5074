package cluster

import "time"

// Pause is how long a command that goes on waits after a look that took so long, before it looks again. A leader answers in no time; without one,
// each look fills caches of its own, which costs the API server something.
func Pause(byLeader bool, took time.Duration) time.Duration {
	if byLeader {
		return 2 * time.Second
	}
	return max(15*time.Second, 3*took)
}
