package manifest

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// marks are patterns of what languages of templates replace.
type marks []mark

// mark is one pattern and the text that it begins with, for which looking takes a small part of the time.
type mark struct {
	opening string
	pattern *regexp.Regexp
}

func marksOf(patterns ...string) marks {
	all := make(marks, len(patterns))
	for i, p := range patterns {
		all[i].pattern = regexp.MustCompile(p)
		all[i].opening, _ = all[i].pattern.LiteralPrefix()
	}
	return all
}

// in says whether one of them is in a text.
func (m marks) in(text string) bool {
	return slices.ContainsFunc(m, func(one mark) bool { return strings.Contains(text, one.opening) && one.pattern.MatchString(text) })
}

// any is a pattern of all.
func (m marks) any() *regexp.Regexp {
	patterns := make([]string, len(m))
	for i := range m {
		patterns[i] = m[i].pattern.String()
	}
	return regexp.MustCompile(strings.Join(patterns, "|"))
}

var (
	// braces are what the languages of templates put between braces: those of Helm, Jinja and Ansible, and what envsubst and Flux replace.
	braces = marksOf(`\{\{(?s:.*?)\}\}`, `\{%(?s:.*?)%\}`, `\$\{[A-Za-z_][^\n{}]*\}`)

	// placeholders are actions, comments of Jinja, and what other tools replace. Where one stands for a name or a number, nothing else can be meant.
	//
	//	<% if x %> <%= x %>   ERB, EJS
	//	$X $(X) #{X}#         envsubst, kustomize, Octopus
	//	((x)) @x@ [[ x ]]     Concourse and BOSH, autoconf and Maven, others
	placeholders = append(slices.Clip(braces), marksOf(`\{#(?s:.*?)#\}`, `<%(?s:.*?)%>`, `\$[A-Za-z_]\w*`, `\$\([A-Za-z_][\w.-]*\)`, `#\{[A-Za-z_][^\n{}]*\}#?`,
		`\(\([^\n()]+\)\)`, `@[A-Za-z_][\w.-]*@`, `\[\[[^\n\[\]]+\]\]`)...)

	placeholder = placeholders.any()
)

// ytt is a line of its language, or a value that is one, in what YAML takes for comments.
var ytt = regexp.MustCompile(`(?m)^[ \t]*(?:- )?#@(?:[ \t]*(?:if|for|def|end|load|else|elif|while|return)\b|[a-z-]+/[a-z])|^[^#\n]*[:-][ \t]+#@[ \t]+\S`)

// IsTemplate says whether what cannot be read is a template: it can be parsed once its placeholders stand for nothing, or it is inChart, where one
// has its templates. A mapping whose name is one, as YAML reads {{ x }}, can be parsed already.
func (p Part) IsTemplate(inChart bool) bool {
	hasBraces := braces.in(p.text)
	switch {
	case hasBraces && (errors.Is(p.Err, errName) || inChart):
		return true
	case !hasBraces && !placeholders.in(p.text):
		return false
	}
	// A placeholder is a value, or a line of its own such as {{- if .Values.ingress }}. It may go over several lines.
	plain := placeholder.ReplaceAllStringFunc(p.text, func(text string) string { return "\x00" + strings.Repeat("\n\x00", strings.Count(text, "\n")) })
	var rest strings.Builder
	for line := range strings.Lines(plain) {
		if bare := strings.ReplaceAll(line, "\x00", ""); strings.TrimSpace(bare) == "" {
			rest.WriteByte('\n')
		} else {
			rest.WriteString(strings.ReplaceAll(line, "\x00", "x"))
		}
	}
	return p.common.canBeFilled(chunk{text: rest.String(), line: p.line})
}

// canBeFilled says whether a part can be parsed, whose placeholders stand for nothing.
func (c *common) canBeFilled(plain chunk) bool {
	known, ok := c.filled[plain.text]
	if !ok {
		known = plain.isYAML()
	}
	if !ok && len(plain.text) <= maxShort {
		c.filled[plain.text] = known
	}
	return known
}

// Unfilled returns what says whether an object of the part, by its fields, is a template though it can be parsed: its names, or what it asks of mini-hpa,
// are still to be filled in. Where it is inChart, one action anywhere is enough, and in what ytt reads, all is.
func (p Part) Unfilled(inChart bool) func(fields map[string]any) bool {
	switch {
	case strings.Contains(p.text, "#@") && ytt.MatchString(p.text):
		return func(fields map[string]any) bool { return fields != nil }
	case !placeholders.in(p.text):
		return func(map[string]any) bool { return false }
	}
	return func(fields map[string]any) bool { return toFill(fields) || inChart && mentions(fields, braces) }
}

// toFill says whether an object has a placeholder where none can be meant.
func toFill(fields map[string]any) bool {
	if fields == nil {
		return false
	}
	o := unstructured.Unstructured{Object: fields}
	texts := []string{o.GetAPIVersion(), o.GetKind(), o.GetName(), o.GetNamespace()}
	found, _, _ := unstructured.NestedFieldNoCopy(fields, "metadata", "annotations")
	set, _ := found.(map[string]any)
	for key := range set {
		if !strings.HasPrefix(key, annotations.Prefix) {
			continue
		}
		switch value := set[key].(type) {
		case string:
			texts = append(texts, value)
		case []any:
			if len(value) == 1 { // as YAML reads [[ x ]]
				if inner, ok := value[0].([]any); ok && len(inner) == 1 {
					return true
				}
			}
		}
	}
	return slices.ContainsFunc(texts, placeholders.in)
}

// Awaits says whether a field, which cannot be read as it is, is still to be filled in.
func (d Document) Awaits(path string) bool {
	if d.sheet != nil && !d.sheet.placeholders.is(func() bool { return placeholders.in(d.sheet.text) }) {
		return false
	}
	_, value := d.Walk(Steps(path)...)
	if value == nil {
		return false
	}
	value = Followed(value)
	if inner := onlyOne(onlyOne(value)); inner != nil { // as YAML reads [[ x ]]
		return inner.Kind == yaml.ScalarNode
	}
	return value.Kind == yaml.ScalarNode && placeholders.in(value.Value)
}

// onlyOne returns the only item of a list, or nil if the node is not such a list.
func onlyOne(n *yaml.Node) *yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode || len(n.Content) != 1 {
		return nil
	}
	return Followed(n.Content[0])
}

// HasPlaceholder says whether something in a tree of values is to be filled in first.
func HasPlaceholder(value any) bool { return mentions(value, placeholders) }

// mentions says whether there is one of such texts in a tree.
func mentions(value any, such marks) bool {
	switch v := value.(type) {
	case string:
		return such.in(v)
	case map[string]any:
		for name, item := range v {
			if such.in(name) || mentions(item, such) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return mentions(item, such) })
	}
	return false
}
