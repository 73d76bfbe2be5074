package lint

import (
	stdjson "encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// quoteOwn is quote for the annotations that are mini-hpa's.
func (o object) quoteOwn() field.ErrorList {
	return o.quote(annotations.Prefix, annotations.FoundInvalid)
}

// quote finds annotations with a prefix whose values are no strings. The API server refuses them, and does not say which ones it means. They are
// replaced by the strings that were meant, so that these are checked as well. Null is the empty string.
func (o object) quote(prefix, rule string) field.ErrorList {
	var errs field.ErrorList
	set := o.annotations()
	for _, key := range slices.Sorted(maps.Keys(set)) {
		value := set[key]
		if _, isText := value.(string); isText || value == nil || !strings.HasPrefix(key, prefix) {
			continue
		}
		problem := o.unquoted(key, value)
		set[key], errs = problem.text, append(errs, field.Invalid(annotations.Path(key), problem.seen, "must be a string; "+problem.advice).WithOrigin(rule))
	}
	return errs
}

// unquoted is a value that is no string.
type unquoted struct {
	seen   any    // what is shown of it
	text   string // the string that was meant
	advice string
}

func (o object) unquoted(key string, value any) unquoted {
	text, err := stdjson.Marshal(value)
	if err != nil {
		text = nil // what was read from JSON can be written as such
	}
	switch value.(type) {
	case map[string]any, []any:
		return unquoted{seen: field.OmitValueType{}, text: string(text), advice: `write "|" behind its name, which makes text of what follows`}
	}
	u := unquoted{seen: value, text: o.Written(annotations.Path(key).String(), string(text))}
	u.advice = "put it in quotes: " + cli.Quote(u.text)
	return u
}

// quotedMode makes the word that was meant of an Off or On without quotes, which are truth values in YAML, or in another case: in a mapping of
// the object, under a name.
func (o object) quotedMode(members map[string]any, at *field.Path, name string) field.ErrorList {
	at = at.Child(name)
	value, meant, why := members[name], "", ""
	switch v := value.(type) {
	case bool:
		meant = map[bool]string{false: "Off", true: "Auto"}[v]
		why = "must be a string: without quotes " + cli.Quote(o.Written(at.String(), v)) + " is a truth value in YAML; put it in quotes"
	case string:
		if i := slices.IndexFunc(resizerModes, func(mode string) bool { return strings.EqualFold(mode, v) }); i >= 0 && resizerModes[i] != v {
			meant, why = resizerModes[i], "must be in the right case"
		}
	}
	if meant == "" {
		return nil
	}
	members[name] = meant
	return field.ErrorList{field.Invalid(at, value, fmt.Sprintf("%s: %s: %q", why, name, meant)).WithOrigin(annotations.FoundInvalidField)}
}

// resizerModes are those of a VerticalPodAutoscaler.
var resizerModes = []string{"Off", "Initial", "Recreate", "InPlaceOrRecreate", "Auto"}

// quotedModes are those of a VerticalPodAutoscaler.
func (o object) quotedModes() field.ErrorList {
	errs := o.quotedMode(o.mapping("spec", "updatePolicy"), field.NewPath("spec", "updatePolicy"), "updateMode")
	policies, _ := o.part("spec", "resourcePolicy", "containerPolicies").([]any)
	for i, item := range policies {
		policy, _ := item.(map[string]any)
		errs = append(errs, o.quotedMode(policy, field.NewPath("spec", "resourcePolicy", "containerPolicies").Index(i), "mode")...)
	}
	return errs
}

// withUnquoted is the verdict with the problems of the manifest before it. Whatever is wrong with a value that lacks quotes is said in one
// finding. Nothing is said of what stands in the place of a field that could not be read.
func (d *candidate) withUnquoted(v annotations.Verdict) annotations.Verdict {
	u := unquotedValues{own: map[string]*field.Error{}, said: map[string]int{}}
	all := slices.Clone(d.problems)
	for i, problem := range all {
		if problem.Origin == annotations.FoundInvalid {
			told := *problem
			all[i], u.own[told.Field] = &told, &told
		}
	}
	unread := d.unread(v.Problems)
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
	// said counts the findings of each value; only the first is reported.
	said map[string]int
}

// whole returns the problem of the value that contains a field, or is it, and where in the value the field is; nil if there is none. Keys may
// have brackets.
func (u *unquotedValues) whole(path string) (told *field.Error, inside string) {
	const most = 16
	for end, tries := 0, 0; end < len(path) && tries < most; end++ {
		if path[end] != ']' {
			continue
		}
		tries++
		if told = u.own[path[:end+1]]; told != nil {
			return told, path[end+1:]
		}
	}
	return nil, ""
}

// takesProblem is takes for a problem. One of a document names what in it is wrong.
func (u *unquotedValues) takesProblem(e *field.Error) bool {
	told, inside := u.whole(e.Field)
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
	told, _ := u.whole(path)
	if told == nil {
		return false
	}
	if u.said[told.Field]++; u.said[told.Field] == 1 {
		told.Detail += "; " + message
	}
	return true
}

// unread are the fields that could not be read, as far as problems are about parts of them. There may be very many others.
func (d *candidate) unread(problems field.ErrorList) map[string]bool {
	asked, unread := map[string]bool{}, map[string]bool{}
	for _, problem := range problems {
		wholes(problem.Field, func(path string) bool { asked[path] = true; return false })
	}
	if len(asked) == 0 {
		return unread
	}
	for _, problem := range d.problems {
		if problem.Origin == annotations.FoundInvalidField && asked[problem.Field] {
			unread[problem.Field] = true
		}
	}
	return unread
}

// isPartOf says whether a field, or one that it is a part of, is one that could not be read: what was made of it says nothing.
func isPartOf(path string, unread map[string]bool) bool {
	return wholes(path, func(whole string) bool { return unread[whole] })
}

// wholes calls isEnough with the paths of the values that contain a field, and of the field, until it returns true, and says whether it did.
func wholes(path string, isEnough func(string) bool) bool {
	for i := range path {
		if (path[i] == '.' || path[i] == '[') && isEnough(path[:i]) {
			return true
		}
	}
	return isEnough(path)
}
