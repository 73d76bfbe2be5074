package sources

import (
	"cmp"
	"errors"
	"maps"
	"sync"
	"time"
)

const (
	// mostFailures is how many requests in a row fail until a system is left alone.
	mostFailures = 5
	// firstRest is for how long at first; each time that it fails again afterwards, it is twice as long, up to longestRest.
	firstRest, longestRest = 15 * time.Second, 2 * time.Minute
)

// breakers leave a system alone that does not answer, each for one namespace: what a namespace asks may be what the system fails at, and must not
// keep the others from asking.
type breakers struct {
	mu    sync.Mutex
	of    map[string]*breaker
	swept time.Time
}

// breaker leaves a system alone that does not answer, so that it can recover, and so that nobody waits for it:
//
//	answers ---5 failures---> rests 15 s ---> one request ---answered---> answers
//	                             ^                |
//	                             +--- rests 30 s, 60 s, 2 min <---failed
type breaker struct {
	// failures are those in a row, last what was told of the newest.
	failures int
	last     error
	rest     time.Duration
	until    time.Time
	// probing says that the one request is under way.
	probing bool
	used    time.Time
}

// try returns what to call when a request for a namespace has ended, with what it says of the system, and whether it is the one request after a
// rest; nil if the system must not be asked.
func (b *breakers) try(namespace string) (done func(outcome), isProbe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep()
	one := b.known(namespace)
	one.used = time.Now()
	isProbe = one.failures >= mostFailures
	if isProbe && (one.probing || time.Now().Before(one.until)) {
		return nil, false
	}
	one.probing = one.probing || isProbe
	return func(o outcome) {
		b.mu.Lock()
		defer b.mu.Unlock()
		one.done(isProbe, o)
	}, isProbe
}

// why is the failure for which the system is left alone.
func (b *breakers) why(namespace string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return cmp.Or(b.known(namespace).last, errors.New("it has failed"))
}

// told keeps what a namespace was told of a failure of the system.
func (b *breakers) told(namespace string, failure error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known(namespace).last = failure
}

// known is that of a namespace. b.mu is held.
func (b *breakers) known(namespace string) *breaker {
	if b.of == nil {
		b.of = map[string]*breaker{}
	}
	if b.of[namespace] == nil {
		b.of[namespace] = &breaker{}
	}
	return b.of[namespace]
}

// sweep forgets namespaces that have not asked for long. b.mu is held.
func (b *breakers) sweep() {
	if time.Since(b.swept) < time.Minute {
		return
	}
	b.swept = time.Now()
	maps.DeleteFunc(b.of, func(_ string, one *breaker) bool { return !one.probing && time.Since(one.used) > unusedAge })
}

// outcome is what a request says of the system.
type outcome int

const (
	works outcome = iota
	fails
	unknown // it was given up for another reason
)

func (b *breaker) done(wasProbe bool, o outcome) {
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
