package guard

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// lend opens a loan of so many chunks; interrupted counts how often it was told to go.
func lend(t *testing.T, r *reserve, chunks int) (l *loan, interrupted *atomic.Int32) {
	t.Helper()
	interrupted = new(atomic.Int32)
	l = r.open(func() { interrupted.Add(1) })
	for range chunks {
		if !l.grow() {
			t.Fatal("there was no chunk left")
		}
	}
	return l, interrupted
}

// growing lets a loan grow in the background; the channel has the result.
func growing(l *loan) <-chan bool {
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
		r := newReserve(4*chunkSize, oldest)
		done, _ := lend(t, r, 1)
		if !done.complete() {
			t.Fatal("it was dropped although there was room")
		}
		slow, slowTold := lend(t, r, 2)
		fast, fastTold := lend(t, r, 1)

		grown := growing(fast)
		undecided(t, grown) // the slow one was told, and is still holding its memory
		if slowTold.Load() != 1 || fastTold.Load() != 0 {
			t.Fatalf("told the slow one %d times and the fast one %d times", slowTold.Load(), fastTold.Load())
		}
		if slow.complete() {
			t.Error("a body that was dropped counts as complete")
		}
		slow.settle()
		if !<-grown || !fast.complete() {
			t.Error("the fast one did not get the slow one's memory")
		}
		fast.settle()
		done.settle()
		if r.free != 4 || r.leaving != 0 || len(r.arriving) != 0 {
			t.Errorf("in the end %d chunks are free, %d are being given back by %d bodies", r.free, r.leaving, len(r.arriving))
		}
	})
}

func TestYoungestLargeBodyHasToGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReserve(4*chunkSize, youngest)
		first, firstTold := lend(t, r, 2)
		second, secondTold := lend(t, r, 2)
		if third, _ := lend(t, r, 0); third.grow() {
			t.Error("a third one got memory that was not there")
		}
		grown := growing(first)
		undecided(t, grown)
		if firstTold.Load() != 0 || secondTold.Load() != 1 {
			t.Fatalf("told the first one %d times and the second one %d times", firstTold.Load(), secondTold.Load())
		}
		second.settle()
		if !<-grown {
			t.Error("the first one could not go on")
		}
	})
}

// Of those that the server uses, the small one drops the oldest and the large one the youngest.
func TestReservesOfTheGuard(t *testing.T) {
	t.Parallel()
	g := newGuard(&Config{})
	for name, tc := range map[string]struct {
		reserve *reserve
		bytes   int
		dropped int
	}{
		"small": {g.small.reserve, smallReserve, 0},
		"large": {g.large.reserve, largeReserve, 2},
	} {
		var told [3]*atomic.Int32
		_, told[0] = lend(t, tc.reserve, tc.bytes/chunkSize)
		_, told[1] = lend(t, tc.reserve, 0)
		_, told[2] = lend(t, tc.reserve, 0)
		tc.reserve.mu.Lock()
		tc.reserve.drop()
		tc.reserve.mu.Unlock()
		for i := range told {
			if want := i == tc.dropped; (told[i].Load() == 1) != want {
				t.Errorf("%s: number %d was told %d times", name, i, told[i].Load())
			}
		}
	}
}

func TestCompleteBodiesStay(t *testing.T) {
	t.Parallel()
	r := newReserve(2*chunkSize, oldest)
	done, told := lend(t, r, 2)
	done.complete()
	late, _ := lend(t, r, 0)
	if late.grow() || told.Load() != 0 {
		t.Error("a body that is being answered lost its memory")
	}
	late.settle()
	done.settle()
	done.settle() // twice is once
	if r.free != 2 {
		t.Errorf("%d chunks are free, not 2", r.free)
	}
}

// One that waits for memory that another is giving back can be the next to go.
func TestWaitingBodyIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReserve(2*chunkSize, oldest)
		slow, _ := lend(t, r, 1)
		a, _ := lend(t, r, 1)
		aGrown := growing(a)
		undecided(t, aGrown) // waits for slow
		r.mu.Lock()
		r.drop()
		r.mu.Unlock()
		if <-aGrown {
			t.Error("it grew although it was dropped")
		}
		slow.settle()
		a.settle()
		if r.free != 2 || r.leaving != 0 {
			t.Errorf("%d chunks are free and %d leaving", r.free, r.leaving)
		}
	})
}

// Whatever a crowd does, no more is ever lent than there is, and in the end everything is back.
func TestReserveOfACrowd(t *testing.T) {
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
	r := newReserve(chunks*chunkSize, choose)
	var held, finished atomic.Int64
	var all sync.WaitGroup
	for i := range bodies {
		random := rand.New(rand.NewPCG(1, uint64(i))) //nolint:gosec // a test repeats itself
		all.Go(func() {
			<-time.After(time.Duration(random.IntN(1000)) * time.Millisecond)
			interrupted := make(chan struct{})
			l := r.open(func() { close(interrupted) })
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
			l.settle()
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
