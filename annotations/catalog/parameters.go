package catalog

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Parameters are the values of a question, in a form in which equal ones are equal: sorted by key, each as key="value" with the value as a Go
// string, a blank between two of them. Names that begin with "$" are of who asks, and are there only where the answer depends on them.
type Parameters string

// The names of who asks, as queries write them and as they are keys of Parameters.
const (
	OfNamespace = "$namespace" // the workload's namespace
	OfWorkload  = "$workload"  // its name
	OfKind      = "$kind"      // its kind, such as Deployment
)

// ParametersOf makes Parameters of values by key. A key has no blank, no quote and no "=".
func ParametersOf(values map[string]string) Parameters {
	var text []byte
	for i, key := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			text = append(text, ' ')
		}
		text = append(append(text, key...), '=')
		text = strconv.AppendQuote(text, values[key])
	}
	return Parameters(text)
}

// Get returns the value of a key, and whether there is one.
func (p Parameters) Get(key string) (string, bool) {
	for k, value := range p.All() {
		if k == key {
			return value, true
		}
	}
	return "", false
}

// All are the keys and their values, in the order of the keys.
func (p Parameters) All() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for rest := string(p); rest != ""; rest = strings.TrimPrefix(rest, " ") {
			key, behind, _ := strings.Cut(rest, "=")
			quoted, err := strconv.QuotedPrefix(behind)
			if err != nil {
				return // not made by ParametersOf
			}
			value, _ := strconv.Unquote(quoted) // which QuotedPrefix has tried
			if rest = behind[len(quoted):]; !yield(key, value) {
				return
			}
		}
	}
}

// String is for messages: all of it prints.
func (p Parameters) String() string { return string(p) }
