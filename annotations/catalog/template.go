package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

// Template is text of the administrator with variables, such as rate(hits{namespace="$namespace"}[$window]). It is never filled in as text:
// each type of source writes a value as its own language wants it, as a bind parameter or in quotes.
type Template struct{ parts []Part }

// Part is literal text, or a variable.
type Part struct {
	Literal string
	// Variable is a name without its "$"; empty for literal text.
	Variable string
}

// ParseTemplate takes text apart: "$" and the letters and digits behind it, which must be a name that is declared, are a variable, "$$" is
// the character "$", and all other text is literal. Letters and digits are those of ASCII.
func ParseTemplate(text string, declared func(name string) bool) (Template, error) {
	var t Template
	literal := ""
	for {
		before, behind, found := strings.Cut(text, "$")
		literal += before
		if !found {
			t.literal(literal)
			return t, nil
		}
		if rest, ok := strings.CutPrefix(behind, "$"); ok {
			literal, text = literal+"$", rest
			continue
		}
		name := behind[:variableLength(behind)]
		switch {
		case name == "":
			return Template{}, fmt.Errorf(`has a "$" before %s; it must be before the name of a parameter, and the character itself is written "$$"`, lines.Quote(cut(behind)))
		case !declared(name):
			return Template{}, fmt.Errorf(`has %s, which is no parameter; the character "$" is written "$$"`, lines.Quote("$"+name))
		}
		t.literal(literal)
		t.parts = append(t.parts, Part{Variable: name})
		literal, text = "", behind[len(name):]
	}
}

// literal appends text, if there is any.
func (t *Template) literal(text string) {
	if text != "" {
		t.parts = append(t.parts, Part{Literal: text})
	}
}

// Parts are what the text is made of, in its order. No literal text is empty, or next to another.
func (t Template) Parts() []Part { return slices.Clone(t.parts) }

// Uses says whether a variable is in it.
func (t Template) Uses(variable string) bool {
	return slices.ContainsFunc(t.parts, func(p Part) bool { return p.Variable != "" && p.Variable == variable })
}

// variableLength is how many bytes at the beginning of text are a name: letters and digits of ASCII, first a letter.
func variableLength(text string) int {
	for i := range len(text) {
		c := text[i]
		isLetter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !isLetter && (i == 0 || c < '0' || '9' < c) {
			return i
		}
	}
	return len(text)
}

// cut is the beginning of text, for a message.
func cut(text string) string {
	const few = 8
	characters := 0
	for at := range text {
		if characters == few {
			return text[:at]
		}
		characters++
	}
	return text
}
