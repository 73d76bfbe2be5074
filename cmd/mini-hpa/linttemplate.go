package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// placeholder is what the languages of templates put between braces: those of Helm and Ansible, and what envsubst and Flux replace.
var placeholder = regexp.MustCompile(`(?s)\{\{.*?\}\}|\{%.*?%\}|\$\{[A-Za-z_][^\n{}]*\}`)

// isTemplate says whether what cannot be parsed is a template: it can be once its actions stand for nothing, or it is where a chart has its
// templates.
func (c chunk) isTemplate(file string) bool {
	if !placeholder.MatchString(c.text) {
		return false
	}
	if inChart(file) {
		return true
	}
	// An action is a value, or a line of its own such as {{- if .Values.ingress }}. It may go over several lines.
	plain := placeholder.ReplaceAllStringFunc(c.text, func(text string) string { return "\x00" + strings.Repeat("\n\x00", strings.Count(text, "\n")) })
	var rest strings.Builder
	for line := range strings.Lines(plain) {
		if bare := strings.ReplaceAll(line, "\x00", ""); strings.TrimSpace(bare) == "" {
			rest.WriteByte('\n')
		} else {
			rest.WriteString(strings.ReplaceAll(line, "\x00", "x"))
		}
	}
	return chunk{text: rest.String(), line: c.line}.isYAML()
}

// inChart says whether a file is below the templates of a Helm chart.
func inChart(file string) bool {
	dir, err := filepath.Abs(filepath.Dir(file))
	for err == nil && dir != filepath.Dir(dir) {
		if filepath.Base(dir) == "templates" {
			if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "Chart.yaml")); err == nil {
				return true
			}
		}
		dir = filepath.Dir(dir)
	}
	return false
}

// unfilled returns what says whether an object of the chunk is a template though it can be parsed: its names, or what it asks of mini-hpa,
// are still to be filled in. Where a chart has its templates, one action anywhere is enough.
func (c chunk) unfilled(file string) func(fields map[string]any) bool {
	if !placeholder.MatchString(c.text) {
		return func(map[string]any) bool { return false }
	}
	isOfChart := inChart(file)
	return func(fields map[string]any) bool { return toFill(fields) || isOfChart && mentions(fields) }
}

// toFill says whether an object has an action where none can be meant.
func toFill(fields map[string]any) bool {
	if fields == nil {
		return false
	}
	o := object{Unstructured: unstructured.Unstructured{Object: fields}}
	texts := []string{o.GetAPIVersion(), o.GetKind(), o.GetName(), o.GetNamespace()}
	set := o.annotations()
	for _, key := range o.ownKeys() {
		if text, ok := set[key].(string); ok {
			texts = append(texts, text)
		}
	}
	return slices.ContainsFunc(texts, placeholder.MatchString)
}

// mentions says whether there is an action in a tree.
func mentions(value any) bool {
	switch v := value.(type) {
	case string:
		return placeholder.MatchString(v)
	case map[string]any:
		for name, item := range v {
			if placeholder.MatchString(name) || mentions(item) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, mentions)
	}
	return false
}

// mayBeManifest says whether what cannot be parsed names what every object names. It decides on files that nobody named.
func (c chunk) mayBeManifest() bool {
	return (strings.Contains(c.text, "apiVersion") && strings.Contains(c.text, "kind")) || strings.Contains(c.text, annotations.Prefix)
}
