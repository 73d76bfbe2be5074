package catalog

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

// maxGlobs is how many globs a parameter may have.
const maxGlobs = 64

func (p *parser) checkAllow(e *Entry, at *field.Path) {
	for _, name := range slices.Sorted(maps.Keys(e.Allow)) {
		p.checkAllowed(e, name, named(at, name))
	}
	for i := range e.Type.Parameters {
		if must := &e.Type.Parameters[i]; e.Type.needs(must, e.Allow) && e.Allow[must.Name] == nil {
			p.absent(named(at, must.Name), `must have globs of the values that may be asked for, such as "$namespace.*"`)
		}
	}
	one := e.Type.OneOf
	isOpen := func(name string) bool { return e.Allow[name] != nil || !e.Type.parameter(name).Allowed }
	if len(one) > 0 && !slices.ContainsFunc(one, isOpen) {
		p.absent(at, "must have globs of the values that may be asked for, for at least "+oneOf(one))
	}
}

// checkAllowed is about what is allowed of one parameter.
func (p *parser) checkAllowed(e *Entry, name string, at *field.Path) {
	t, globs := e.Type, e.Allow[name]
	parameter := t.parameter(name)
	switch {
	case parameter != nil && parameter.Allowed:
	case t.Queries:
		p.forbid(at, "the parameters of queries are held by their types")
		return
	case parameter != nil || !t.Open:
		p.wrong(at, name, fmt.Sprintf("is no parameter of type %q that needs this; ", t.Name)+instead(name, t.allowed()))
		return
	case !lines.IsKey(name) || IsReserved(name):
		p.wrong(at, name, "cannot be a key of a line: a lower-case letter, then letters, digits and \"-\", but none of "+quoted(reserved))
		return
	}
	if len(globs) == 0 || len(globs) > maxGlobs {
		p.wrong(at, fmt.Sprintf("%d globs", len(globs)), fmt.Sprintf("must be 1 to %d", maxGlobs))
		return
	}
	for i, text := range globs {
		if _, err := readGlob(text); err != nil {
			p.wrong(at.Index(i), text, err.Error())
		}
	}
}
