package sources

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	// sameIncident is for how long a failure is the same as one before, which the log has already.
	sameIncident = 10 * time.Minute
	// mostIncidents is how many are known at a time.
	mostIncidents = 1000
	// mostLogged is how much of an error the log has, in bytes.
	mostLogged = 2000
)

// incidents are the failures of a source that the log has, so that a message can name one, and each is there once in a while and not at each
// request.
type incidents struct {
	log     *zap.Logger
	message string
	mu      sync.Mutex
	known   map[incident]*record
}

// incident is what makes failures the same. Those of a single question are counted for each namespace.
type incident struct{ told, namespace string }

type record struct {
	id     string
	logged time.Time
}

// name returns the id by which the log has a failure.
func (i *incidents) name(told, namespace string, err error, fields ...zapcore.Field) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	now, which := time.Now(), incident{told, namespace}
	r := i.known[which]
	if r != nil && now.Sub(r.logged) < sameIncident {
		return r.id
	}
	if r == nil {
		i.forget(now)
		r = &record{id: newID()}
		i.known[which] = r
	}
	r.logged = now
	text := err.Error()
	if len(text) > mostLogged {
		text = text[:mostLogged] + "..."
	}
	i.log.Warn(i.message, append(fields, zap.String("id", r.id), zap.String("told", told), zap.String("error", text))...)
	return r.id
}

// forget makes room.
func (i *incidents) forget(now time.Time) {
	if i.known == nil {
		i.known = map[incident]*record{}
	}
	for which, r := range i.known {
		if now.Sub(r.logged) >= 2*sameIncident || len(i.known) >= mostIncidents {
			delete(i.known, which)
		}
	}
}

// newID is short enough to be typed, and long enough that two of a day differ.
func newID() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
