package catalog

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Type is a type of source, such as kafka: what an entry of it says, and what a line may ask.
type Type struct {
	// Name is what the file calls it.
	Name string
	// Settings returns what an entry says beside the fields that all entries have, to be filled in. Nil is nothing.
	Settings func() Settings
	// Queries says that what can be asked are the entry's queries. Otherwise it is one question, with these Parameters.
	Queries bool
	// Parameters are the keys of a line.
	Parameters []Parameter
	// OneOf are those of the Parameters of which a line gives exactly one, such as the kinds of keys of redis.
	OneOf []string
	// Open says that each key which Entry.Allow names is a parameter, too, of any printable characters.
	Open bool
	// PerWorkload says that the answer depends on who asks, so that no two workloads share one.
	PerWorkload bool
	// Entryless says that it needs no entry in the file: it is there under its own name, for everybody.
	Entryless bool
}

// Settings is what an entry says beside the fields that all entries have. It is decoded from JSON, strictly.
type Settings interface {
	// Check says what is wrong with it. The entry is complete otherwise, and its Queries are checked as far as they are the same for
	// all types.
	Check(e *Entry, at *field.Path) field.ErrorList
}

// Kind is what the value of a parameter may be.
type Kind string

// The kinds of parameters. None of them allows a blank, a quote, a "$", a backslash or a brace.
const (
	KindName     Kind = "name"     // up to 253 of A-Z, a-z, 0-9, ".", "_" and "-"
	KindWord     Kind = "word"     // up to 253 printable characters
	KindInteger  Kind = "integer"  // a number from Min to Max
	KindDuration Kind = "duration" // a Go duration from Min to Max, in whole seconds
	KindEnum     Kind = "enum"     // one of Values
)

// Parameter is one key that a line gives, or may give.
type Parameter struct {
	// Name is the key.
	Name string `json:"-"`
	// Kind is what its value may be.
	Kind Kind `json:"type"`
	// Min and Max bound an integer or a duration, and are written as one; empty is no bound.
	Min string `json:"min,omitempty"`
	Max string `json:"max,omitempty"`
	// Values are those of an enum.
	Values []string `json:"values,omitempty"`
	// Default is the value where the line gives none; it may be $workload or $namespace. Without one the line must give it, unless it is
	// Optional.
	Default string `json:"default,omitempty"`
	// Optional says that it may be missing.
	Optional bool `json:"-"`
	// With is another parameter, beside which alone this one may stand.
	With string `json:"-"`
	// Allowed says that the entry's Allow has to name its values: it says whose messages are counted.
	Allowed bool `json:"-"`
}

// Entry is one source of the file.
type Entry struct {
	// Name is a DNS label, and the first word of a line.
	Name string
	Type *Type
	// Namespaces are globs of those that may ask; the first that fits counts, and "!" excludes.
	Namespaces []string
	// Allow has, by parameter, globs of the values that may be asked for. In them $namespace stands for the workload's.
	Allow map[string][]string
	// Queries are what can be asked, where the Type says so.
	Queries []Query
	// Timeout is the deadline of a request, Concurrency how many may be under way. MaxAge is how old an answer may become before it is
	// asked for again, where the workload's sync period is not longer.
	Timeout, MaxAge time.Duration
	Concurrency     int
	// Settle is how long a value must have been 0 before it counts as 0, for sources that only count approximately; 0 is at once.
	Settle time.Duration
	// Settings is what the Type has beside that; nil if it has nothing.
	Settings Settings
	// Digest is the same for entries that say the same.
	Digest string
}

// Query is a question that the administrator has written. Which of Query, Path and Value there are depends on the type of source.
type Query struct {
	// Name is the second word of a line.
	Name string `json:"name"`
	// Query is its text, in the language of the source, Path a path of HTTP, Value a JSON pointer (RFC 6901) to the number.
	Query string `json:"query,omitempty"`
	Path  string `json:"path,omitempty"`
	Value string `json:"value,omitempty"`
	// Parameters are what a line gives, by name.
	Parameters map[string]Parameter `json:"parameters,omitempty"`
	// Empty is what no value stands for: "failure", the default, or "0".
	Empty string `json:"empty,omitempty"`
	// Unit is what messages call the number.
	Unit string `json:"unit,omitempty"`
}
