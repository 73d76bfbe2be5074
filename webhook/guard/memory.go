package guard

import (
	"slices"
	"sync"
)

// chunkSize is the unit in which bodies get memory: 16 KiB, a full TLS record (RFC 8446, section 5.1), which is the most that
// arrives at once. Every body takes at least one chunk, so a pool bounds the number of requests as well.
const chunkSize = 16 << 10

// pool bounds the memory of all bodies of one kind. A body gets its next chunk only when it has filled the one before: what
// counts is what has arrived, not the length that was announced. When no chunk is left, one of the bodies that are still
// arriving is dropped:
//
//	arriving   [ oldest ............ youngest ]     complete, being answered
//	             ^                   ^              (never dropped)
//	             dropped of small    dropped of large ones
//
// An honest sender is done within milliseconds. So the oldest small body that is not complete is a slow writer's. Large bodies
// are few and take turns instead: the one that came first may finish.
type pool struct {
	victim victim

	mu       sync.Mutex
	changed  *sync.Cond     // a chunk came back, or a body was dropped
	free     int            // chunks
	leaving  int            // chunks of dropped bodies that have not given them back yet
	arriving []*reservation // oldest first
}

// victim chooses which arriving body to drop; there is at least one.
type victim func(arriving []*reservation) *reservation

func oldest(arriving []*reservation) *reservation   { return arriving[0] }
func youngest(arriving []*reservation) *reservation { return arriving[len(arriving)-1] }

// newPool returns a pool of so many bytes, in whole chunks.
func newPool(bytes int, v victim) *pool {
	p := &pool{victim: v, free: bytes / chunkSize}
	p.changed = sync.NewCond(&p.mu)
	return p
}

// reservation is what one body holds of a pool.
type reservation struct {
	pool      *pool
	interrupt func() // ends a read of the body that is under way, at once; it must not block
	chunks    int
	dropped   bool
}

// reserve begins an empty reservation. The caller must release it.
func (p *pool) reserve(interrupt func()) *reservation {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &reservation{pool: p, interrupt: interrupt}
	p.arriving = append(p.arriving, r)
	return r
}

// grow adds a chunk, and if need be waits for one that a dropped body gives back. It returns false if this body was dropped.
func (r *reservation) grow() bool {
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.free == 0 && !r.dropped {
		if p.leaving == 0 {
			p.drop() // this body itself, if no other is arriving
		} else {
			p.changed.Wait()
		}
	}
	if r.dropped {
		return false
	}
	p.free--
	r.chunks++
	return true
}

// drop drops one body. Its chunks become free only when its reservation is released.
func (p *pool) drop() {
	r := p.victim(p.arriving)
	p.forget(r)
	r.dropped = true
	p.leaving += r.chunks
	r.interrupt()
	p.changed.Broadcast()
}

// complete says that the body has arrived, or that no more of it will. From then on it is not dropped. It returns false if the
// body was dropped before.
func (r *reservation) complete() bool {
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(r)
	return !r.dropped
}

// release gives all chunks back.
func (r *reservation) release() {
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(r)
	p.free += r.chunks
	if r.dropped {
		p.leaving -= r.chunks
	}
	r.chunks = 0
	p.changed.Broadcast()
}

// forget removes a body from those that are arriving, if it is among them. The mutex must be held.
func (p *pool) forget(r *reservation) {
	if i := slices.Index(p.arriving, r); i >= 0 {
		p.arriving = slices.Delete(p.arriving, i, i+1)
	}
}
