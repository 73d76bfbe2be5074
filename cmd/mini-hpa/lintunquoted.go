package main

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// withUnquoted is the verdict with the problems of the manifest, those first. What else there is to say of a value that only lacks quotes is
// said together with that, and nothing of what was made of a field that could not be read.
func (d *candidate) withUnquoted(v annotations.Verdict) annotations.Verdict {
	u := unquotedValues{own: map[string]*field.Error{}, said: map[string]int{}}
	unread := map[string]bool{}
	var all field.ErrorList
	for _, problem := range d.problems {
		told := *problem
		if told.Origin == annotations.FoundInvalid {
			u.own[told.Field] = &told
		}
		unread[told.Field] = unread[told.Field] || told.Origin == annotations.FoundInvalidField
		all = append(all, &told)
	}
	for _, other := range v.Problems {
		if !u.takesProblem(other) && !isPartOf(other.Field, unread) {
			all = append(all, other)
		}
	}
	v.Warnings = slices.DeleteFunc(slices.Clone(v.Warnings), func(w annotations.Warning) bool {
		switch w.Rule {
		case annotations.FoundDoubtful, annotations.FoundUnreachable:
			return u.takes(w.Path(), "in quotes: "+w.Message)
		case annotations.FoundUnknownAnnotation:
			return u.takes(w.Path(), w.Message)
		}
		return false
	})
	for key, n := range u.said {
		if n > 1 {
			u.own[key].Detail += fmt.Sprintf(" (and %d more)", n-1)
		}
	}
	v.Problems = all
	return v
}

// unquotedValues are the problems of annotations that are no strings, by their fields.
type unquotedValues struct {
	own map[string]*field.Error
	// said counts what else there is to say of each; only the first is told.
	said map[string]int
}

// takesProblem is takes for a problem. One of a document names what in it is wrong.
func (u *unquotedValues) takesProblem(e *field.Error) bool {
	key, inside, _ := strings.Cut(e.Field, "]")
	told := u.own[key+"]"]
	if told == nil {
		return false
	}
	if _, isDocument := told.BadValue.(field.OmitValueType); !isDocument {
		return u.takes(e.Field, "it is refused in quotes, too: "+e.Detail)
	}
	return u.takes(e.Field, "as text it is refused, too: "+strings.TrimPrefix(inside+": ", ": ")+e.ErrorBody())
}

// takes adds what there is to say of a field to the problem of the value that it is a part of, and says whether there is one.
func (u *unquotedValues) takes(path, message string) bool {
	key, _, ok := strings.Cut(path, "]")
	told := u.own[key+"]"]
	if !ok || told == nil {
		return false
	}
	if u.said[told.Field]++; u.said[told.Field] == 1 {
		told.Detail += "; " + message
	}
	return true
}

// isPartOf says whether a field, or one that it is a part of, is one that could not be read: what was made of it says nothing.
func isPartOf(path string, unread map[string]bool) bool {
	for i := range path {
		if (path[i] == '.' || path[i] == '[') && unread[path[:i]] {
			return true
		}
	}
	return unread[path]
}
