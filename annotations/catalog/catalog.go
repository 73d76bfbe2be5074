package catalog

// Catalog is a file of sources that has been checked. It is never changed: a new file makes a new one. The zero value has only what needs no entry.
type Catalog struct {
	entries map[string]*Entry
	names   []string // in the order of the file
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
