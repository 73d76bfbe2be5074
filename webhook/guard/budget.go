package guard

import (
	"slices"
	"sync"
)

// chunkSize is the unit in which bodies get memory: 16 KiB, a full TLS record (RFC 8446, section 5.1), which is the most that
// arrives at once. Every body counts as one chunk at least, so that a reserve bounds the number of requests, too.
const chunkSize = 16 << 10

// reserve bounds the memory of all bodies of one kind. A body gets a chunk when it has filled the one before: what it announced
// to be long does not count, only what arrived. When no chunk is left, one of the bodies that are still arriving has to go:
//
//	arriving   [ oldest ............ youngest ]     complete, being answered
//	             ^                   ^              (never dropped)
//	             dropped of small    dropped of large ones
//
// An honest sender is done within milliseconds. So among small bodies, the oldest that is not complete is a slow writer's. The
// few large ones take turns instead: whoever came first may finish.
type reserve struct {
	victim victim

	mu       sync.Mutex
	changed  *sync.Cond // chunks came back, or somebody was dropped
	free     int        // chunks
	leaving  int        // chunks of bodies that were dropped and have not given them back yet
	arriving []*loan    // oldest first
}

// victim chooses who has to go among those arriving, of whom there is one at least.
type victim func(arriving []*loan) *loan

func oldest(arriving []*loan) *loan   { return arriving[0] }
func youngest(arriving []*loan) *loan { return arriving[len(arriving)-1] }

// newReserve returns a reserve of so many bytes, in whole chunks.
func newReserve(bytes int, v victim) *reserve {
	r := &reserve{victim: v, free: bytes / chunkSize}
	r.changed = sync.NewCond(&r.mu)
	return r
}

// loan is what one body holds of a reserve.
type loan struct {
	reserve   *reserve
	interrupt func() // ends a read of the body that is under way, at once; it must not block
	chunks    int
	dropped   bool
}

// open begins a loan of nothing. Its holder must call settle.
func (r *reserve) open(interrupt func()) *loan {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &loan{reserve: r, interrupt: interrupt}
	r.arriving = append(r.arriving, l)
	return l
}

// grow adds a chunk, and waits for one that somebody else is giving back if need be. It returns false when it was this body's
// turn to go.
func (l *loan) grow() bool {
	r := l.reserve
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.free == 0 && !l.dropped {
		if r.leaving == 0 {
			r.drop() // the caller itself, if nobody else is arriving
		} else {
			r.changed.Wait()
		}
	}
	if l.dropped {
		return false
	}
	r.free--
	l.chunks++
	return true
}

// drop makes one body go. Its chunks are not free before its holder has let go of them.
func (r *reserve) drop() {
	l := r.victim(r.arriving)
	r.forget(l)
	l.dropped = true
	r.leaving += l.chunks
	l.interrupt()
	r.changed.Broadcast()
}

// complete says that the body has arrived, or that no more of it will. From then on it is not dropped; it returns false if that
// came too late.
func (l *loan) complete() bool {
	r := l.reserve
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(l)
	return !l.dropped
}

// settle gives everything back.
func (l *loan) settle() {
	r := l.reserve
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(l)
	r.free += l.chunks
	if l.dropped {
		r.leaving -= l.chunks
	}
	l.chunks = 0
	r.changed.Broadcast()
}

// forget takes a body from those arriving, if it is one; the mutex is held.
func (r *reserve) forget(l *loan) {
	if i := slices.Index(r.arriving, l); i >= 0 {
		r.arriving = slices.Delete(r.arriving, i, i+1)
	}
}
