package catalog

import (
	"slices"
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
	// Settle is Entry.Settle where the file does not say it.
	Settle time.Duration
	// Entryless says that it needs no entry in the file: it is there under its own name, for everybody.
	Entryless bool
}

// Settings is what an entry says beside the fields that all entries have: a pointer to a struct. Its exported fields with a json tag are
// filled in by their names in that, and there may be text, whole numbers, booleans, structs (also embedded), pointers, lists and maps of these, and
// what reads itself from text (json.Unmarshaler), such as metav1.Duration. An unknown field is an error, and so are an empty text and one above 4 KiB.
type Settings interface {
	// Check says what is wrong with it. The entry is complete otherwise, and its Queries are checked as far as they are the same for
	// all types. It is not called for an entry with which something else is wrong.
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
	// Optional. Where Allow leaves one value only, that is the default instead.
	Default string `json:"default,omitempty"`
	// Optional says that it may be missing.
	Optional bool `json:"-"`
	// With is another parameter, beside which alone this one may stand, and of whose value it chooses a part: a group of a stream.
	With string `json:"-"`
	// Allowed says that the entry's Allow has to name its values: it says whose messages are counted.
	Allowed bool `json:"-"`
	// Scope says that what is counted is within it, whatever the other parameters say, such as a vhost of RabbitMQ: where Allow holds
	// it to the namespace, it holds all to that.
	Scope bool `json:"-"`
}

// Entry is one source of the file.
type Entry struct {
	// Name is a DNS label, and the first word of a line.
	Name string
	Type *Type `json:"-"`
	// Namespaces are globs of those that may ask; the first that fits counts, and "!" excludes. Without any, nobody may. Where the file does not say
	// it, it is everybody if Allow holds all that may be asked for to the namespace, so that no value is for two of them, and nobody otherwise.
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
	// Digest is the same for entries that say the same, of their type, under the same name. What their paths lead to is not part of it.
	Digest string `json:"-"`
}

// Query is a question that the administrator has written. Which of Query, Path and Value there are depends on the type of source. Query and Path
// are Templates of its Parameters and of who asks.
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

// Declares says whether a template of the query may use a variable: its parameters, and who asks.
func (q *Query) Declares(name string) bool {
	_, ok := q.Parameters[name]
	return ok || isOfWorkload(name)
}

// uses says whether the query depends on a variable.
func (q *Query) uses(name string) bool {
	for _, text := range []string{q.Query, q.Path} {
		if t, err := ParseTemplate(text, q.Declares); err == nil && t.Uses(name) {
			return true
		}
	}
	return false
}

// isOfWorkload says whether a variable is about who asks.
func isOfWorkload(name string) bool {
	return name == OfNamespace[1:] || name == OfWorkload[1:] || name == OfKind[1:]
}

// reserved are keys of a line that say what the number is held at. No parameter has such a name.
var reserved = []string{"target", "total", "active", "limit"}

// IsReserved says whether a key of a line is none of the source, but says what the number is held at.
func IsReserved(key string) bool { return slices.Contains(reserved, key) }
