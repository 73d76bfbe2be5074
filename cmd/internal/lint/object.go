package lint

import (
	stdjson "encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// title is the object's name, with its namespace if there is one.
func (o object) title() string {
	if o.namespace == "" {
		return o.GetName()
	}
	return o.namespace + "/" + o.GetName()
}

// annotations are those of the object, of whatever type.
func (o object) annotations() map[string]any {
	found, _, _ := unstructured.NestedFieldNoCopy(o.Object, "metadata", "annotations")
	set, _ := found.(map[string]any)
	return set
}

// ownKeys are the annotations that begin with the Prefix, sorted.
func (o object) ownKeys() []string {
	var keys []string
	for key := range o.annotations() {
		if strings.HasPrefix(key, annotations.Prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// quoteAnnotations finds values that are no strings, which the API server refuses without saying which, and makes them
// the strings that were meant, so that it can be said what else is wrong with them. Null is the empty string.
func (o object) quoteAnnotations() field.ErrorList {
	var errs field.ErrorList
	set := o.annotations()
	for _, key := range o.ownKeys() {
		value := set[key]
		switch value.(type) {
		case nil, string:
			continue
		}
		problem := o.unquoted(key, value)
		set[key], errs = problem.text, append(errs, field.Invalid(field.NewPath("metadata", "annotations").Key(key), problem.seen,
			"must be a string; "+problem.advice).WithOrigin(annotations.FoundInvalid))
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
	u := unquoted{seen: value, text: o.Written(field.NewPath("metadata", "annotations").Key(key).String(), string(text))}
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
	spec, _ := o.Object["spec"].(map[string]any)
	update, _ := spec["updatePolicy"].(map[string]any)
	errs := o.quotedMode(update, field.NewPath("spec", "updatePolicy"), "updateMode")
	resources, _ := spec["resourcePolicy"].(map[string]any)
	policies, _ := resources["containerPolicies"].([]any)
	for i, item := range policies {
		policy, _ := item.(map[string]any)
		errs = append(errs, o.quotedMode(policy, field.NewPath("spec", "resourcePolicy", "containerPolicies").Index(i), "mode")...)
	}
	return errs
}

// notes are problems of an object that asks nothing of mini-hpa. They fail no check, but the object does not count while the API server
// would refuse it.
func (o object) notes(problems field.ErrorList) []finding {
	found := o.errors(problems)
	for i := range found {
		found[i].Severity = severityWarning
		found[i].Message += "; the API server refuses the whole object"
	}
	return found
}

// quotedPausing makes strings of the annotations that pause a ScaledObject: what was meant counts.
func (o object) quotedPausing() field.ErrorList {
	var errs field.ErrorList
	set := o.annotations()
	for _, key := range slices.Sorted(maps.Keys(set)) {
		_, isText := set[key].(string)
		if isText || set[key] == nil || !strings.HasPrefix(key, annotations.GroupPausing) {
			continue
		}
		problem := o.unquoted(key, set[key])
		set[key], errs = problem.text, append(errs, field.Invalid(field.NewPath("metadata", "annotations").Key(key), problem.seen,
			"must be a string; "+problem.advice).WithOrigin(annotations.FoundInvalidField))
	}
	return errs
}

// asksInVain says whether an object names mini-hpa's annotations, but its annotations, or its metadata, are not a mapping.
func (o object) asksInVain() bool {
	value := o.Object["metadata"]
	if metadata, isMapping := value.(map[string]any); isMapping {
		value = metadata["annotations"]
		if _, isMapping := value.(map[string]any); isMapping {
			return false
		}
	}
	text, err := stdjson.Marshal(value)
	return err == nil && strings.Contains(string(text), annotations.Prefix)
}
