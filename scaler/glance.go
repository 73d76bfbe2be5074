package scaler

import (
	"sync"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// glance is what the last look at a workload came of, for those who ask how it stands. A decision is a function of values, so that the
// values are kept and not what was made of them: who asks has the decision made again. That takes 1 kB for each workload, and nothing for the look.
type glance struct {
	mu sync.Mutex
	// verdict is the last one; nil before the first look.
	verdict *annotations.Verdict
	// snapshot and before are what was last decided on; the snapshot's Time is zero where nothing was.
	snapshot recommend.Snapshot
	before   recommend.History
	marks
	// wakings are how long it took to wake it for requests; nil before that has happened.
	wakings *wakings
}

// marks are what a decision does not show.
type marks struct {
	// denied is why the last write was not stored; empty if it was, or if there was none.
	denied string
	// pause is how long the next write waits because somebody else sets the replicas again and again; 0 if nobody does.
	pause time.Duration
	// scaled is the last write, overwrite the last number of somebody else; the zero value is none.
	scaled    Rescale
	overwrite overwrite
}

// wakings are how long it took to wake a workload for requests.
type wakings struct {
	// reactions are from the arrival of the one who has waited for longest to the answer of the write, starts from there to the first ready pod.
	reactions, starts wake.Histogram
}

// Rescale is one change of the replicas.
type Rescale struct {
	Time time.Time `json:"time"`
	From int32     `json:"from"`
	To   int32     `json:"to"`
}

// overwrite is a change of the replicas by somebody else.
type overwrite struct {
	Rescale
	by string
}

// decided takes what is decided on, and the history before. The verdict has the policy that is decided by.
func (g *glance) decided(v *annotations.Verdict, s recommend.Snapshot, before recommend.History) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.verdict, g.snapshot, g.before = v, s, before
}

// undecided says that nothing is decided.
func (g *glance) undecided(v *annotations.Verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.verdict, g.snapshot, g.before = v, recommend.Snapshot{}, recommend.History{}
	g.denied, g.pause = "", 0
}

// told takes what has become of the decision: whether it was told that it cannot be written, the error of the last try, and how long the next
// one waits.
func (g *glance) told(failed bool, err error, pause time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pause = pause
	switch {
	case !failed:
		g.denied = ""
	case err != nil:
		g.denied = cut(err.Error(), maxQuoted)
	}
}

// scale takes a write, which ends what somebody else has set before.
func (g *glance) scale(r Rescale) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.scaled = r
}

// overwritten takes a number of somebody else.
func (g *glance) overwritten(o overwrite) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.overwrite = o
}

// read is a copy of what is in it.
func (g *glance) read() (*annotations.Verdict, recommend.Snapshot, recommend.History, marks) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.verdict, g.snapshot, g.before, g.marks
}

// woken notes something of a wake.
func (g *glance) woken(note func(w *wakings)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wakings == nil {
		g.wakings = &wakings{}
	}
	note(g.wakings)
}

// wakes is a copy of what was noted of wakes.
func (g *glance) wakes() wakings {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wakings == nil {
		return wakings{}
	}
	return wakings{g.wakings.reactions.Clone(), g.wakings.starts.Clone()}
}
