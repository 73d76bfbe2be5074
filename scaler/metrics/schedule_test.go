package metrics

import (
	"cmp"
	"slices"
	"testing"
	"time"
)

// chapter is what must hold of a stretch of a story.
type chapter struct {
	from, to time.Duration
	// period is the real one; it must be learnt to within a tenth of a second unless unlearnt.
	period   time.Duration
	unlearnt bool
	// lists is how many LISTs there may be per period on the average.
	lists float64
	// mean and worst bound the delay from readable to seen; zero where nothing is promised.
	mean, worst time.Duration
	// sightings is how many samples of each pod are seen at least; 0 means one per period, less than 0 means none.
	sightings float64
}

func (c chapter) check(t *testing.T, p publisher, r record) {
	t.Helper()
	periods := float64(c.to-c.from) / float64(c.period)
	ds := r.delays(c.from, c.to)
	lists, seen := float64(r.lists(c.from, c.to))/periods, float64(len(ds))/float64(p.pods)
	worst := slices.Max(append(ds, 0))
	t.Logf("%v-%v: period %v learnt as %v, %.2f LISTs per period, delay mean %v worst %v, %.1f of %.1f samples seen",
		c.from, c.to, c.period, r.period(c.to).Round(ms), lists, mean(ds).Round(ms), worst.Round(ms), seen, periods)
	if off := (r.period(c.to) - c.period).Abs(); off > 100*ms && !c.unlearnt {
		t.Errorf("period learnt as %v, is %v", r.period(c.to), c.period)
	}
	if lists > c.lists {
		t.Errorf("%.2f LISTs per period, at most %.2f wanted", lists, c.lists)
	}
	if c.mean > 0 && mean(ds) > c.mean {
		t.Errorf("mean delay %v, at most %v wanted", mean(ds), c.mean)
	}
	if c.worst > 0 && worst > c.worst {
		t.Errorf("worst delay %v, at most %v wanted", worst, c.worst)
	}
	if want := cmp.Or(c.sightings, periods); seen < 0.98*want-1 || want < 0 && seen > 0 {
		t.Errorf("%.1f samples of each pod seen, %.1f wanted", seen, want)
	}
}

func TestScheduleStories(t *testing.T) {
	calm := func(from, to, period time.Duration) chapter {
		return chapter{from: from, to: to, period: period, lists: 1.9, mean: 250 * ms, worst: 600 * ms}
	}
	stories := map[string]struct {
		publisher  publisher
		resolution time.Duration
		chapters   []chapter
	}{
		"metrics-server as it comes": {steady(15*s, 7300*ms, 60*m), 15 * s, []chapter{
			{from: 1 * m, to: 3 * m, period: 15 * s, lists: 3.5, mean: 700 * ms, worst: 1100 * ms},
			calm(3*m, 30*m, 15*s), calm(30*m, 60*m, 15*s),
		}},
		"a simulator of 2 s": {steady(2*s, 1300*ms, 10*m), 15 * s, []chapter{
			{from: 1 * m, to: 10 * m, period: 2 * s, lists: 1.9, mean: 400 * ms, worst: 1100 * ms},
		}},
		"a simulator of 5 s":      {steady(5*s, 2300*ms, 30*m), 15 * s, []chapter{calm(1*m, 30*m, 5*s)}},
		"10 s":                    {steady(10*s, 2300*ms, 30*m), 15 * s, []chapter{calm(3*m, 30*m, 10*s)}},
		"30 s":                    {steady(30*s, 2300*ms, 60*m), 15 * s, []chapter{calm(5*m, 60*m, 30*s)}},
		"60 s and nobody said so": {steady(60*s, 42300*ms, 120*m), 15 * s, []chapter{calm(15*m, 120*m, 60*s)}},
		"60 s as configured":      {steady(60*s, 42300*ms, 120*m), 60 * s, []chapter{calm(10*m, 120*m, 60*s)}},
		"a clock that drifts":     {steady(15047*ms, 3*s, 60*m), 15 * s, []chapter{calm(3*m, 60*m, 15047*ms)}},
		"jitter of 300 ms": {steady(15*s, 3*s, 60*m).jittered(300 * ms), 15 * s, []chapter{
			{from: 3 * m, to: 60 * m, period: 15 * s, lists: 1.8, mean: 500 * ms, worst: 1500 * ms},
		}},
		"jitter of 1 s": {steady(15*s, 3*s, 60*m).jittered(s), 15 * s, []chapter{
			{from: 3 * m, to: 60 * m, period: 15 * s, unlearnt: true, lists: 2.1, mean: 700 * ms, worst: 2500 * ms},
		}},
		"jitter of 3 s": {steady(15*s, 3*s, 60*m).jittered(3 * s), 15 * s, []chapter{
			{from: 3 * m, to: 60 * m, period: 15 * s, unlearnt: true, lists: 3.1, mean: 1500 * ms, worst: 6 * s},
		}},
		"half of the pods 2 s later": {steady(15*s, 3*s, 60*m).parts(50, 2*s), 15 * s, []chapter{
			{from: 3 * m, to: 60 * m, period: 15 * s, lists: 2.6, mean: 600 * ms, worst: 1500 * ms},
		}},
		"a tenth of the pods 3 s later": {steady(15*s, 3*s, 60*m).parts(90, 3*s), 15 * s, []chapter{
			{from: 3 * m, to: 60 * m, period: 15 * s, lists: 2.6, mean: 500 * ms, worst: 1500 * ms},
		}},
		"two halves half a period apart are at least not expensive": {steady(15*s, 3*s, 60*m).parts(50, 7500*ms), 15 * s, []chapter{
			{from: 3 * m, to: 60 * m, period: 15 * s, unlearnt: true, lists: 4.5, worst: 16 * s},
		}},
		"a tenth of the pods never moves": {steady(15*s, 3*s, 60*m).only(90), 15 * s, []chapter{
			{from: 3 * m, to: 60 * m, period: 15 * s, lists: 1.8, mean: 400 * ms, worst: 600 * ms, sightings: 0.9 * 57 * 4},
		}},
		"a few pods have a rhythm of their own": {steady(15*s, 3*s, 60*m).with(func(p *publisher) { p.odd = 5 }), 15 * s, []chapter{
			{from: 3 * m, to: 60 * m, period: 15 * s, lists: 1.8, mean: 400 * ms, worst: 600 * ms},
		}},
		"new at every LIST": {publisher{pods: 100, always: 60 * m, latency: 20 * ms}, 15 * s, []chapter{
			{from: 1 * m, to: 60 * m, period: 15 * s, unlearnt: true, lists: 1.3, sightings: -1},
		}},
		"new at every LIST, later every 15 s": {steady(15*s, 3*s, 60*m).with(func(p *publisher) { p.always = 20 * m }), 15 * s, []chapter{
			calm(35*m, 60*m, 15*s),
		}},
		"new at every LIST, later every 60 s": {steady(60*s, 3*s, 60*m).with(func(p *publisher) { p.always = 20 * m }), 15 * s, []chapter{
			{from: 30 * m, to: 60 * m, period: 60 * s, lists: 1.9, mean: 400 * ms, worst: 700 * ms},
		}},
		"every 1.5 s": {steady(1500*ms, 3*s, 20*m), 15 * s, []chapter{{from: 1 * m, to: 20 * m, period: 15 * s, unlearnt: true, lists: 12}}},
		"every 10 min": {steady(10*m, 3*s, 120*m), 15 * s, []chapter{
			{from: 2 * m, to: 120 * m, period: 10 * m, unlearnt: true, lists: 125, worst: 5100 * ms},
		}},
		"no pods": {publisher{}, 15 * s, []chapter{{from: 0, to: 60 * m, period: 15 * s, unlearnt: true, lists: 3.1, sightings: -1}}},
		"a restart that shows, then another phase": {
			steady(15*s, 3*s, 20*m).and(steady(15*s, 20*m-4*s, 40*m)).unreachable(20*m, 20*m+30*s), 15 * s,
			[]chapter{calm(22*m, 40*m, 15*s)},
		},
		"no answer while the period is being learnt": {steady(15*s, 3*s, 40*m).unreachable(10*s, 50*s), 15 * s, []chapter{
			{from: 90 * s, to: 150 * s, period: 15 * s, unlearnt: true, lists: 4.1, worst: 1200 * ms},
		}},
		"15 s becomes 5 s": {steady(15*s, 3*s, 20*m).and(steady(5*s, 20*m, 40*m)), 15 * s, []chapter{
			calm(3*m, 20*m, 15*s),
			{from: 20 * m, to: 23 * m, period: 5 * s, unlearnt: true, lists: 3.1, worst: 6 * s, sightings: 15},
			calm(23*m, 40*m, 5*s),
		}},
		"15 s becomes 60 s": {steady(15*s, 3*s, 20*m).and(steady(60*s, 20*m, 60*m)), 15 * s, []chapter{
			calm(3*m, 20*m, 15*s),
			{from: 20 * m, to: 30 * m, period: 60 * s, unlearnt: true, lists: 20, worst: 5500 * ms},
			{from: 30 * m, to: 60 * m, period: 60 * s, lists: 1.9, mean: 400 * ms, worst: 1100 * ms},
		}},
		"60 s becomes 15 s": {steady(60*s, 3*s, 30*m).and(steady(15*s, 30*m, 60*m)), 60 * s, []chapter{
			calm(10*m, 30*m, 60*s), calm(42*m, 60*m, 15*s),
		}},
		"a restart makes sets come 5 s earlier": {steady(15*s, 3*s, 20*m).and(steady(15*s, 20*m-2*s, 40*m)), 15 * s, []chapter{
			calm(3*m, 19*m, 15*s),
			{from: 20 * m, to: 24 * m, period: 15 * s, unlearnt: true, lists: 4, worst: 6 * s},
			calm(24*m, 40*m, 15*s),
		}},
		"a restart makes sets come 4 s later": {steady(15*s, 3*s, 20*m).and(steady(15*s, 20*m+7*s, 40*m)), 15 * s, []chapter{
			{from: 20 * m, to: 23 * m, period: 15 * s, unlearnt: true, lists: 3.1, worst: 1500 * ms},
			calm(23*m, 40*m, 15*s),
		}},
		"one set is skipped": {steady(15*s, 3*s, 40*m).paused(20*m, 20*m+15*s), 15 * s, []chapter{
			{from: 20 * m, to: 21 * m, period: 15 * s, lists: 4, worst: 600 * ms, sightings: 3},
			calm(21*m, 40*m, 15*s),
		}},
		"an outage of 2 minutes, then another phase": {steady(15*s, 3*s, 20*m).and(steady(15*s, 22*m+1*s, 40*m)), 15 * s, []chapter{
			{from: 20 * m, to: 22 * m, period: 15 * s, lists: 6.5, unlearnt: true, sightings: -1},
			{from: 22 * m, to: 24 * m, period: 15 * s, lists: 5, unlearnt: true, worst: 5500 * ms},
			calm(24*m, 40*m, 15*s),
		}},
		"no answer for 2 minutes, the same phase": {steady(15*s, 3*s, 40*m).unreachable(20*m, 22*m), 15 * s, []chapter{
			{from: 20 * m, to: 22 * m, period: 15 * s, lists: 4, sightings: 1},
			{from: 22 * m, to: 23 * m, period: 15 * s, lists: 4, worst: 1500 * ms},
			calm(23*m, 40*m, 15*s),
		}},
		"one LIST fails now and then": {
			steady(15*s, 3*s, 60*m).unreachable(20*m+2*s, 20*m+4*s).unreachable(25*m, 25*m+3500*ms).unreachable(30*m, 30*m+3900*ms), 15 * s,
			[]chapter{{from: 3 * m, to: 60 * m, period: 15 * s, lists: 1.9, mean: 400 * ms, worst: 2 * s}},
		},
		"an outage while the period is being learnt": {steady(15*s, 3*s, 4*s).and(steady(15*s, 108*s, 40*m)), 15 * s, []chapter{
			calm(6*m, 40*m, 15*s),
		}},
		"two replicas, 7 s apart, answer in turn": {steady(15*s, 3*s, 60*m).replicated(7 * s), 15 * s, []chapter{
			{from: 3 * m, to: 60 * m, period: 15 * s, lists: 5, unlearnt: true, mean: 5 * s, sightings: 350},
		}},
		"answers that take 1.2 s": {steady(15*s, 3*s, 40*m).with(func(p *publisher) { p.latency = 1200 * ms }), 15 * s, []chapter{
			{from: 3 * m, to: 40 * m, period: 15 * s, unlearnt: true, lists: 1.8, mean: 2 * s, worst: 2500 * ms},
		}},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			r := story.publisher.run(story.resolution, story.chapters[len(story.chapters)-1].to)
			for _, c := range story.chapters {
				c.check(t, story.publisher, r)
			}
		})
	}
}
