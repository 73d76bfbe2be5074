package scaler

import (
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// FieldManager is the name under which mini-hpa writes, in managedFields and for GitOps tools' ignore rules.
const FieldManager = "mini-hpa"

// workload is all that is remembered of one workload between two looks at it.
type workload struct {
	uid types.UID
	// seen is false until the first decision, for which the history is restored from the cluster.
	seen    bool
	history recommend.History
	// past is what has become of the history since the last decision.
	past recommend.Past
	// reviewed is what was last said of its annotations and requests.
	reviewed  reviewed
	version   version
	conflicts conflicts
	// attempt is a write of which it is not known whether it was carried out; nil if there is none.
	attempt *attempt
	// replicas are those of the last look or write, once there was one; first is when it was.
	replicas int32
	known    bool
	first    time.Time
	stand    stand
	rival    rival
	// told is the last thing said about each topic, so that nothing is said twice.
	told map[topic]string
	// failures are the metrics that fail or did so shortly before.
	failures map[failure]Spell
}

// standDown forgets what was decided before another autoscaler began to scale the workload: once that is gone, mini-hpa goes on from
// the replicas that are there, as a controller that starts anew.
func (w *workload) standDown() {
	w.seen, w.history = false, recommend.History{}
}

// attempt is a decision that was sent for a Deployment as of a resourceVersion.
type attempt struct {
	version  string
	decision recommend.Decision
	at       time.Time
	// patched says that it depends on the replicas alone, and outlived that other versions have been decided on since.
	patched, outlived bool
	// conflict says that somebody was first, most likely somebody else.
	conflict bool
}

// memory keeps the workloads by key. The zero value is empty and ready to use.
type memory struct {
	mu        sync.Mutex
	workloads map[cache.ObjectName]*workload
}

// recall returns what is remembered of the Deployment, and whether the key is new. A new Deployment under an old name
// starts afresh.
func (m *memory) recall(key cache.ObjectName, d *appsv1.Deployment) (*workload, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, known := m.workloads[key]
	if known && w.uid == d.UID {
		return w, false
	}
	w = &workload{uid: d.UID, told: map[topic]string{}}
	if m.workloads == nil {
		m.workloads = map[cache.ObjectName]*workload{}
	}
	m.workloads[key] = w
	return w, !known
}

// forget drops what is remembered of a key and says whether there was anything.
func (m *memory) forget(key cache.ObjectName) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, known := m.workloads[key]
	delete(m.workloads, key)
	return known
}

// keys lists what is remembered, in order.
func (m *memory) keys() []cache.ObjectName {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make([]cache.ObjectName, 0, len(m.workloads))
	for key := range m.workloads {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b cache.ObjectName) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// recall is memory.recall, counted.
func (s *Scaler) recall(key cache.ObjectName, d *appsv1.Deployment) *workload {
	w, added := s.memory.recall(key, d)
	if added {
		s.Budget.arrive(key)
	}
	return w
}

// Keys lists the workloads that the Scaler remembers.
func (s *Scaler) Keys() []cache.ObjectName { return s.memory.keys() }

// Forget drops everything that the Scaler remembers of every workload: another controller has been at work since.
func (s *Scaler) Forget() {
	for _, key := range s.memory.keys() {
		s.forget(key)
	}
	s.namesake.forget()
}

func (s *Scaler) forget(key cache.ObjectName) {
	if s.memory.forget(key) {
		s.Telemetry.forget(key)
		s.Budget.leave(key)
	}
}

// scaledBefore says whether the replicas are as mini-hpa has last written them. The API server remembers who, but for
// the scale subresource not when, so the history that goes with it comes from the pods: see recommend.Restored.
func scaledBefore(d *appsv1.Deployment) bool {
	return slices.ContainsFunc(d.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == FieldManager && entry.Subresource == "scale"
	})
}

// share is a number in [0, 1) of the key's own.
func share(key cache.ObjectName) float64 {
	hash := fnv.New32a()
	hash.Write([]byte(key.Namespace + "/" + key.Name)) // never fails
	return float64(hash.Sum32()) / (1 << 32)
}
