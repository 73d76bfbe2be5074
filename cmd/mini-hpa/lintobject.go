package main

import (
	stdjson "encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
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
	u := unquoted{seen: value, text: string(text)}
	if _, at := o.atlas.walk(o.node, []string{"metadata", "annotations", key}); at != nil && followed(at).Kind == yaml.ScalarNode {
		u.text = followed(at).Value // as it is written: 010 is 8 by now
	}
	u.advice = "put it in quotes: " + quote(u.text)
	return u
}
