package scaler

import (
	"time"

	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// stand is the number of replicas that this process last wrote, and the number before it; or twice a number that a decision has agreed
// to. The zero value is none, as after somebody else's number was found in its place.
type stand struct {
	before, replicas int32
	held             bool
}

// undone says whether the number that is there now takes back what was written, while that is desired. To go on in the direction of
// somebody else's change is to agree. Who has left more than half of what was written goes the same way, only not as far:
//
//	before     now        replicas    desired
//	  |---------+---|---------|-----------|      taken back
//	  |-------------|-+-------|-----------|      the same way
func (s stand) undone(now, desired int32) bool {
	back := now > s.replicas && desired < now || now < s.replicas && desired > now
	sameWay := min(s.before, s.replicas) < now && now < max(s.before, s.replicas) && distance(now, s.replicas) < distance(now, s.before)
	return s.held && back && !sameWay
}

// agreed makes a stand of a number that counts as written by this process.
func agreed(replicas int32) stand { return stand{before: replicas, replicas: replicas, held: true} }

// written is the number of a decision that was carried out.
func written(d recommend.Decision) stand {
	return stand{before: d.Current, replicas: d.Desired, held: true}
}

func distance(a, b int32) int32 { return max(a-b, b-a) }

// rival is somebody else who sets the replicas of a workload again and again. If both sides wrote at once, they would make as many writes
// as the API server can take. So each time that the replicas are overwritten soon after they were taken back, the next write waits
// twice as long:
//
//	strength   1    2    3    4    5    6    7
//	pause      0    1    2    4    8   16   20   sync periods
//
// and each time that they stay for as long as the pause, and for two sync periods at least, it waits half as long. Nil is none.
type rival struct {
	strength int
	// until is when the next write may be made, and since when the replicas are at rest.
	until, since time.Time
	// taken are the last times that a number was taken back, the latest last.
	taken [3]time.Time
}

const (
	// strongest is the strength whose pause is the longest.
	strongest = 7
	// mostPeriods is that pause, in sync periods.
	mostPeriods = 20
	// rivalry is the time in which three overwrites count as again and again, even if the rival writes rarely.
	rivalry = time.Hour
)

// pause is how long the next write waits.
func (r *rival) pause(sync time.Duration) time.Duration {
	if r == nil || r.strength < 2 {
		return 0
	}
	return sync * time.Duration(min(1<<(r.strength-2), mostPeriods))
}

// paused says whether the next write still waits.
func (r *rival) paused(now time.Time) bool { return r != nil && now.Before(r.until) }

// takeBack notes that somebody else's number is about to be taken back.
func (r *rival) takeBack(now time.Time, sync time.Duration) {
	r.strength = min(r.strength+1, strongest)
	r.taken = [3]time.Time{r.taken[1], r.taken[2], now}
	r.until = now.Add(r.pause(sync))
	r.since = r.until
}

// rest notes that the replicas have not been overwritten until now.
func (r *rival) rest(now time.Time, sync time.Duration) {
	for r != nil && r.strength > 0 {
		calm := max(r.pause(sync), 2*sync)
		if now.Sub(r.since) < calm {
			return
		}
		r.strength--
		r.since = r.since.Add(calm)
	}
}

// insists says that this is no single change.
func (r *rival) insists(now time.Time) bool {
	return r != nil && (r.strength > 1 || now.Sub(r.taken[0]) < rivalry)
}

// shown is the pause as a metric, where there is a rival.
func (r *rival) shown(sync time.Duration, now time.Time) figure {
	return figure{int32(r.pause(sync).Seconds()), r.insists(now)}
}

// holdsBack is the pause where there is a rival; 0 where there is none.
func (r *rival) holdsBack(sync time.Duration, now time.Time) time.Duration {
	if !r.insists(now) {
		return 0
	}
	return r.pause(sync)
}

// wake is the earlier of a moment, zero for none, and the end of the pause.
func (r *rival) wake(next, now time.Time) time.Time {
	if r.paused(now) && (next.IsZero() || r.until.Before(next)) {
		return r.until
	}
	return next
}
