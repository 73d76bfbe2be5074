package simulate

import (
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// Run is what happened in a simulation.
type Run struct {
	// Moments has one for each Tick, in order; the first is at 0, the last at the end.
	Moments []Moment
	// Evaluations are those of the recommender, in order.
	Evaluations []Evaluation
	// Summary sums up the decisions.
	Summary trace.Summary
	// Changes is how often replicas were changed, ReplicaHours the integral of the pods that were there. They differ
	// from the Summary's where decisions are not carried out, in mode observe, and by the surge of a rollout.
	Changes      int
	ReplicaHours float64
	// Above is the time in which the load was more than the ready pods carry at their CPU target.
	Above time.Duration
	// Beyond is the part of that in which it was more by more than the tolerance.
	Beyond time.Duration
	// UnservedCores is the load that no ready pod had room for, in core-seconds.
	UnservedCores float64
	// Asleep is the time with 0 replicas, Wakes how often that ended.
	Asleep time.Duration
	Wakes  int
	// Messages sum up what has become of the messages; nil in a simulation of a load.
	Messages *Messages
}

// Moment is the state of the workload in one second.
type Moment struct {
	// At is counted from the start.
	At time.Duration
	// Load is what was asked for, Unserved the part of it that no ready pod had room for, in millicores. Where messages arrive it is what
	// it takes to serve them.
	Load, Unserved float64
	// Arrivals are the messages per second that arrive, Backlog those that wait, and Oldest is for how long the oldest has.
	Arrivals float64
	Backlog  int64
	Oldest   time.Duration
	// Replicas is spec.replicas, Ready how many pods take load.
	Replicas, Ready int32
}

// Evaluation is one look at the workload: a decision, and what it was made on.
type Evaluation struct {
	trace.Outcome
	Moment Moment `json:"-"`
	// Usage is the average CPU of the pods that have a sample, in millicores; negative if none has.
	Usage float64 `json:"-"`
}

// world is a simulation in progress.
type world struct {
	Setup
	template *template
	replay   *trace.Replay
	run      Run
	now      time.Duration
	replicas int32
	pods     []*pod
	made     int
	// backlog is what waits, if messages arrive; sampled says that there is a target for CPU or memory.
	backlog *backlog
	sampled bool
	// fresh says that samples have become readable at this moment; next is when time alone asks for a look.
	fresh     bool
	evaluated time.Duration
	next      time.Duration
	// perPod is the load that a pod carries at its target, tolerated the fraction of more that changes nothing.
	perPod, tolerated float64
}

// pass lets one second go by.
func (w *world) pass() {
	if w.now >= w.Duration {
		w.run.Moments = append(w.run.Moments, w.moment())
		return
	}
	m := w.use()
	w.run.Moments = append(w.run.Moments, m)
	w.run.ReplicaHours += float64(len(w.pods)) * Tick.Hours()
	if w.backlog != nil {
		w.backlog.pass(w.now, m.Ready)
	}
	if w.replicas == 0 {
		w.run.Asleep += Tick
	}
	w.run.UnservedCores += m.Unserved / 1000 * Tick.Seconds()
	if w.perPod > 0 && m.Load > w.perPod*float64(m.Ready)*(1+1e-9) {
		w.run.Above += Tick
	}
	if w.perPod > 0 && m.Load > w.perPod*float64(m.Ready)*(1+w.tolerated)*(1+1e-9) {
		w.run.Beyond += Tick
	}
}

// use shares the load of one second among the ready pods; those that are starting or warm up use what that takes.
func (w *world) use() Moment {
	m := w.moment()
	if m.Ready > 0 {
		share := (m.Load - m.Unserved) / float64(m.Ready)
		each, warming := w.template.divide(share), w.template.divide(min(share+w.WarmUpMilli, w.template.limit))
		for _, p := range w.pods {
			switch {
			case w.now < p.ready:
			case w.now < p.warm:
				p.use(warming)
			default:
				p.use(each)
			}
		}
	}
	starting := w.template.divide(min(w.StartupMilli, w.template.limit))
	for _, p := range w.pods {
		if p.runs <= w.now && w.now < p.ready {
			p.use(starting)
		}
	}
	return m
}

// moment is what is asked for and what is there to serve it.
func (w *world) moment() Moment {
	m := Moment{At: w.now, Replicas: w.replicas}
	for _, p := range w.pods {
		if p.ready <= w.now {
			m.Ready++
		}
	}
	if w.backlog != nil {
		w.attend(&m)
		return m
	}
	m.Load = w.Load.during(w.now)
	m.Unserved = m.Load
	if m.Ready > 0 {
		m.Unserved = max(0, m.Load-float64(m.Ready)*w.template.limit)
	}
	return m
}

// attend adds what waits, and what serving it takes.
func (w *world) attend(m *Moment) {
	if w.now < 0 {
		return
	}
	b := w.backlog
	m.Arrivals, m.Backlog, m.Oldest = b.Load.during(w.now), b.waiting(w.now), b.oldest(w.now)
	m.Load = float64(b.work(w.now, m.Ready)) / float64(b.capacity(1)) * w.template.request("")
}

// measured is the average CPU of the pods that have a sample, in millicores; negative if none has, or none can be read.
func (w *world) measured() float64 {
	sum, count := 0.0, 0
	for _, p := range w.pods {
		if p.sample == nil {
			continue
		}
		count++
		for _, c := range p.sample.Containers {
			if cpu := c.Usage.Of(corev1.ResourceCPU); cpu != nil {
				sum += float64(cpu.MilliValue())
			}
		}
	}
	if count == 0 || w.Outage.on(w.now) {
		return -1
	}
	return sum / float64(count)
}

// count is how many pods there are, and how many of them take load.
func (w *world) count(old bool) (all, ready int32) {
	for _, p := range w.pods {
		if p.old == old {
			all++
			if p.ready <= w.now {
				ready++
			}
		}
	}
	return all, ready
}

// roll makes those pods that are still to come, and takes the rollout a step further (deployment/rolling.go: new pods first, then the old ones that do not take load, then others
// as far as there are enough without them).
func (w *world) roll() {
	if w.Rollout == nil || w.now < w.Rollout.At {
		w.add(w.replicas - int32(len(w.pods))) // whose turn has come
		return
	}
	if w.now == w.Rollout.At {
		for _, p := range w.pods {
			p.old = true
		}
	}
	old, oldReady := w.count(true)
	fresh, freshReady := w.count(false)
	most, available := w.Rollout.bounds(w.replicas)
	added := max(min(most-old-fresh, w.replicas-fresh), 0)
	w.add(added)
	w.remove(fresh-w.replicas, false)
	// What is not there yet could still be needed in place of old pods.
	spare := old + fresh + added - available - (fresh + added - freshReady)
	idle := max(min(old-oldReady, spare), 0)
	w.remove(idle+max(min(oldReady, oldReady+freshReady-available, spare-idle), 0), true)
}

// scale makes and removes pods at once. During a rollout the old and the new ones have their shares of it
// (deployment/sync.go: scale).
func (w *world) scale(to int32) {
	w.replicas = to
	if w.OrderedReady {
		w.pods = w.pods[:min(len(w.pods), int(to))]
		w.add(to - int32(len(w.pods)))
		return
	}
	old, _ := w.count(true)
	fresh, _ := w.count(false)
	if old == 0 {
		w.add(to - fresh)
		w.remove(fresh-to, false)
		return
	}
	allowed := to
	if to > 0 {
		allowed, _ = w.Rollout.bounds(to)
	}
	part := int32(math.Round(float64(old) * float64(allowed) / float64(old+fresh)))
	w.add(allowed - part - fresh)
	w.remove(fresh-(allowed-part), false)
	w.revive(part - old)
	w.remove(old-part, true)
}

// add makes new pods; none if n is not above 0. Where they come one after another, the rest of them comes later.
func (w *world) add(n int32) {
	for range n {
		if w.OrderedReady && w.moment().Ready < int32(len(w.pods)) {
			return
		}
		w.pods = append(w.pods, w.newPod(w.now))
	}
}

// revive makes more of the old ones.
func (w *world) revive(n int32) {
	for range n {
		p := w.newPod(w.now)
		p.old = true
		w.pods = append(w.pods, p)
	}
}

// remove takes pods away as the ReplicaSet controller does: those that do not take load first, then the newest. Pods are in the order
// of their creation, and all take equally long to start: the last ones are those to go.
func (w *world) remove(n int32, old bool) {
	for i := len(w.pods) - 1; i >= 0 && n > 0; i-- {
		if w.pods[i].old == old {
			w.pods = append(w.pods[:i], w.pods[i+1:]...)
			n--
		}
	}
}

// newPod is the next pod that is made.
func (w *world) newPod(created time.Duration) *pod {
	t, ready := w.template, created+w.Startup
	w.made++
	return &pod{name: fmt.Sprintf("%s-%d", t.name, w.made-1), created: created,
		runs: created + (w.Startup / 2).Truncate(Tick), ready: ready, warm: ready + w.WarmUp,
		used: make([]float64, len(t.running)), last: make([]float64, len(t.running))}
}
