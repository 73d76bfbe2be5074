package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// settings are annotations that a user wants to try, as a flag that may be repeated. An empty value removes one.
type settings map[string]string

// String is empty: there is no default.
func (s settings) String() string { return "" }

// Type is the placeholder in the flag's help.
func (s settings) Type() string { return "mini-hpa/KEY=VALUE" }

// Allowed says in words what may be written.
func (s settings) Allowed() string {
	return "mini-hpa/KEY=VALUE with a KEY of docs/annotations.md, such as mini-hpa/target-cpu=70, each KEY once"
}

// Set takes one annotation, or refuses it without a word: the caller asks Allowed for the words.
func (s settings) Set(pair string) error {
	key, value, found := strings.Cut(pair, "=")
	_, twice := s[key]
	known := slices.ContainsFunc(annotations.Rows(), func(k annotations.Row) bool { return k.Name == key })
	if !found || twice || !known {
		return errors.New("not allowed")
	}
	s[key] = value
	return nil
}

// apply returns the annotations with the settings in place; nil if there are no settings.
func (s settings) apply(recorded map[string]string) map[string]string {
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

// words lists the settings in order, as they were given.
func (s settings) words() string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(s)) {
		pairs = append(pairs, fmt.Sprintf("%s=%s", key, s[key]))
	}
	return strings.Join(pairs, " ")
}
