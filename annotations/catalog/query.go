package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

const (
	// maxQueries is how many queries a source may have.
	maxQueries = 64
	// maxUnit is how many bytes a unit may have, maxValues how many values an enum.
	maxUnit, maxValues = 32, 64
)

// What no value stands for.
const (
	EmptyFailure = "failure"
	EmptyZero    = "0"
)

func (p *parser) checkQueries(e *Entry, at *field.Path) {
	switch n := len(e.Queries); {
	case !e.Type.Queries && n > 0:
		p.forbid(at, fmt.Sprintf("type %q has none: what it is asked is said by its parameters", e.Type.Name))
		return
	case e.Type.Queries && n == 0:
		p.absent(at, "must have at least one: a line asks one of them")
	case n > maxQueries:
		p.add(field.TooMany(at, n, maxQueries))
		return
	}
	names := map[string]bool{}
	for i := range e.Queries {
		q, at := &e.Queries[i], at.Index(i)
		switch {
		case q.Name == "":
			p.absent(at.Child("name"), `must be the name by which lines call it, such as "requests-per-second"`)
		case len(validation.IsDNS1123Label(q.Name)) > 0:
			p.wrong(at.Child("name"), q.Name, fmt.Sprintf(`must be 1 to %d of the characters a-z, 0-9 and "-", with none of these at its ends`, maxLabel))
		case names[q.Name]:
			p.add(field.Duplicate(at.Child("name"), q.Name))
		}
		names[q.Name] = true
		p.checkQuery(q, at)
	}
}

func (p *parser) checkQuery(q *Query, at *field.Path) {
	for _, name := range slices.Sorted(maps.Keys(q.Parameters)) {
		parameter := q.Parameters[name]
		parameter.Name = name
		q.Parameters[name] = parameter
		p.checkParameter(&parameter, named(at.Child("parameters"), name))
	}
	before := p.count()
	p.checkTemplate(q.Query, q, at.Child("query"))
	p.checkTemplate(q.Path, q, at.Child("path"))
	isSound := p.count() == before
	for _, name := range slices.Sorted(maps.Keys(q.Parameters)) {
		if isSound && !q.uses(name) {
			p.wrong(named(at.Child("parameters"), name), name, fmt.Sprintf("is not used: %s is not in the query", lines.Quote("$"+name)))
		}
	}
	if !isPointer(q.Value) {
		p.wrong(at.Child("value"), q.Value, `must be a JSON pointer, such as "/data/open"`)
	}
	switch q.Empty {
	case "":
		q.Empty = EmptyFailure
	case EmptyFailure, EmptyZero:
	default:
		p.wrong(at.Child("empty"), q.Empty, "must be "+oneOf([]string{EmptyFailure, EmptyZero}))
	}
	if len(q.Unit) > maxUnit || printable(q.Unit) != nil {
		p.wrong(at.Child("unit"), q.Unit, fmt.Sprintf("must be at most %d printable bytes", maxUnit))
	}
}

func (p *parser) checkTemplate(text string, q *Query, at *field.Path) {
	if _, err := ParseTemplate(text, q.Declares); err != nil {
		p.wrong(at, text, err.Error())
	}
}

// isPointer says whether text is a JSON pointer as RFC 6901 has it.
func isPointer(text string) bool {
	escaped := strings.NewReplacer("~0", "", "~1", "").Replace(text)
	return (text == "" || text[0] == '/') && !strings.Contains(escaped, "~")
}

func (p *parser) checkParameter(parameter *Parameter, at *field.Path) {
	name := parameter.Name
	switch {
	case isOfWorkload(name):
		p.wrong(at, name, "must not be there: it is always known, and no line can say another")
	case IsReserved(name):
		p.wrong(at, name, "must not be one of "+quoted(reserved)+", which say what the number is held at")
	case !lines.IsKey(name) || variableLength(name) != len(name):
		p.wrong(at, name, "must be a lower-case letter, then up to 31 letters of a-z and A-Z, and digits")
	}
	kinds := []string{string(KindName), string(KindWord), string(KindInteger), string(KindDuration), string(KindEnum)}
	switch {
	case parameter.Kind == "":
		p.absent(at.Child("type"), "must be "+oneOf(kinds))
		return
	case !slices.Contains(kinds, string(parameter.Kind)):
		p.wrong(at.Child("type"), string(parameter.Kind), instead(string(parameter.Kind), kinds))
		return
	}
	before := p.count()
	p.checkBounds(parameter, at)
	p.checkValues(parameter, at.Child("values"))
	if parameter.Default != "" && p.count() == before {
		if err := parameter.checkDefault(); err != nil {
			p.wrong(at.Child("default"), parameter.Default, err.Error())
		}
	}
}

// checkBounds is about min and max.
func (p *parser) checkBounds(parameter *Parameter, at *field.Path) {
	var read [2]int64
	for i, bound := range []struct{ name, text string }{{"min", parameter.Min}, {"max", parameter.Max}} {
		if bound.text == "" {
			continue
		}
		var err error
		if read[i], err = parameter.bound(bound.text); err != nil {
			p.wrong(at.Child(bound.name), bound.text, err.Error())
			return
		}
	}
	if parameter.Min != "" && parameter.Max != "" && read[0] > read[1] {
		p.wrong(at.Child("min"), parameter.Min, fmt.Sprintf("must not be above max, %q", parameter.Max))
	}
}

// bound reads a bound of an integer or a duration.
func (p *Parameter) bound(text string) (int64, error) {
	unbounded := Parameter{Kind: p.Kind}
	if p.Kind != KindInteger && p.Kind != KindDuration {
		return 0, fmt.Errorf("must not be there for type %q", string(p.Kind))
	}
	value, err := unbounded.read(text)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSuffix(value, "s"), 10, 64)
}

// checkValues is about those of an enum.
func (p *parser) checkValues(parameter *Parameter, at *field.Path) {
	switch n := len(parameter.Values); {
	case parameter.Kind != KindEnum && parameter.Values != nil:
		p.forbid(at, fmt.Sprintf("type %q has none", string(parameter.Kind)))
		return
	case parameter.Kind == KindEnum && (n == 0 || n > maxValues):
		p.wrong(at, fmt.Sprintf("%d values", n), fmt.Sprintf("must be 1 to %d", maxValues))
		return
	}
	for i, value := range parameter.Values {
		if err := isWord(value); err != nil {
			p.wrong(at.Index(i), value, err.Error())
		}
		if slices.Contains(parameter.Values[:i], value) {
			p.add(field.Duplicate(at.Index(i), value))
		}
	}
}

// checkDefault says why a default cannot be one.
func (p *Parameter) checkDefault() error {
	switch {
	case p.Default == OfNamespace || p.Default == OfWorkload:
		if p.Kind != KindName && p.Kind != KindWord {
			return fmt.Errorf("must not be of the workload for type %q", string(p.Kind))
		}
		return nil
	case strings.HasPrefix(p.Default, "$"):
		return errors.New("must be a value, or " + oneOf([]string{OfNamespace, OfWorkload}))
	}
	_, err := p.read(p.Default)
	return err
}
