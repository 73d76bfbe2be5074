package clitest

import (
	"runtime"
	"testing"
)

// Linear demands that twice as much input takes about twice the memory, all that is allocated counted, and not four times as much. Made
// makes an input of a size, and what is then to be done with it. Memory is the same in each run where time is not, so that it shows what copies, sorts
// or makes text of all the rest for each part. No test may run beside it.
func Linear(t *testing.T, size int, made func(size int) (run func())) {
	t.Helper()
	taken := func(size int) uint64 {
		run := made(size)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		run()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	taken(size)       // what is made once
	const much = 2.75 // as lists that grow take more than they need
	once, twice := taken(size), taken(2*size)
	if growth := float64(twice) / float64(once); growth > much {
		t.Errorf("%d take %d bytes, and %d take %d, %.2f times as much; want no more than %.2f times", size, once, 2*size, twice, growth, much)
	}
}
