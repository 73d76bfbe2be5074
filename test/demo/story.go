package main

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

const (
	// target is the wanted utilization of every workload, in percent of the CPU request.
	target = 50
	// limit is the most replicas any workload may have; the hottest load needs exactly that many.
	limit = 10
)

// load is what is asked of a whole workload over time, in percent of one pod's CPU request. Without a period it is low all the time; with
// one it is high for the first half of every period and low for the rest.
type load struct {
	low, high int64
	period    time.Duration
}

// at is the load in millicores, since counted from the moment it was set, for pods that request so much.
func (l load) at(since time.Duration, request int64) int64 {
	if l.period > 0 && since >= 0 && since%l.period < l.period/2 {
		return l.high * request / 100
	}
	return l.low * request / 100
}

// String says the load as a person would.
func (l load) String() string {
	if l.period == 0 {
		return fmt.Sprintf("%d%% of one pod's CPU request", l.low)
	}
	return fmt.Sprintf("%d%% of one pod's CPU request for %s, then %d%% for %s, again and again", l.high, l.period/2, l.low, l.period/2)
}

// workload is a Deployment of the story, with its annotations.
type workload struct {
	name        string
	annotations map[string]string
}

// phase is one act of a story. Workloads are created when it begins, unless an earlier one did.
type phase struct {
	title, watch string
	workloads    []workload
	load         load // of the workshop
	jobs         jobs // of the queue's story
	expect       expectation
}

// names are those of its workloads.
func (p phase) names() []string {
	var names []string
	for _, w := range p.workloads {
		names = append(names, w.name)
	}
	return names
}

// pace is how fast the story can be told.
type pace struct {
	sample        time.Duration // until a change of load is fully visible in the metrics API
	start         time.Duration // until a new pod is ready
	stabilization time.Duration // the scale-down stabilization window of web; the product's default is 5 minutes
	detour        time.Duration // how much longer scaling in may take where pods that should idle use a little
	hold          time.Duration // how long a number of replicas must last to count as settled
	load, hot     int64         // the loads that need 5 and 10 pods, in percent of one pod's CPU request
	burst         time.Duration // the period of the bursty load
	bursts        int
}

// paceOf is that of a metrics API with this period. The first sample after a change may mix the old load with the new, so that the first step
// may fall one pod short, which the loads put outside the tolerance. Simulated pods are ready at once, and the next sample is of the new load alone; a
// kubelet measures every 10 to 15 s by itself, and images are pulled.
func paceOf(period time.Duration, simulated bool) pace {
	p := pace{sample: 2 * period, start: 10 * time.Second, load: 240, hot: 520, bursts: 5}
	if !simulated {
		p.sample, p.start, p.bursts, p.detour = 2*period+30*time.Second, time.Minute, 4, 6*period
	}
	// Longer than the 15 s period of the default scale-up policy, or the next step would be cut short.
	p.hold, p.stabilization, p.burst = max(16*time.Second, 3*period), 6*period, 2*p.sample
	return p
}

// workshop is the story at a pace.
func workshop(p pace) []phase {
	web := workload{"web", guarded(map[string]string{"mini-hpa/scale-down-stabilization": p.stabilization.String()})}
	bare := guarded(map[string]string{"mini-hpa/tolerance": "0", "mini-hpa/scale-up-stabilization": "0s", "mini-hpa/scale-down-stabilization": "0s"})
	soon := p.sample + p.start
	return []phase{
		{
			title: "idle", watch: "20% is below the target of 50%, and 1 is the minimum: nothing happens",
			workloads: []workload{web}, load: load{low: 20}, expect: reaches{workload: "web", replicas: 1, within: soon, hold: p.hold},
		},
		{
			title: "load", watch: fmt.Sprintf("%d%% on one pod is %.1f times the target: 5 pods carry it at %d%%", p.load, float64(p.load)/target, p.load/5),
			workloads: []workload{web}, load: load{low: p.load}, expect: reaches{workload: "web", replicas: 5, within: soon, hold: p.hold},
		},
		{
			title: "still hotter",
			watch: fmt.Sprintf("%d%% on 5 pods is %d%% each: 10 pods carry it at %d%%, which is within the tolerance of 10%%: it settles",
				p.hot, p.hot/5, p.hot/limit),
			workloads: []workload{web}, load: load{low: p.hot}, expect: reaches{workload: "web", replicas: limit, within: soon, hold: p.hold + p.sample},
		},
		{
			title:     "load gone",
			watch:     fmt.Sprintf("the highest recommendation of the last %s (an annotation; the default is 5m) holds the replicas, then they go", p.stabilization),
			workloads: []workload{web}, load: load{low: 20},
			// The window starts at the last evaluation that wanted more, which may precede the new load by a sample.
			expect: reaches{workload: "web", replicas: 1, notBefore: max(0, p.stabilization-p.sample), within: p.stabilization + p.detour + soon, hold: p.hold / 2},
		},
		{
			title: "flapping", watch: "flappy has tolerance 0 and no stabilization, steady has the defaults; both get the same bursts",
			workloads: []workload{{"flappy", bare}, {"steady", guarded(nil)}}, load: load{low: 20, high: 190, period: p.burst},
			expect: calmer{wild: "flappy", calm: "steady", times: 3, within: time.Duration(p.bursts) * p.burst},
		},
	}
}

// guarded is the annotations that every workload has, and those of its own.
func guarded(own map[string]string) map[string]string {
	all := map[string]string{"mini-hpa/target-cpu": strconv.Itoa(target), "mini-hpa/min": "1", "mini-hpa/max": strconv.Itoa(limit)}
	maps.Copy(all, own)
	return all
}

// change is one change of spec.replicas, since the demo began; the reason is what the Event said, once it was seen.
type change struct {
	at       time.Duration
	from, to int32
	reason   string
}

// String is the change as people write it.
func (c change) String() string { return fmt.Sprintf("%d -> %d", c.from, c.to) }

// sight is what can be seen of a workload; seen is its subject's column.
type sight struct {
	replicas int32
	seen     string
	changes  []change // since the phase began
	tally    tally    // of the queue's story
}

// unknown is shown of what cannot be seen at the moment.
const unknown = "-"

// seen is what a phase has to show for itself after so much time.
type seen struct {
	began, elapsed time.Duration
	workloads      map[string]*sight
}

// verdict is whether an expectation was met: it is final once it is known, and then says how.
type verdict struct {
	known, held bool
	says        string
}

// expectation is what a phase must show. String says it as a sentence without a full stop; judge is a function of its argument alone and
// knows its verdict after longest.
type expectation interface {
	fmt.Stringer
	judge(seen) verdict
	longest() time.Duration
}

// reaches expects a workload to go to a number of replicas, straight (no step back, no overshoot), not before notBefore and, counted from
// the phase's beginning, after within at the latest, and to stay there for hold.
type reaches struct {
	workload                string
	replicas                int32
	notBefore, within, hold time.Duration
}

func (r reaches) String() string {
	when := fmt.Sprintf("within %s", r.within)
	if r.notBefore > 0 {
		when = fmt.Sprintf("not before %s, but within %s", r.notBefore, r.within)
	}
	return fmt.Sprintf("%s is at %d %s and stays there for %s", r.workload, r.replicas, when, r.hold)
}

func (r reaches) longest() time.Duration { return r.within + r.hold }

func (r reaches) judge(s seen) verdict {
	w, arrived, path := s.workloads[r.workload], time.Duration(0), []string{}
	for _, c := range w.changes {
		arrived = c.at - s.began
		if says := r.complaint(c, arrived); says != "" {
			return verdict{known: true, says: says}
		}
		path = append(path, fmt.Sprint(c.from))
	}
	switch there := w.replicas == r.replicas; {
	case there && s.elapsed-arrived >= r.hold && len(path) == 0:
		return verdict{true, true, fmt.Sprintf("%s stayed at %d", r.workload, r.replicas)}
	case there && s.elapsed-arrived >= r.hold:
		return verdict{true, true, fmt.Sprintf("%s went %s -> %d in %s and stayed there", r.workload, strings.Join(path, " -> "), r.replicas, tenths(arrived))}
	case !there && s.elapsed > r.within:
		return verdict{known: true, says: fmt.Sprintf("%s is at %d after %s, expected %d", r.workload, w.replicas, tenths(s.elapsed), r.replicas)}
	}
	return verdict{}
}

// complaint says what is wrong with a change; empty where it is a step towards the expected number of replicas.
func (r reaches) complaint(c change, after time.Duration) string {
	up, down := c.to > c.from && c.to <= r.replicas, c.to < c.from && c.to >= r.replicas
	switch {
	case !up && !down:
		return fmt.Sprintf("%s went %s after %s, expected %d", r.workload, c, tenths(after), r.replicas)
	case after < r.notBefore:
		return fmt.Sprintf("%s went %s after %s already, expected nothing before %s", r.workload, c, tenths(after), r.notBefore)
	case c.to == r.replicas && after > r.within:
		return fmt.Sprintf("%s went %s only after %s, expected it within %s", r.workload, c, tenths(after), r.within)
	}
	return ""
}

// calmer expects that of two workloads under the same load for a time, calm scaled at least once and wild changed its replicas at least
// times as often.
type calmer struct {
	wild, calm string
	times      int
	within     time.Duration
}

func (c calmer) String() string {
	return fmt.Sprintf("in %s %s changes its replicas at least %d times as often as %s", c.within, c.wild, c.times, c.calm)
}

func (c calmer) longest() time.Duration { return c.within }

func (c calmer) judge(s seen) verdict {
	if s.elapsed < c.within {
		return verdict{}
	}
	wild, calm := len(s.workloads[c.wild].changes), len(s.workloads[c.calm].changes)
	says := fmt.Sprintf("%s changed its replicas %d times, %s %d times", c.wild, wild, c.calm, calm)
	switch {
	case calm == 0:
		return verdict{known: true, says: says + ": the load never reached " + c.calm}
	case wild < c.times*calm:
		return verdict{known: true, says: fmt.Sprintf("%s, expected at least %d times as many", says, c.times)}
	}
	return verdict{true, true, says}
}

// tenths rounds for a sentence.
func tenths(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
