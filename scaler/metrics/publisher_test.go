package metrics

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// publication makes a new sample of some pods readable.
type publication struct {
	at       time.Duration
	from, to int // pods
	replica  int // of the publisher
}

// publisher is a script: what becomes readable when, and when there is no answer at all.
type publisher struct {
	pods         int
	publications []publication
	// always is until when every LIST brings new timestamps of all pods, odd how many pods always have new ones.
	always  time.Duration
	odd     int
	down    [][2]time.Duration
	latency time.Duration
	// replicas is how many instances publish; each LIST is answered by any one of them.
	replicas int
}

// steady publishes samples of 100 pods once per period.
func steady(period, start, end time.Duration) publisher {
	p := publisher{pods: 100, latency: 20 * time.Millisecond, replicas: 1}
	for at := start; at < end; at += period {
		p.publications = append(p.publications, publication{at: at, to: p.pods})
	}
	return p
}

func (p publisher) with(change func(*publisher)) publisher {
	change(&p)
	return p
}

// jittered delays each publication by up to jitter.
func (p publisher) jittered(jitter time.Duration) publisher {
	r := rand.New(rand.NewPCG(1, uint64(jitter)))
	return p.each(func(a publication) []publication {
		a.at += time.Duration(r.Int64N(int64(jitter)))
		return []publication{a}
	})
}

// parts splits every publication: the pods from first on follow later.
func (p publisher) parts(first int, later time.Duration) publisher {
	return p.each(func(a publication) []publication {
		return []publication{{at: a.at, to: first}, {at: a.at + later, from: first, to: p.pods}}
	})
}

// only leaves out every publication of the pods from n on, but the first.
func (p publisher) only(n int) publisher {
	start := p.publications[0]
	p = p.each(func(a publication) []publication { return []publication{{at: a.at, to: n}} })
	return publisher{publications: []publication{start}}.and(p)
}

func (p publisher) each(f func(publication) []publication) publisher {
	var ps []publication
	for _, a := range p.publications {
		ps = append(ps, f(a)...)
	}
	p.publications = ps
	return p
}

// and adds the publications of q.
func (p publisher) and(q publisher) publisher {
	q.publications = append(slices.Clone(p.publications), q.publications...)
	return q
}

// paused loses the publications of an outage.
func (p publisher) paused(from, to time.Duration) publisher {
	return p.each(func(a publication) []publication {
		if a.at >= from && a.at < to {
			return nil
		}
		return []publication{a}
	})
}

// unreachable answers no LIST for a while, with the publications going on.
func (p publisher) unreachable(from, to time.Duration) publisher {
	p.down = append(slices.Clone(p.down), [2]time.Duration{from, to})
	return p
}

// replicated adds a second instance whose publications are offset.
func (p publisher) replicated(offset time.Duration) publisher {
	p.replicas = 2
	return p.each(func(a publication) []publication {
		b := a
		b.at, b.replica = a.at+offset, 1
		return []publication{a, b}
	})
}

func (p publisher) isDown(at time.Duration) bool {
	return slices.ContainsFunc(p.down, func(d [2]time.Duration) bool { return at >= d[0] && at < d[1] })
}

// seenSample is one sample that was seen.
type seenSample struct{ published, seen time.Duration }

// record is what happened in a run.
type record struct {
	looks     []time.Duration // when LISTs were sent
	sightings []seenSample
	periods   []time.Duration // learnt, after each LIST
}

// run plays a schedule against a publisher, with local clocks that know nothing of the publisher's.
func (p publisher) run(resolution, end time.Duration) (r record) {
	slices.SortStableFunc(p.publications, func(a, b publication) int { return cmp.Compare(a.at, b.at) })
	var (
		epoch  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		random = rand.New(rand.NewPCG(7, 7))
		s      = newSchedule(resolution)
		todo   = p.publications
		served = make([][]time.Duration, max(p.replicas, 1)) // by replica and pod
		kept   = make([]time.Duration, p.pods)
		seen   = make([]time.Time, p.pods)
		first  = true
	)
	for i := range served {
		served[i] = make([]time.Duration, p.pods)
	}
	for now := time.Duration(0); now < end; {
		o := observation{sent: epoch.Add(now), done: epoch.Add(now + p.latency), failed: p.isDown(now)}
		for ; len(todo) > 0 && todo[0].at <= now+p.latency/2; todo = todo[1:] {
			for pod := todo[0].from; pod < todo[0].to; pod++ {
				served[todo[0].replica][pod] = todo[0].at
			}
		}
		answer := served[random.IntN(len(served))]
		for pod := 0; pod < p.pods && !o.failed; pod++ {
			o.listed++
			if first { // no LIST to compare with
				kept[pod], seen[pod] = answer[pod], o.done
				continue
			}
			o.comparable++
			if answer[pod] <= kept[pod] && now >= p.always && pod >= p.odd {
				continue
			}
			o.advanced++
			if !seen[pod].Before(s.set.began) {
				o.repeated++
			}
			if answer[pod] > kept[pod] {
				r.sightings = append(r.sightings, seenSample{answer[pod], now + p.latency})
			}
			kept[pod], seen[pod] = max(answer[pod], kept[pod]), o.done
		}
		first = first && o.failed
		var wait time.Duration
		s, wait = s.next(o)
		r.looks, r.periods = append(r.looks, now), append(r.periods, s.period())
		now += p.latency + wait
	}
	return r
}

// lists counts the LISTs sent in [from, to).
func (r record) lists(from, to time.Duration) (n int) {
	for _, at := range r.looks {
		if at >= from && at < to {
			n++
		}
	}
	return n
}

// delays are those of the samples published in [from, to), from the smallest to the largest.
func (r record) delays(from, to time.Duration) (ds []time.Duration) {
	for _, s := range r.sightings {
		if s.published >= from && s.published < to {
			ds = append(ds, s.seen-s.published)
		}
	}
	slices.Sort(ds)
	return ds
}

// period is the one last learnt before at.
func (r record) period(at time.Duration) (p time.Duration) {
	for i := range r.looks {
		if r.looks[i] < at {
			p = r.periods[i]
		}
	}
	return p
}

func mean(ds []time.Duration) (m time.Duration) {
	for _, d := range ds {
		m += d
	}
	return m / time.Duration(max(len(ds), 1))
}

const (
	s  = time.Second
	ms = time.Millisecond
	m  = time.Minute
)
