package sources

import (
	"fmt"
	"sync"
	"time"

	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// settling knows for how long the values of questions have been 0, for systems that only count approximately: a 0 of theirs counts when
// it has lasted.
type settling struct {
	// lasting is how long; 0 is at once.
	lasting time.Duration
	mu      sync.Mutex
	known   map[metrics.Question]*zeros
	swept   time.Time
}

// zeros is what is known of one question.
type zeros struct {
	// since is when the first 0 in a row came; zero while the value is above 0. worked says that it was once above 0.
	since, asked time.Time
	worked       bool
}

// settle is the answer that counts. Before a 0 has lasted, there is still something to do if there was before; nothing is known yet
// otherwise, because a workload that sleeps must not be woken by that.
func (s *settling) settle(q metrics.Question, a metrics.Answer) (metrics.Answer, error) {
	if s.lasting == 0 {
		return a, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.sweep(now)
	z := s.known[q]
	if z == nil {
		z = &zeros{}
		s.known[q] = z
	}
	z.asked = now
	if !a.External[0].Value.IsZero() {
		z.worked, z.since = true, time.Time{}
		return a, nil
	}
	if z.since.IsZero() {
		z.since = now
	}
	switch {
	case now.Sub(z.since) >= s.lasting:
		return a, nil
	case z.worked:
		active := true
		a.Hint.Active = &active
		return a, nil
	}
	return metrics.Answer{}, fmt.Errorf("it has not been 0 for %s yet: %w", s.lasting, metrics.ErrPending)
}

// sweep forgets what nobody has asked for some time.
func (s *settling) sweep(now time.Time) {
	if s.known == nil {
		s.known = map[metrics.Question]*zeros{}
	}
	often := s.lasting + 10*time.Minute
	if now.Sub(s.swept) < often {
		return
	}
	s.swept = now
	for q, z := range s.known {
		if now.Sub(z.asked) > often {
			delete(s.known, q)
		}
	}
}
