package sources

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// settling knows what the values of questions were of late, for systems that only count approximately: that there is nothing to do counts when it has
// lasted. From which value on there is something to do, a line says, so that it is the decision that compares.
type settling struct {
	// lasting is how long; 0 is at once.
	lasting time.Duration
	mu      sync.Mutex
	known   map[metrics.Question]*lately
	swept   time.Time
}

// lately is what is known of one question: since when, when it was asked last, and those of its values that were the largest of all since.
//
//	value ^  500 ----+
//	      |          +-- 40 ----+
//	      |                     +-- 0 -->
//	      +-------------------------------> time
type lately struct {
	since, asked time.Time
	steps        []step
}

// step is a value that held from one answer to the next one that was lower. The last step still holds, and its until is zero.
type step struct {
	value       resource.Quantity
	from, until time.Time
}

// finest is how many steps there are at most within the time for which a value has to last.
const finest = 16

// settle adds to an answer what it takes for it to say that there is nothing to do.
func (s *settling) settle(q metrics.Question, a metrics.Answer) metrics.Answer {
	if s.lasting == 0 {
		return a
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	l := s.of(q, now)
	value := a.External[0].Value
	l.add(value, now, s.lasting)
	switch most := l.steps[0].value; {
	case now.Sub(l.since) < s.lasting:
		a.Hint.Settling = metav1.Duration{Duration: s.lasting}
	case most.Cmp(value) > 0:
		a.Hint.Settling, a.Hint.Recent = metav1.Duration{Duration: s.lasting}, &most
	}
	return a
}

// add adds a value, and forgets those that ended longer ago than one has to last.
func (l *lately) add(value resource.Quantity, now time.Time, lasting time.Duration) {
	last := len(l.steps) - 1
	for ; last >= 0 && l.steps[last].value.Cmp(value) < 0; last-- {
		l.steps = l.steps[:last] // the larger one lasts longer than they do
	}
	switch isLower := last >= 0 && l.steps[last].value.Cmp(value) > 0; {
	case last >= 0 && !isLower: // it goes on
	case isLower && l.steps[last].until.IsZero() && now.Sub(l.steps[last].from) < lasting/finest: // the larger one counts until the next answer
	default:
		if isLower && l.steps[last].until.IsZero() {
			l.steps[last].until = now
		}
		l.steps = append(l.steps, step{value: value, from: now})
	}
	l.steps[len(l.steps)-1].until = time.Time{}
	for len(l.steps) > 1 && now.Sub(l.steps[0].until) >= lasting {
		l.steps = l.steps[1:]
	}
}

// unasked is for how long nobody asks until a question is forgotten, beside the time that a value has to last: some times the longest sync period.
const unasked = 4 * time.Hour

// of is what is known of a question that is being asked. s.mu is held.
func (s *settling) of(q metrics.Question, now time.Time) *lately {
	if s.known == nil {
		s.known = map[metrics.Question]*lately{}
	}
	l := s.known[q]
	if l == nil {
		l = &lately{since: now}
		s.known[q] = l
	}
	l.asked = now
	if often := s.lasting + unasked; now.Sub(s.swept) >= often {
		s.swept = now
		maps.DeleteFunc(s.known, func(_ metrics.Question, l *lately) bool { return now.Sub(l.asked) > often })
	}
	return l
}
