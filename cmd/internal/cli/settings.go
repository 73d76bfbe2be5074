package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Settings are annotations that a user wants to try, as a flag that may be repeated. An empty value removes one.
type Settings map[string]string

// String is empty: there is no default.
func (s Settings) String() string { return "" }

// Type is the placeholder in the flag's help.
func (s Settings) Type() string { return "mini-hpa/KEY=VALUE" }

// Allowed says in words what may be written.
func (s Settings) Allowed() string {
	return "mini-hpa/KEY=VALUE with a KEY of docs/annotations.md, such as mini-hpa/target-cpu=70, each KEY once"
}

// Set takes one annotation, or refuses it without a word: the caller asks Allowed for the words.
func (s Settings) Set(pair string) error {
	key, value, found := strings.Cut(pair, "=")
	_, twice := s[key]
	if !found || twice || !annotations.IsKnown(key) {
		return errors.New("not allowed")
	}
	s[key] = value
	return nil
}

// Apply returns the annotations with the settings in place; nil if there are no settings.
func (s Settings) Apply(recorded map[string]string) map[string]string {
	if len(s) == 0 {
		return nil
	}
	changed := maps.Clone(recorded)
	if changed == nil {
		changed = map[string]string{}
	}
	for key, value := range s {
		if changed[key] = value; value == "" {
			delete(changed, key)
		}
	}
	return changed
}

// Words lists the settings in order, as they were given.
func (s Settings) Words() string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(s)) {
		pairs = append(pairs, fmt.Sprintf("%s=%s", key, s[key]))
	}
	return strings.Join(pairs, " ")
}

// Sets says whether a field, by its path in the object, is an annotation that is set here.
func (s Settings) Sets(path string) bool {
	for key := range s {
		if path == annotations.Path(key).String() {
			return true
		}
	}
	return false
}
