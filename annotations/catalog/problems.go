package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
	"github.com/mini-hpa/mini-hpa/annotations/spelling"
)

// maxProblems is how many problems of a file are told; the others are counted.
const maxProblems = 100

// problems are what is wrong with a file.
type problems struct {
	told field.ErrorList
	more int
}

// wrong says what a text of the file must be.
func (p *problems) wrong(at *field.Path, seen, must string) {
	p.add(field.Invalid(at, seen, must))
}

// absent says what is missing, unless it is known that what is there is wrong.
func (p *problems) absent(at *field.Path, must string) {
	if slices.ContainsFunc(p.told, func(told *field.Error) bool { return told.Field == at.String() }) {
		return
	}
	p.add(field.Required(at, must))
}

// forbid says why something must not be there.
func (p *problems) forbid(at *field.Path, why string) {
	p.add(field.Forbidden(at, why))
}

func (p *problems) add(all ...*field.Error) {
	for _, err := range all {
		if len(p.told) == maxProblems {
			p.more++
			continue
		}
		if err.Field == (*field.Path)(nil).String() {
			err.Field = "the file"
		}
		if seen, ok := err.BadValue.(string); ok {
			err.BadValue = shorten(seen)
		}
		p.told = append(p.told, err)
	}
}

// isFull says that no more is worth looking at.
func (p *problems) isFull() bool { return len(p.told) == maxProblems }

// count is how many there are.
func (p *problems) count() int { return len(p.told) + p.more }

// join is errors.Join of all.
func (p *problems) join() error {
	var errs []error
	for _, err := range p.told {
		errs = append(errs, err)
	}
	if p.more > 0 {
		errs = append(errs, fmt.Errorf("there are %d more problems", p.more))
	}
	return errors.Join(errs...)
}

// shorten cuts text for a message, which quotes it.
func shorten(text string) string {
	const shown = 64
	characters := 0
	for at := range text {
		if characters == shown {
			return text[:at] + "…"
		}
		characters++
	}
	return text
}

// named is the path of what the file calls by a name.
func named(at *field.Path, name string) *field.Path {
	if lines.IsKey(name) {
		return at.Key(name)
	}
	return at.Key(lines.Quote(name))
}

// instead says what is allowed, first what was probably meant.
func instead(seen string, allowed []string) string {
	if len(allowed) == 0 {
		return "none is allowed"
	}
	text := "must be " + oneOf(allowed)
	if meant := spelling.Nearest(shorten(seen), allowed); meant != "" {
		text = fmt.Sprintf("did you mean %q? It %s", meant, text)
	}
	return text
}

// oneOf are the texts that are allowed, for a message.
func oneOf(texts []string) string {
	if len(texts) == 1 {
		return quoted(texts)
	}
	return "one of " + quoted(texts)
}

// quoted are texts for a message, the first of many.
func quoted(texts []string) string {
	const most = 10
	var b strings.Builder
	for i, text := range texts {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(texts)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(lines.Quote(text))
	}
	return b.String()
}
