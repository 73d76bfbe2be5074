package sources

import (
	"sync"
	"time"
)

const (
	// mostFailures is how many requests in a row fail until a system is left alone.
	mostFailures = 5
	// firstRest is for how long at first; each time that it fails again afterwards, it is twice as long, up to longestRest.
	firstRest, longestRest = 15 * time.Second, 2 * time.Minute
)

// breaker leaves a system alone that does not answer, so that it can recover, and so that nobody waits for it:
//
//	answers ---5 failures---> rests 15 s ---> one request ---answered---> answers
//	                             ^                |
//	                             +--- rests 30 s, 60 s, 2 min <---failed
type breaker struct {
	mu sync.Mutex
	// failures are those in a row.
	failures int
	rest     time.Duration
	until    time.Time
	// probing says that the one request is under way.
	probing bool
}

// try returns what to call when the request has ended, with whether the system has answered; nil if it must not be asked.
func (b *breaker) try() (done func(outcome)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	isProbe := b.failures >= mostFailures
	if isProbe && (b.probing || time.Now().Before(b.until)) {
		return nil
	}
	b.probing = b.probing || isProbe
	return func(o outcome) { b.done(isProbe, o) }
}

// outcome is what a request says of the system.
type outcome int

const (
	works outcome = iota
	fails
	unknown // it was given up for another reason
)

func (b *breaker) done(wasProbe bool, o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wasProbe {
		b.probing = false
	}
	switch o {
	case works:
		b.failures, b.rest = 0, 0
	case fails:
		b.failures++
		if b.failures == mostFailures || wasProbe {
			b.rest = min(max(2*b.rest, firstRest), longestRest)
			b.until = time.Now().Add(b.rest)
		}
	case unknown:
	}
}
