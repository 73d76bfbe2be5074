package loadsim

import (
	"context"
	"fmt"
	"time"
)

// run publishes a sample set at every tick until ctx ends. A tick that was missed is left out.
func (s *simulation) run(ctx context.Context) {
	for {
		tick := s.nextTick(time.Now())
		timer := time.NewTimer(time.Until(tick))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			s.tick(tick)
		}
	}
}

// nextTick is the first time later than now that lies a whole number of periods after the start.
func (s *simulation) nextTick(now time.Time) time.Time {
	return s.start.Add(now.Sub(s.start).Truncate(s.options.Period) + s.options.Period)
}

// tick measures, which also forgets what is past, and publishes unless sampling is frozen.
func (s *simulation) tick(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.measure(at)
	if s.fault.Stale {
		return
	}
	set.Published = time.Now()
	s.served = set
	close(s.published)
	s.published = make(chan struct{})
}

// await returns the first published set with a timestamp later than after.
func (s *simulation) await(ctx context.Context, after time.Time) (Sample, error) {
	for {
		last, next := s.last()
		if last.Timestamp.After(after) {
			return last, nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return last, fmt.Errorf("no sample set later than %s: %w", after.Format(time.RFC3339Nano), ctx.Err())
		}
	}
}

// last is the sample set that is served and the channel that is closed when another one takes its place.
func (s *simulation) last() (Sample, <-chan struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.served.Sample, s.published
}
