package simulate

import (
	"math"
	"slices"
	"time"
)

// parts are how many a message is counted in: whole numbers, so that nothing is lost in the sums of many days.
const parts = 1_000_000

func inParts(messages float64) int64 { return int64(math.Round(messages * parts)) }

// backlog is what has arrived and was served so far. Within a Tick both go on evenly: two curves of which the second never rises above the
// first. A message waits from where the first curve reaches it until the second does.
//
//	messages      .-----  arrived
//	     |      .'   .--  served
//	   n |....o...  o     n waits for as long as these two are apart
//	     |  .'   .-'
//	     +-------------- time
type backlog struct {
	Arrivals
	// arrived and served are the parts before each Tick, the present one the last.
	arrived, served []int64
	// next is the Tick in which the first message arrived that is not served yet, or one before it.
	next int
	// waits counts messages by how long they waited, in seconds and rounded up.
	waits   []int64
	longest float64
	most    int64
}

func newBacklog(a Arrivals, duration time.Duration) *backlog {
	n := int(duration/Tick) + 1
	return &backlog{Arrivals: a, arrived: append(make([]int64, 0, n), 0), served: append(make([]int64, 0, n), 0)}
}

// waiting is how many messages wait at a time: whole ones, from the arrival of all of it until all of it is served.
func (b *backlog) waiting(at time.Duration) int64 {
	i := max(at, 0) / Tick
	return b.arrived[i]/parts - b.served[i]/parts
}

// value is what the source says of a time. A message counts until it has been served, and so there are as many at least as pods that are busy.
// Where pods keep up, that is a part of a pod, on average: whether one is just then serving is drawn, always the same for a Tick.
func (b *backlog) value(at time.Duration) int64 {
	i := max(at, 0) / Tick
	if i == 0 {
		return 0
	}
	busy := float64(b.served[i]-b.served[i-1]) / float64(b.capacity(1))
	return max(b.waiting(at), int64(busy+draw(0, uint64(i))))
}

// during is how many parts arrive in the Tick that begins at a time.
func (b *backlog) during(at time.Duration) int64 {
	return inParts(b.Load.during(at) * Tick.Seconds())
}

// capacity is how many parts so many pods can serve in a Tick.
func (b *backlog) capacity(pods int32) int64 { return inParts(b.Rate*Tick.Seconds()) * int64(pods) }

// work is how many parts so many pods serve in the Tick that begins now.
func (b *backlog) work(now time.Duration, pods int32) int64 {
	return min(b.capacity(pods), b.arrived[now/Tick]-b.served[now/Tick]+b.during(now))
}

// pass lets so many pods serve for one Tick.
func (b *backlog) pass(now time.Duration, pods int32) {
	begin, capacity := b.served[now/Tick], b.capacity(pods)
	end := begin + b.work(now, pods)
	b.arrived = append(b.arrived, b.arrived[now/Tick]+b.during(now))
	b.served = append(b.served, end)
	b.most = max(b.most, b.waiting(now+Tick))
	b.count(begin, end, func(n int64) float64 {
		return now.Seconds() + float64(n*parts-begin)/float64(capacity)*Tick.Seconds()
	})
}

// count notes how long those messages have waited that were reached between two parts. Until says when, in seconds, one was; where that is
// before it has arrived, it did not wait. Of messages that arrived in one Tick either the first or the last waited longest, as
// both curves are straight there.
func (b *backlog) count(begin, end int64, until func(n int64) float64) {
	for n := begin/parts + 1; n*parts <= end; {
		first := until(n) - b.arrival(n)
		last := min(end, b.arrived[b.next+1]) / parts
		wait := max(first, until(last)-b.arrival(last))
		b.longest = max(b.longest, wait)
		second := int(math.Ceil(wait - 1e-9))
		if lacks := second + 1 - len(b.waits); lacks > 0 {
			b.waits = append(b.waits, make([]int64, lacks)...)
		}
		b.waits[second] += last - n + 1
		n = last + 1
	}
}

// arrival is when a message arrived, in seconds. None of those asked for may be before the one asked for last.
func (b *backlog) arrival(n int64) float64 {
	for b.arrived[b.next+1] < n*parts {
		b.next++
	}
	from, to := b.arrived[b.next], b.arrived[b.next+1]
	return (float64(b.next) + float64(n*parts-from)/float64(to-from)) * Tick.Seconds()
}

// oldest is for how long the oldest message has waited; 0 if none waits.
func (b *backlog) oldest(now time.Duration) time.Duration {
	if b.waiting(now) == 0 {
		return 0
	}
	return seconds(now.Seconds() - b.arrival(b.served[now/Tick]/parts+1))
}

// sum ends the simulation: what still waits has waited until now.
func (b *backlog) sum(now time.Duration) *Messages {
	arrived, served := b.arrived[now/Tick], b.served[now/Tick]
	b.count(served, arrived, func(int64) float64 { return now.Seconds() })
	m := &Messages{Arrived: arrived / parts, Served: served / parts, MostWaiting: b.most, LongestWait: seconds(b.longest)}
	all := int64(0)
	for _, n := range b.waits {
		all += n
	}
	for second, n := range slices.Backward(b.waits) {
		if all -= n; all*100 < (arrived/parts)*99 {
			m.UsualWait = min(time.Duration(second)*time.Second, m.LongestWait)
			break
		}
	}
	return m
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}
