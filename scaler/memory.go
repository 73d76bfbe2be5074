package scaler

import (
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/schedule"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// remembered is what is kept of one workload between two looks at it. There is one for each, so what few need is nil for the others.
type remembered struct {
	uid     types.UID
	history recommend.History
	// past is what has become of the history since the last decision.
	past recommend.Past
	// seen is false until the first decision, for which the history is restored from the cluster.
	seen bool
	// replicas are those of the last look or write, once there was one; first is when it was.
	replicas int32
	known    bool
	nap      nap
	stand    stand
	first    time.Time
	// reviewed is what was last said of its annotations and requests.
	reviewed  reviewed
	version   version
	conflicts conflicts
	// attempt is a write that may or may not have been carried out; nil if there is none.
	attempt *attempt
	rival   *rival
	// woken is when a write has ended a sleep after which no pod has been ready yet; zero if there was none.
	woken time.Time
	// closed is why 0 replicas must not be written; nil if they may.
	closed *wake.Closed
	// refusedTold is when it was told last that requests were refused.
	refusedTold time.Time
	// told is the last thing said about each topic, so that nothing is said twice; what is over is not in it.
	told map[topic]string
	// lines are those of the schedule of which was told that the load asks for more than their max.
	lines []schedule.Line
	// failures are the metrics that fail or did so shortly before.
	failures failures
	// glance is for those who ask how the workload stands.
	glance glance
}

// standDown forgets what was decided before another autoscaler began to scale the workload: once that is gone, mini-hpa goes on from
// the replicas that are there, as a controller that starts anew.
func (mem *remembered) standDown() {
	mem.seen, mem.history = false, recommend.History{}
}

// news remembers what is now the case and says whether that is new. Nothing being the case is "".
func (mem *remembered) news(about topic, now string) bool {
	if mem.told[about] == now {
		return false
	}
	if mem.told == nil {
		mem.told = map[topic]string{}
	}
	mem.told[about] = now
	return now != ""
}

// newLine remembers a line of the schedule whose max is too low, and says whether it is new. It may be too low each night, and is meant to
// hold the load then, so it stays told for as long as it is in the schedule.
func (mem *remembered) newLine(p annotations.Policy, line schedule.Line) bool {
	all := slices.Collect(p.Schedule.Lines())
	mem.lines = slices.DeleteFunc(mem.lines, func(l schedule.Line) bool { return !slices.Contains(all, l) })
	if slices.Contains(mem.lines, line) {
		return false
	}
	mem.lines = append(mem.lines, line)
	return true
}

// attempt is a decision that was sent for a workload as of a resourceVersion.
type attempt struct {
	version  string
	decision recommend.Decision
	at       time.Time
	// patched says that it depends on the replicas alone, and outlived that other versions have been decided on since.
	patched, outlived bool
	// conflict says that another write came first, most likely somebody else's.
	conflict bool
}

// memory keeps the workloads by key. The zero value is empty and ready to use.
type memory struct {
	mu        sync.Mutex
	workloads map[annotations.Key]*remembered
}

// recall returns what is remembered of the workload, and whether the key is new. A new object under an old name
// starts afresh.
func (m *memory) recall(key annotations.Key, w *annotations.Workload) (*remembered, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem, known := m.workloads[key]
	if known && mem.uid == w.UID {
		return mem, false
	}
	mem = &remembered{uid: w.UID}
	if m.workloads == nil {
		m.workloads = map[annotations.Key]*remembered{}
	}
	m.workloads[key] = mem
	return mem, !known
}

// find returns what is remembered of a key; nil if nothing is.
func (m *memory) find(key annotations.Key) *remembered {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.workloads[key]
}

// forget drops what is remembered of a key and says whether there was anything.
func (m *memory) forget(key annotations.Key) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, known := m.workloads[key]
	delete(m.workloads, key)
	return known
}

// some lists the keys that are remembered and wanted, in no order.
func (m *memory) some(wanted func(annotations.Key) bool) []annotations.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []annotations.Key
	for key := range m.workloads {
		if wanted(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// keys lists what is remembered, in order.
func (m *memory) keys() []annotations.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make([]annotations.Key, 0, len(m.workloads))
	for key := range m.workloads {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b annotations.Key) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
