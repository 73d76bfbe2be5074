package guard

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// reserved makes a reservation of so many chunks; interrupted counts how often its body was interrupted.
func reserved(t *testing.T, r *pool, chunks int) (l *reservation, interrupted *atomic.Int32) {
	t.Helper()
	interrupted = new(atomic.Int32)
	l = r.reserve(func() { interrupted.Add(1) })
	for range chunks {
		if !l.grow() {
			t.Fatal("there was no chunk left")
		}
	}
	return l, interrupted
}

// growing grows a reservation in the background; the channel has the result.
func growing(l *reservation) <-chan bool {
	grown := make(chan bool, 1)
	go func() { grown <- l.grow() }()
	return grown
}

func undecided(t *testing.T, grown <-chan bool) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-grown:
		t.Fatalf("got %v before there was a chunk", got)
	default:
	}
}

func TestOldestSmallBodyMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newPool(4*chunkSize, oldest)
		done, _ := reserved(t, r, 1)
		if !done.complete() {
			t.Fatal("it was dropped although there was room")
		}
		slow, slowTold := reserved(t, r, 2)
		fast, fastTold := reserved(t, r, 1)

		grown := growing(fast)
		undecided(t, grown) // the slow one was told, and is still holding its memory
		if slowTold.Load() != 1 || fastTold.Load() != 0 {
			t.Fatalf("told the slow one %d times and the fast one %d times", slowTold.Load(), fastTold.Load())
		}
		if slow.complete() {
			t.Error("a body that was dropped counts as complete")
		}
		slow.release()
		if !<-grown || !fast.complete() {
			t.Error("the fast one did not get the slow one's memory")
		}
		fast.release()
		done.release()
		if r.free != 4 || r.leaving != 0 || len(r.arriving) != 0 {
			t.Errorf("in the end %d chunks are free, %d are being given back by %d bodies", r.free, r.leaving, len(r.arriving))
		}
	})
}

func TestYoungestLargeBodyHasToGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newPool(4*chunkSize, youngest)
		first, firstTold := reserved(t, r, 2)
		second, secondTold := reserved(t, r, 2)
		if third, _ := reserved(t, r, 0); third.grow() {
			t.Error("a third one got memory that was not there")
		}
		grown := growing(first)
		undecided(t, grown)
		if firstTold.Load() != 0 || secondTold.Load() != 1 {
			t.Fatalf("told the first one %d times and the second one %d times", firstTold.Load(), secondTold.Load())
		}
		second.release()
		if !<-grown {
			t.Error("the first one could not go on")
		}
	})
}

// The server's pool for small bodies drops the oldest, that for large ones the youngest.
func TestReservesOfTheGuard(t *testing.T) {
	t.Parallel()
	g := newGuard(&Config{})
	for name, tc := range map[string]struct {
		memory  *pool
		bytes   int
		dropped int
	}{
		"small": {g.small.memory, smallMemory, 0},
		"large": {g.large.memory, largeMemory, 2},
	} {
		var told [3]*atomic.Int32
		_, told[0] = reserved(t, tc.memory, tc.bytes/chunkSize)
		_, told[1] = reserved(t, tc.memory, 0)
		_, told[2] = reserved(t, tc.memory, 0)
		tc.memory.mu.Lock()
		tc.memory.drop()
		tc.memory.mu.Unlock()
		for i := range told {
			if want := i == tc.dropped; (told[i].Load() == 1) != want {
				t.Errorf("%s: number %d was told %d times", name, i, told[i].Load())
			}
		}
	}
}

func TestCompleteBodiesStay(t *testing.T) {
	t.Parallel()
	r := newPool(2*chunkSize, oldest)
	done, told := reserved(t, r, 2)
	done.complete()
	late, _ := reserved(t, r, 0)
	if late.grow() || told.Load() != 0 {
		t.Error("a body that is being answered lost its memory")
	}
	late.release()
	done.release()
	done.release() // twice is once
	if r.free != 2 {
		t.Errorf("%d chunks are free, not 2", r.free)
	}
}

// A body that waits for the memory of a dropped one can itself be dropped next.
func TestWaitingBodyIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newPool(2*chunkSize, oldest)
		slow, _ := reserved(t, r, 1)
		a, _ := reserved(t, r, 1)
		aGrown := growing(a)
		undecided(t, aGrown) // waits for slow
		r.mu.Lock()
		r.drop()
		r.mu.Unlock()
		if <-aGrown {
			t.Error("it grew although it was dropped")
		}
		slow.release()
		a.release()
		if r.free != 2 || r.leaving != 0 {
			t.Errorf("%d chunks are free and %d leaving", r.free, r.leaving)
		}
	})
}

// Whatever a crowd does, a pool never gives out more than it has, and in the end it has everything back.
func TestPoolOfACrowd(t *testing.T) {
	t.Parallel()
	for name, choose := range map[string]victim{"oldest": oldest, "youngest": youngest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { crowd(t, choose) })
		})
	}
}

func crowd(t *testing.T, choose victim) {
	const chunks, bodies = 40, 500
	r := newPool(chunks*chunkSize, choose)
	var held, finished atomic.Int64
	var all sync.WaitGroup
	for i := range bodies {
		random := rand.New(rand.NewPCG(1, uint64(i))) //nolint:gosec // a test repeats itself
		all.Go(func() {
			<-time.After(time.Duration(random.IntN(1000)) * time.Millisecond)
			interrupted := make(chan struct{})
			l := r.reserve(func() { close(interrupted) })
			grown := int64(0)
			for want := 1 + random.Int64N(10); grown < want && l.grow(); grown++ {
				if n := held.Add(1); n > chunks {
					t.Errorf("%d chunks were lent of %d", n, chunks)
				}
				select {
				case <-interrupted:
				case <-time.After(time.Duration(random.IntN(100)) * time.Millisecond):
				}
			}
			if l.complete() {
				finished.Add(1)
				<-time.After(time.Millisecond)
			}
			held.Add(-grown)
			l.release()
		})
	}
	all.Wait()
	if r.free != chunks || r.leaving != 0 || len(r.arriving) != 0 {
		t.Errorf("in the end %d of %d chunks are free, %d are leaving, and %d bodies arriving", r.free, chunks, r.leaving, len(r.arriving))
	}
	if finished.Load() == 0 || finished.Load() == bodies {
		t.Errorf("%d of %d bodies were complete", finished.Load(), bodies)
	}
}
