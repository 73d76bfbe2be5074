package scaler

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// How much is told in budgetPeriod: of a namespace, and in addition for each workload in it. A load step causes a handful of Events for a
// workload, so with five for each nothing is left out on the busiest days. A tenant who creates and deletes workloads without end, and
// has only few at a time, uses up his budget at once.
const (
	budgetPeriod   = 10 * time.Minute
	namespaceShare = 200
	workloadShare  = 5
)

// How much is told of one workload with one reason in reasonPeriod: so many at once, then one a minute. Each reason has a budget of its
// own, so that a metric that keeps failing does not cost the Events of scaling.
const (
	reasonPeriod = 30 * time.Minute
	reasonShare  = 30
)

// omissionPeriod is how often a namespace's log line says what was left out.
const omissionPeriod = time.Minute

// Causes for which something was left out.
const (
	overBudget = "budget"
	overFull   = "queue"
	notStored  = "api"
)

// Budget bounds how much is told of each namespace and of each workload in it, by Events and in the log. Names cost a tenant nothing, and
// one tenant's Events must neither fill the log and etcd nor keep those of others waiting. Left-out Events are counted, and the log
// says how many once a minute for each namespace. A nil Budget leaves nothing out. It is safe for concurrent use.
type Budget struct {
	log     *zap.Logger
	now     func() time.Time
	leftOut *prometheus.CounterVec

	mu         sync.Mutex
	namespaces map[string]*allowance
	swept      time.Time
}

// allowance is the part of one namespace.
type allowance struct {
	told bucket
	// workloads are the present workloads, each with how much was told of it by reason.
	workloads map[annotations.Key]map[string]bucket
	// omitted and lost count what the next line says: what was over budget, with one of its workloads, and Events that were not written.
	omitted, lost int
	example       annotations.Key
	err           error
}

// bucket leaks: it takes a share at once, and what it held is gone after a period.
type bucket struct {
	level float64
	at    time.Time
}

// drained is the bucket at a later time.
func (b bucket) drained(now time.Time, share int, period time.Duration) bucket {
	return bucket{max(0, b.level-float64(share)*float64(now.Sub(b.at))/float64(period)), now}
}

// NewBudget makes a budget that says in this log what is left out, and registers the metric that counts it; it panics if
// that is registered already.
func NewBudget(r prometheus.Registerer, log *zap.Logger) *Budget {
	b := &Budget{log: log, now: time.Now, namespaces: map[string]*allowance{}, leftOut: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricsNamespace, Name: "events_left_out_total",
		Help: "What was to be told of workloads and was not. 'cause' is budget (more than is told of one namespace or workload: an Event with its log line, or " +
			"a log line alone, such as one about a retry), queue (an Event; too many were waiting) or api (an Event; the API server did not take it).",
	}, []string{"cause"})}
	for _, cause := range []string{overBudget, overFull, notStored} {
		b.leftOut.WithLabelValues(cause)
	}
	r.MustRegister(b.leftOut)
	return b
}

// Take says whether something may be told of a workload for a reason, and counts it.
func (b *Budget) Take(key annotations.Key, reason string) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, a := b.now(), b.allowance(key.Namespace)
	share := namespaceShare + workloadShare*len(a.workloads)
	all := a.told.drained(now, share, budgetPeriod)
	one := a.workloads[key][reason].drained(now, reasonShare, reasonPeriod)
	if all.level+1 > float64(share) || one.level+1 > reasonShare {
		b.leftOut.WithLabelValues(overBudget).Inc()
		b.due(key.Namespace, a)
		a.omitted, a.example = a.omitted+1, key
		return false
	}
	all.level++
	one.level++
	a.told = all
	if reasons, there := a.workloads[key]; there {
		if reasons == nil {
			reasons = map[string]bucket{}
			a.workloads[key] = reasons
		}
		reasons[reason] = one
	}
	return true
}

// lose counts Events of a namespace that were not written; the error, if any, says why.
func (b *Budget) lose(namespace, cause string, n int, err error) {
	if b == nil || n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.allowance(namespace)
	b.leftOut.WithLabelValues(cause).Add(float64(n))
	b.due(namespace, a)
	a.lost, a.err = a.lost+n, err
}

// arrive and leave note that a workload is there, or no longer there.
func (b *Budget) arrive(key annotations.Key) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allowance(key.Namespace).workloads[key] = nil
}

func (b *Budget) leave(key annotations.Key) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.namespaces[key.Namespace]; a != nil {
		delete(a.workloads, key)
	}
}

// allowance returns the allowance of a namespace. When it makes a new one, it drops those that have nothing left to remember. An
// allowance outlasts its workloads; otherwise a tenant could renew it by deleting and creating workloads.
func (b *Budget) allowance(namespace string) *allowance {
	if a := b.namespaces[namespace]; a != nil {
		return a
	}
	if now := b.now(); now.Sub(b.swept) > budgetPeriod {
		b.swept = now
		for name, a := range b.namespaces {
			if len(a.workloads) == 0 && !a.silent() && now.Sub(a.told.at) > budgetPeriod {
				delete(b.namespaces, name)
			}
		}
	}
	a := &allowance{workloads: map[annotations.Key]map[string]bucket{}}
	b.namespaces[namespace] = a
	return a
}

// silent says that something was left out that the log has not reported yet.
func (a *allowance) silent() bool { return a.omitted+a.lost > 0 }

// due sees to it that what is left out is said, for the first of it.
func (b *Budget) due(namespace string, a *allowance) {
	if !a.silent() {
		time.AfterFunc(omissionPeriod, func() { b.say(namespace) })
	}
}

// say writes the line of a namespace, if there is something to say.
func (b *Budget) say(namespace string) {
	b.mu.Lock()
	a := b.namespaces[namespace]
	said := *a
	a.omitted, a.lost, a.err = 0, 0, nil
	b.mu.Unlock()
	if said.omitted > 0 {
		b.log.Warn("Events and log lines are left out: more than is told of one namespace or workload",
			zap.String("namespace", namespace), zap.Int("leftOut", said.omitted), zap.Stringer("oneOf", said.example))
	}
	if said.lost > 0 {
		b.log.Warn("Events could not be written", zap.String("namespace", namespace), zap.Int("lost", said.lost), zap.Error(said.err))
	}
}

// SayAll says what the log does not say yet, at the end.
func (b *Budget) SayAll() {
	b.mu.Lock()
	var namespaces []string
	for name, a := range b.namespaces {
		if a.silent() {
			namespaces = append(namespaces, name)
		}
	}
	b.mu.Unlock()
	for _, name := range namespaces {
		b.say(name)
	}
}
