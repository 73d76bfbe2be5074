// Package clock puts the timestamps of other clocks on our own. A sample is stamped by the clock of the node that it is from, a
// value by that of its adapter, and either may be any amount off; what is known for certain is when it was first received.
//
//	their clock      ... 12:09:45 ----- 12:10:00 ----- 12:10:15 ...        10 minutes ahead
//	                        \              \              \
//	our clock        ... 11:59:46       12:00:01       12:00:16 ...        received
//	taken, by ours   ... 11:59:45       12:00:00       12:00:15 ...        a second before, and then in their steps
//
// It is pure: time is an argument.
package clock

import "time"

// Believable is how old a pod's sample may believably be when it is first received: less than the 15 s between two publications of
// metrics-server (--metric-resolution in its manifests and chart), and 5 s, at most the sample's window, for it to be published. That
// it is more than that is taken for the clocks' difference. A sample so old still counts when the next one is due.
func Believable(window time.Duration) time.Duration {
	const period, publishing = 15 * time.Second, 5 * time.Second
	return period + min(window, publishing)
}

// resolution is that of the timestamps of Kubernetes' APIs, which are truncated to a second. A sample that was just received counts as
// that old if nothing better is known.
const resolution = time.Second

// Stamp is a timestamp of another clock and what it is on ours. The zero Stamp is that of nothing.
type Stamp struct {
	// Timestamp is by the other clock.
	Timestamp time.Time
	// Taken is the same moment by our clock: never after it was first received.
	Taken time.Time
	// Advanced says that the timestamp before was an earlier one: the other clock goes, and Offset is its difference to ours. Before,
	// what looks like a difference may also be a sample that was old when it was first received.
	Advanced bool
	// newest is the latest timestamp of those received, and served when it was received last.
	newest, served time.Time
	// risen is how many times in a row a timestamp earlier than that came after one that was earlier still, and came when the last did.
	risen int
	came  time.Time
}

// First is the stamp of the first sample of something. If its timestamp is not believable, the sample counts as taken just now.
func First(timestamp, received time.Time, believable time.Duration) Stamp {
	return Stamp{}.Next(timestamp, received, believable, 0)
}

// doubted is First where old things may be served as they are: up to the first step forward it is taken at its word, however old it is.
// Nothing is newer than now.
func doubted(timestamp, received time.Time) Stamp {
	return First(timestamp, received, max(received.Sub(timestamp), 0)+1)
}

// Next is the stamp of the next sample from the same clock. As long as the timestamp stays the same, so does the stamp, so that a sample
// that is served again and again grows old, whatever its clock says. A new timestamp is corrected by the clocks' difference as it was
// found before, or taken as it is, if either says that the sample was taken less than believable before it was received. Otherwise
// the sample counts as taken just now.
//
// A timestamp earlier than the newest one is usually from another replica of the server, which is behind or stuck; the sample is older by
// the difference. If the newest was not served again for the whole patience, or earlier timestamps advance as a clock does, the clock
// was set back, and the earlier one is new.
func (s Stamp) Next(timestamp, received time.Time, believable, patience time.Duration) Stamp {
	switch {
	case timestamp.IsZero():
		return Stamp{}
	case timestamp.Equal(s.newest):
		s.served = received
		return s.at(timestamp)
	case timestamp.Equal(s.Timestamp):
		return s
	case timestamp.Before(s.newest) && received.Sub(s.served) <= patience:
		if s.risen = s.rise(timestamp, received, believable); s.risen < setBack {
			s.came = received
			return s.at(timestamp)
		}
	}
	age := received.Sub(timestamp)
	switch adjusted := age + s.Offset(); {
	case within(adjusted, believable):
		age = adjusted
	case !within(age, believable):
		age = resolution
	}
	// Counted from the moment of reception, which has a monotonic reading, it does not jump when our clock is set.
	return Stamp{Timestamp: timestamp, Taken: received.Add(-age), newest: timestamp, served: received,
		Advanced: !s.Timestamp.IsZero() && timestamp.After(s.newest)}
}

// setBack is how many steps in a row are those of a clock. Two stuck replicas that answer in turn go one forward and one back.
const setBack = 2

// rise counts a step forward that is no longer than the time it took: none of a stuck replica is.
func (s Stamp) rise(timestamp, received time.Time, believable time.Duration) int {
	if step := timestamp.Sub(s.Timestamp); s.Behind() && 0 < step && step <= received.Sub(s.came)+believable {
		return s.risen + 1
	}
	return 0
}

// at is the stamp at another timestamp of the same clock.
func (s Stamp) at(timestamp time.Time) Stamp {
	s.Timestamp, s.Taken = timestamp, s.Taken.Add(timestamp.Sub(s.Timestamp))
	return s
}

// Behind says that something newer was received before.
func (s Stamp) Behind() bool { return s.Timestamp.Before(s.newest) }

// forgotten is for how long a stamp outlives its thing being served: pods come and go, and their stamps would be ever more.
const forgotten = 10 * time.Minute

// Remembered says that what is missing from what is received now may still come back. If it does with the same timestamp, it is as
// old as if it had never been missing.
func (s Stamp) Remembered(received time.Time) bool { return received.Sub(s.served) <= forgotten }

func within(age, believable time.Duration) bool { return age >= 0 && age < believable }

// Offset is how far the other clock is ahead of ours; negative if it is behind. It is 0 where timestamps are taken at their word.
func (s Stamp) Offset() time.Duration { return s.Timestamp.Sub(s.Taken) }
