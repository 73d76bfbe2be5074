package sources

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// hide takes secrets out of a text for the log, such as a server's answer which repeats what it was asked.
func hide(text string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}

// secrets are the credentials that a client has read of late, so that they can be taken out of whatever is logged of it. A nil one knows none.
type secrets struct {
	mu    sync.Mutex
	known []string
}

const (
	// mostSecrets is how many are known: those of an entry, and what they were before they were renewed. forms is in how many ways each may be written.
	mostSecrets, forms = 32, 3
	// mostQuoted is how many characters an error quotes of what breaks a protocol.
	mostQuoted = 40
	// leastSecret is how long a text is at least that can be told from other text. The name of a user may be shorter.
	leastSecret = 4
)

func (s *secrets) add(all ...string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range all {
		if len(secret) < leastSecret || slices.Contains(s.known, secret) {
			continue
		}
		// Also as it is in quotes, as servers repeat it and as texts of others are logged.
		for range forms {
			s.known = append(s.known, secret)
			quoted := strconv.Quote(secret)
			secret = quoted[1 : len(quoted)-1]
		}
		s.known = s.known[max(0, len(s.known)-forms*mostSecrets):]
	}
}

// hide takes them out of a text.
func (s *secrets) hide(text string) string {
	if s == nil {
		return text
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return hide(text, s.known...)
}

// quote is the first characters of what others have said, in quotes. Secrets are taken out before it is cut: of half of one nobody could tell that it is one.
func (s *secrets) quote(said string, characters int) string {
	return fmt.Sprintf("%.*q", characters, s.hide(said))
}
