package dictionary

import (
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// schema is a part of a JSON schema, draft 7.
type schema struct {
	Schema      string            `json:"$schema,omitempty"`
	Title       string            `json:"title,omitempty"`
	Description string            `json:"description,omitempty"`
	Type        any               `json:"type,omitempty"`
	Pattern     string            `json:"pattern,omitempty"`
	MinLength   int               `json:"minLength,omitempty"`
	MaxLength   int               `json:"maxLength,omitempty"`
	Default     string            `json:"default,omitempty"`
	Examples    []string          `json:"examples,omitempty"`
	Enum        []string          `json:"enum,omitempty"`
	Properties  map[string]schema `json:"properties,omitempty"`
	Required    []string          `json:"required,omitempty"`
	Names       *schema           `json:"propertyNames,omitempty"`
	AnyOf       []schema          `json:"anyOf,omitempty"`
	AllOf       []schema          `json:"allOf,omitempty"`
	Not         *schema           `json:"not,omitempty"`
	If          *schema           `json:"if,omitempty"`
	Then        *schema           `json:"then,omitempty"`
	// What an editor says where it would say that a text does not match a regular expression, or something else does not fit. These two words are those of
	// yaml-language-server; others do not know them, and pass over them.
	PatternErrorMessage string `json:"patternErrorMessage,omitempty"`
	ErrorMessage        string `json:"errorMessage,omitempty"`
}

// unquoted is the mistake that is made first.
const unquoted = "the value of an annotation is text: write it in quotes"

// Schema is the JSON schema of manifests that may be annotated. It accepts all that lint accepts of annotations.
func Schema() any {
	properties := map[string]schema{}
	var names, required []string
	var measured []string
	for _, row := range annotations.Rows() {
		names = append(names, row.Name)
		property := schema{Description: plain(row.Doc), Type: "string", Pattern: row.Pattern, MinLength: 1, MaxLength: row.MaxLength, Default: row.Default, Examples: row.Examples, ErrorMessage: unquoted}
		if row.Pattern != "" {
			property.PatternErrorMessage = "must be " + takes(row)
		}
		properties[row.Name] = property
		if row.Required {
			required = append(required, row.Name)
		}
		if row.IsMetric() {
			measured = append(measured, row.Name)
		}
	}
	metrics := make([]schema, len(measured))
	for i, name := range measured {
		metrics[i] = schema{Required: []string{name}, ErrorMessage: "there is nothing to scale on: set " + strings.Join(measured, " or ")}
	}
	ours := schema{Pattern: "^" + annotations.Prefix}
	some := schema{Type: "object", Not: &schema{Names: &schema{Not: &ours}}}
	all := schema{
		Type:       []string{"object", "null"},
		Properties: properties,
		// Others may have any name, and none that begins like ours. Editors tell what the first of these has against a name that neither takes.
		Names: &schema{AnyOf: []schema{{Enum: names, ErrorMessage: "mini-hpa has no annotation of this name"}, {Not: &ours}}},
		If:    &some,
		Then:  &schema{Required: required, AnyOf: metrics},
	}
	return schema{
		Schema:      "http://json-schema.org/draft-07/schema#",
		Title:       "A manifest with annotations of mini-hpa",
		Description: "What mini-hpa reads of an object's annotations. Other fields, and objects without them, are of any form. " + strings.TrimSuffix(annotations.Prefix, "/") + " lint finds more.",
		Type:        "object",
		Properties:  map[string]schema{"metadata": {Properties: map[string]schema{"annotations": all}}},
	}
}
