package sources

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
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
	// mostOfNamespace is how many failures of one namespace the log has in that time: names of queues may be made up without an end.
	mostOfNamespace = 20
	// mostLogged is how much of an error the log has, in bytes.
	mostLogged = 2000
)

// incidents are the failures of a source that the log has, so that a message can name one, and each is there once in a while and not at each
// request.
type incidents struct {
	log     *zap.Logger
	message string
	secrets *secrets
	mu      sync.Mutex
	known   map[incident]*record
	// spent is what the log has of each namespace.
	spent map[string]*spending
}

// spending is how many lines of the log a namespace has had since then.
type spending struct {
	since time.Time
	lines int
}

// incident is what makes failures the same. Those of a single question are counted for each namespace.
type incident struct{ told, namespace string }

type record struct {
	id     string
	logged time.Time
}

// name returns the id by which the log has a failure of a question of the namespace from. If isOwn, no other namespace has the failure; otherwise
// all may, and the id is the same for them.
func (i *incidents) name(told, from string, isOwn bool, err error, fields ...zapcore.Field) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	now, which := time.Now(), incident{told: told}
	if isOwn {
		which.namespace = from
	}
	message := i.message
	r := i.fresh(which, now)
	if r == nil && i.isSpent(from, now) {
		which, message = incident{namespace: from}, message+"; the log has no more for some time of questions of its namespace"
		r = i.fresh(which, now)
	}
	if r != nil {
		return r.id
	}
	if r = i.known[which]; r == nil {
		i.forget(now)
		r = &record{id: newID()}
		i.known[which] = r
	}
	r.logged = now
	i.spent[from].lines++
	text := i.secrets.hide(err.Error())
	if len(text) > mostLogged {
		text = text[:mostLogged] + "..."
	}
	i.log.Warn(message, append(fields, zap.String("id", r.id), zap.String("told", told), zap.String("error", text))...)
	return r.id
}

// fresh is the record of a failure that the log has had not long ago; nil if it has not.
func (i *incidents) fresh(which incident, now time.Time) *record {
	if r := i.known[which]; r != nil && now.Sub(r.logged) < sameIncident {
		return r
	}
	return nil
}

// isSpent says whether the log has enough of a namespace.
func (i *incidents) isSpent(namespace string, now time.Time) bool {
	if i.spent == nil {
		i.spent = map[string]*spending{}
	}
	maps.DeleteFunc(i.spent, func(_ string, s *spending) bool { return now.Sub(s.since) >= sameIncident })
	if i.spent[namespace] == nil {
		i.spent[namespace] = &spending{since: now}
	}
	return i.spent[namespace].lines >= mostOfNamespace
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
