package annotations

import (
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// shown is how many characters of a value a message repeats.
	shown = 64
	// shownKey is enough for every legal key: the prefix and 63 characters.
	shownKey = len(Prefix) + 63
	// shownName is enough for the name of every object.
	shownName = 253
	// maxProblems is how many problems of one annotation are reported; the others are counted.
	maxProblems = 20
)

// Warning is something the user should know that does not make the annotations unusable.
type Warning struct {
	// Key is the annotation it is about, in full and as it stands there, control characters included; empty if it is about another field.
	Key string
	// Field is the path of that other field, as in field.Error.
	Field string
	// Rule is the name of a Finding.
	Rule string
	// Message says what was seen and what to do. It never holds unquoted user text.
	Message string
}

// String renders the warning as kubectl prints an admission warning.
func (w Warning) String() string {
	return w.Path() + ": " + w.Message
}

// Path is the path of the field that the warning is about, as it can be shown.
func (w Warning) Path() string {
	if w.Key != "" {
		return Path(clean(w.Key, shownKey)).String()
	}
	return w.Field
}

// clean makes text of a user safe to repeat: characters that do not print (control, direction and zero-width
// characters, broken UTF-8) are replaced, and what is longer than limit characters is cut.
func clean(text string, limit int) string {
	var b strings.Builder
	for _, r := range text {
		if limit--; limit < 0 {
			b.WriteRune('…')
			break
		}
		if !unicode.IsPrint(r) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Path is the field of an annotation.
func Path(key string) *field.Path { return field.NewPath("metadata", "annotations").Key(key) }

// annotation is the part of an error's field that names the annotation; no key of the table has a bracket.
func annotation(err *field.Error) string {
	name, _, _ := strings.Cut(err.Field, "]")
	return name
}

// lineOf is a line of an annotation, without the blanks around it.
func lineOf(text string, number int) string {
	for line := range strings.SplitSeq(text, "\n") {
		if number--; number == 0 {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
