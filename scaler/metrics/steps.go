package metrics

import "time"

// Steps of the schedule. They are seconds and not shares of a period, because what they bound is how late a sample is seen.
const (
	// fineStep is the distance of two LISTs where a set may appear at any moment.
	fineStep = time.Second
	// slowest and fastest bound the distance of two LISTs where little is known and nothing is urgent.
	slowest, fastest = 5 * time.Second, time.Second
	// firstRetry is how soon a LIST is repeated that came too early for its set, secondRetry how soon after that once more; they
	// bound the delay of a sample. A set that is not there by then is not merely a little late.
	firstRetry, secondRetry = 200 * time.Millisecond, 400 * time.Millisecond
	// closest is the shortest distance of two LISTs.
	closest = firstRetry
	// breather is the shortest pause after an answer, whatever the plan says; slow answers get half their time.
	breather = 100 * time.Millisecond
	// near is how far from when it was due a set may be for its moment to count as the next one of the rhythm: what the second
	// retry finds is, also where each LIST takes its time.
	near = firstRetry + secondRetry + breather
	// shortest is the shortest period that is followed. Publishers below it are listed once per configured resolution.
	shortest = 2 * time.Second
	// longest is the longest period that is followed: more than that is an outage.
	longest = 2 * time.Minute
)

// slowStep is for times in which nothing is expected soon.
func slowStep(resolution time.Duration) time.Duration {
	return min(max(resolution/3, fastest), slowest)
}

// pause is how long to wait after an observation in order to LIST at a moment, or as soon after it as is decent.
func pause(o observation, at time.Time) time.Duration {
	took := o.done.Sub(o.sent)
	return max(at.Sub(o.done), closest-took, took/2, breather)
}
