package annotations

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// SourceLine is what a line of mini-hpa/sources, or the one of mini-hpa/wake, says beside its target.
type SourceLine struct {
	// Number is the line's place in the annotation; the first is 1.
	Number int
	// Query is the name of the administrator's query; empty where the source has none. Of mini-hpa/wake it is "requests".
	Query string
	// Given are the values that the line gives, by key, without those that say what the number is held at.
	Given map[string]string
	// Active is what the number must be above for the workload to be woken and kept awake.
	Active resource.Quantity
	// Limit is the most replicas that the line asks for; 0 is no limit.
	Limit int32
	// Signal says that there is no target: the line asks for one replica while it is active, unless its source has a target of its own.
	Signal bool
}

// Counted says what of the source is counted: the name of the query, or what the keys lead to. It is a part of the metric's name, so that it does
// not depend on what the administrator has listed: a trace means the same without that list. It does not change.
func (l *SourceLine) Counted() string {
	gives := func(keys ...string) bool {
		return slices.ContainsFunc(keys, func(key string) bool { _, given := l.Given[key]; return given })
	}
	switch {
	case l.Query != "":
		return l.Query
	case gives("group") && gives("topic", "stream"):
		return "lag"
	case gives("queue"):
		return "messages"
	case gives("consumer"):
		return "pending"
	case gives("list", "set", "sorted-set", "stream"):
		return "length"
	case gives("selector"):
		return "pods"
	}
	return "value"
}

// labels are the given values, sorted by key, in braces.
func (l *SourceLine) labels() string {
	if len(l.Given) == 0 {
		return ""
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(l.Given)) {
		value := l.Given[key]
		if value == "" || strings.ContainsFunc(value, unclear) {
			value = strconv.Quote(value)
		}
		fmt.Fprintf(&b, ",%s=%s", key, value)
	}
	return "{" + b.String()[1:] + "}"
}

// unclear says that a value with the character is put in quotes, so that it is known where it ends.
func unclear(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(",{}\"`\\", c) }
