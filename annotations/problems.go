package annotations

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// shown is how many characters of a value a message repeats.
	shown = 64
	// shownKey is enough for every legal key: the prefix and 63 characters.
	shownKey = len(Prefix) + 63
	// maxProblems is how many problems of one annotation are reported; the others are counted.
	maxProblems = 20
)

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

func path(key string) *field.Path { return field.NewPath("metadata", "annotations").Key(key) }

func (p *draft) invalid(key, raw, allowed string) { p.wrong(path(key), raw, allowed) }

func (p *draft) missing(key, allowed string) {
	p.absent(path(key), allowed)
}

// wrong is about a part of a document; value is text of the user or a number.
func (p *draft) wrong(at *field.Path, value any, allowed string) {
	if text, ok := value.(string); ok {
		value = clean(text, shown)
	}
	p.errs = append(p.errs, field.Invalid(at, value, allowed))
}

func (p *draft) absent(at *field.Path, allowed string) {
	p.errs = append(p.errs, field.Required(at, allowed))
}

func (p *draft) forbid(at *field.Path, why string) {
	p.errs = append(p.errs, field.Forbidden(at, why))
}

// cut counts the problems of an annotation, from the given one on, instead of telling thousands.
func (p *draft) cut(key string, from int) {
	if more := len(p.errs) - from - maxProblems; more > 0 {
		p.errs = p.errs[:from+maxProblems]
		p.forbid(path(key), fmt.Sprintf("has %d more problems", more))
	}
}

// warnAt is about a part of the document that is being read.
func (p *draft) warnAt(at *field.Path, message string) {
	p.warn(strings.TrimPrefix(at.String(), path(p.key).String()) + " " + message)
}

// warn is about the annotation that is being read.
func (p *draft) warn(message string) {
	p.warnings = append(p.warnings, Warning{Key: p.key, Rule: FoundDoubtful, Message: message})
}

// tidy does for every value what must happen before it is read: the cap of its length, the refusal of control
// characters, the removal of surrounding blanks.
func (p *draft) tidy(row *Row, raw string) (string, error) {
	if len(raw) > row.MaxLength {
		return "", fmt.Errorf("is %d bytes long; must be at most %d", len(raw), row.MaxLength)
	}
	if row.document {
		return raw, tidyDocument(raw)
	}
	if strings.ContainsFunc(raw, unicode.IsControl) {
		return "", errors.New("must not contain control characters such as line breaks or tabs")
	}
	value := strings.Trim(raw, " ")
	if value == "" {
		return "", errEmpty
	}
	if value != raw {
		p.warn(fmt.Sprintf("blanks around the value are ignored; write %q", clean(value, shown)))
	}
	return value, nil
}

var errEmpty = errors.New("must not be empty; remove the annotation if it is not needed")

// tidyDocument is tidy for YAML, where blanks and line breaks have a meaning.
func tidyDocument(raw string) error {
	switch {
	case !utf8.ValidString(raw):
		return errors.New("must be valid UTF-8")
	case strings.ContainsFunc(raw, isOutOfPlace):
		return errors.New("must not contain control characters other than line breaks and tabs")
	case strings.TrimSpace(raw) == "":
		return errEmpty
	}
	return nil
}

// list is what errors.Join returns.
type list interface {
	error
	Unwrap() []error
}

// split takes apart what errors.Join has put together.
func split(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := errors.AsType[list](err); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// warnUnknown warns of unknown keys with the prefix, which are probably misspelt. If there are many, it only counts the rest, because
// finding the nearest key takes time.
func (p *draft) warnUnknown(annotations map[string]string) {
	var unknown []string
	for key := range annotations {
		if strings.HasPrefix(key, Prefix) && !isKnown(key) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for i, key := range unknown {
		if i == maxProblems {
			p.warnings = append(p.warnings, Warning{Field: "metadata.annotations", Rule: FoundUnknownAnnotation,
				Message: fmt.Sprintf("%d more keys that begin with %s are unknown and have no effect", len(unknown)-i, Prefix)})
			return
		}
		p.warnings = append(p.warnings, Warning{Key: key, Rule: FoundUnknownAnnotation,
			Message: fmt.Sprintf("unknown annotation, it has no effect; did you mean %q?", nearest(key))})
	}
}

func isKnown(key string) bool {
	for i := range table {
		if table[i].Name == key {
			return true
		}
	}
	return false
}

// nearest returns the key of the table that, or one of whose aliases, takes the fewest edits to become name. The
// first row wins a draw.
func nearest(key string) string {
	name := strings.ToLower(clean(strings.TrimPrefix(key, Prefix), shown))
	best, fewest := "", shown*2
	for i := range table {
		row := &table[i]
		for _, known := range append([]string{strings.TrimPrefix(row.Name, Prefix)}, row.aliases...) {
			if edits := EditDistance(name, known); edits < fewest {
				best, fewest = row.Name, edits
			}
		}
	}
	return best
}

// EditDistance is the number of characters to insert, delete or replace to turn a into b (Levenshtein 1965). It finds
// what a misspelt word was meant to be.
func EditDistance(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, s := range to {
			replaced := diagonal
			if r != s {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(to)]
}

// sort puts problems in an order that does not depend on a map: by key, then as they were found in the value.
func (p *draft) sort() {
	slices.SortStableFunc(p.errs, func(a, b *field.Error) int { return cmp.Compare(annotation(a), annotation(b)) })
	slices.SortStableFunc(p.warnings, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Message, b.Message))
	})
}

// annotation is the part of an error's field that names the annotation; no key of the table has a bracket.
func annotation(err *field.Error) string {
	name, _, _ := strings.Cut(err.Field, "]")
	return name
}
