package sources

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// mostFailures is how many requests in a row fail until a system is left alone.
	mostFailures = 5
	// firstRest is for how long at first; each time that it fails again afterwards, it is twice as long, up to longestRest.
	firstRest, longestRest = 15 * time.Second, 2 * time.Minute
	// mostTries is how many requests that try a system again may fail until the others wait for the next time.
	mostTries = 3
	// companies is into how many requests one is split that has failed.
	companies = 8
)

// breakers leave a system alone that does not answer, each for one namespace: what a namespace asks may be what the system fails at, and must not
// keep the others from asking.
type breakers struct {
	mu    sync.Mutex
	of    map[string]*breaker
	swept time.Time
	// recoveries is how often the system has answered when it was tried again.
	recoveries uint64
}

// breaker leaves a system alone that does not answer, so that it can recover, and so that nobody waits for it:
//
//	answers ---5 failures---> rests 15 s ---> one request ---answered---> answers
//	                             ^                |
//	                             +--- rests 30 s, 60 s, 2 min <---failed
//
// Of the namespaces that rest one is asked for first, and when that is answered all others together, before their time too:
//
//	one ---answered---> all others ---failed---> an eighth of them at a time ---failed---> an eighth of these ... ---failed---> alone, by its own rest
type breaker struct {
	// failures are those in a row, last what was told of the newest.
	failures int
	last     error
	rest     time.Duration
	until    time.Time
	// probing says that the one request is under way.
	probing bool
	used    time.Time
	// seen are the recoveries when it failed last. Whatever fails although there was one since may fail by what it asks.
	seen uint64
	// company is for how many the system may be tried again together with this one, since that has failed; 0 is any number.
	company int
}

// try says whether the system is well for a namespace, so that it is asked.
func (b *breakers) try(namespace string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep()
	one := b.known(namespace)
	one.used = time.Now()
	return !one.rests()
}

// again returns for which of the namespaces that rest the system is tried again, in one request: one whose rest is over, at random; or, where it is
// known that the system works, as many as may be together. All are tried again before their time once one that rested has an answer.
func (b *breakers) again(resting []string, isWell bool) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	due := slices.DeleteFunc(slices.Clone(resting), func(namespace string) bool {
		one := b.known(namespace)
		hopes := one.company != 1 && one.seen != b.recoveries
		return !one.rests() || one.probing || time.Now().Before(one.until) && !hopes
	})
	if len(due) == 0 {
		return nil
	}
	rand.Shuffle(len(due), func(i, k int) { due[i], due[k] = due[k], due[i] })
	company := 0
	for _, namespace := range due {
		company = max(company, b.known(namespace).mostTogether())
	}
	due = slices.DeleteFunc(due, func(namespace string) bool { return b.known(namespace).mostTogether() < company })
	if !isWell {
		company = 1
	}
	due = due[:min(company, len(due))]
	for _, namespace := range due {
		b.known(namespace).probing = true
	}
	return due
}

// ended keeps what a request says of the system to a namespace. tried is for how many it was tried again by that request, if it was.
func (b *breakers) ended(namespace string, o outcome, tried int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.known(namespace)
	if tried > 0 {
		one.probing = false
	}
	switch {
	case o == works:
		one.failures, one.rest, one.company = 0, 0, 0
		if tried > 0 {
			b.recoveries++
		}
	case o == fails && tried > 1: // by whose question is not known
		one.company, one.until = max(1, tried/companies), time.Now()
	case o == fails:
		one.failures++
		if one.failures == mostFailures || tried > 0 {
			one.rest = min(max(2*one.rest, firstRest), longestRest)
			one.until = time.Now().Add(one.rest)
		}
		if one.company = 0; one.seen != b.recoveries {
			one.company = 1
		}
		one.seen = b.recoveries
	}
}

// why is the failure for which the system is left alone.
func (b *breakers) why(namespace string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return cmp.Or(b.known(namespace).last, errors.New("it has failed"))
}

// resting is for how many namespaces the system is left alone.
func (b *breakers) resting() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.of {
		if one.rests() {
			n++
		}
	}
	return n
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

// rests says whether the system is left alone, or is tried again.
func (b *breaker) rests() bool { return b.failures >= mostFailures }

// mostTogether is for how many at most the system is tried again with this one.
func (b *breaker) mostTogether() int { return cmp.Or(b.company, math.MaxInt) }
