package sources

import (
	"sync"
	"time"
)

// Status is how a source of the file stands.
type Status struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Last is the newest request that has ended; zero if there was none.
	Last Request `json:"last,omitzero"`
	// Answered is when the system last answered something; zero if it never has.
	Answered time.Time `json:"answered,omitzero"`
	// Failure is what was told of the system since it was asked last; empty if it has answered. A failure of a single question is none of the system.
	Failure string `json:"failure,omitempty"`
	// Resting is for how many namespaces the system is left alone, because it has failed.
	Resting int `json:"resting,omitempty"`
}

// Request is one request to a source, with all questions that it had.
type Request struct {
	Asked     time.Time     `json:"asked"`
	Took      time.Duration `json:"took"`
	Questions int           `json:"questions"`
	// Result is ok, failed or timeout, as that of mini_hpa_source_requests_total.
	Result string `json:"result"`
}

// standing is what a source remembers of its requests.
type standing struct {
	mu       sync.Mutex
	last     Request
	answered time.Time
	failure  string
	failed   time.Time
}

// ended keeps a request.
func (s *standing) ended(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last = r; r.Result == resultOK {
		s.answered = r.Asked.Add(r.Took)
	}
}

// told keeps what was told of a failure of the system.
func (s *standing) told(failure string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure, s.failed = failure, time.Now()
}

// status is what is remembered.
func (s *standing) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := Status{Last: s.last, Answered: s.answered}
	if !s.failed.Before(s.last.Asked) {
		all.Failure = s.failure
	}
	return all
}
