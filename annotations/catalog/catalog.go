package catalog

import (
	"time"
)

// Catalog is a file of sources that has been checked. It is never changed: a new file makes a new one. The zero value has only what needs no entry.
type Catalog struct {
	entries map[string]*Entry
	names   []string // in the order of the file
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

// Workload is who asks.
type Workload struct{ Namespace, Kind, Name string }

// Asked is what a line asks for: the words and values of it, without those that say what the number is held at.
type Asked struct {
	Source, Query string
	Given         map[string]string
}

// Problem is why a line may not ask what it asks. Rule is the name of a finding.
type Problem struct{ Rule, Message string }

// The rules of Problem.
const (
	UnknownSource   = "UnknownSource"   // no such entry, or none that the namespace may know of
	UnknownQuery    = "UnknownQuery"    // the entry has no such query
	SourceForbidden = "SourceForbidden" // Namespaces or Allow say no
	BadParameter    = "BadParameter"    // missing, unknown, or out of its range
)
