package lint

import (
	"regexp"
	"regexp/syntax"
)

// pattern is the name of a target, which is a regular expression; one that is none matches nothing. To match it takes so many steps for each byte of a name.
type pattern struct {
	*regexp.Regexp
	steps int
}

// patterns are those that were met, by what is written.
type patterns map[string]pattern

func (p patterns) of(name string) pattern {
	known, ok := p[name]
	if ok {
		return known
	}
	whole := "^(?:" + name + ")$"
	if parsed, err := syntax.Parse(whole, syntax.Perl); err == nil {
		if compiled, err := syntax.Compile(parsed.Simplify()); err == nil {
			known.steps = len(compiled.Inst)
		}
	}
	known.Regexp, _ = regexp.Compile(whole)
	p[name] = known
	return known
}

// stepsOfValue is how many steps take the time of a value.
const stepsOfValue = 64

// matches says whether a name does. It takes the values that this is worth, and fails if there are not so many.
func (p pattern) matches(name string, takes func(values int) bool) bool {
	return p.Regexp != nil && takes(1+p.steps*len(name)/stepsOfValue) && p.MatchString(name)
}
