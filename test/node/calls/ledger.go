package calls

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Ledger counts how often each request was served. It is served over HTTP, to the pods.
type Ledger struct {
	mu      sync.Mutex
	entries map[string]int
	began   map[string]time.Time
}

// pathBegan is where a process that serves requests says that it begins, by its name.
const pathBegan = "/began"

// ServeHTTP takes the number of a request as the body.
func (l *Ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, err := io.ReadAll(io.LimitReader(r.Body, 100))
	if err != nil || len(id) == 0 {
		http.Error(w, "a number is wanted", http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries == nil {
		l.entries, l.began = map[string]int{}, map[string]time.Time{}
	}
	if r.URL.Path == pathBegan {
		if l.began[string(id)].IsZero() { // it may begin again after a crash
			l.began[string(id)] = time.Now()
		}
		return
	}
	l.entries[string(id)]++
}

// Entries are how many requests were served, and those that were served more than once.
func (l *Ledger) Entries() (served int, twice []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, n := range l.entries {
		if n > 1 {
			twice = append(twice, id)
		}
	}
	return len(l.entries), twice
}

// Began is when the process of a name said that it begins, the first time; zero if it has not.
func (l *Ledger) Began(name string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.began[name]
}

// enter tells a ledger at a URL that a request is being served.
func enter(ctx context.Context, ledger string, id []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, ledger, bytes.NewReader(id))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the ledger answers %s: %w", answer.Status, err)
	}
	return nil
}
