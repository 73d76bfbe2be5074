package catalog

import (
	"errors"
	"fmt"
	"strings"
)

// glob is a pattern of values: "*" is any number of any characters, $namespace the namespace of who asks, and all others are themselves.
type glob struct{ template Template }

// errOnlyStar is why a character is not allowed: elsewhere it has a meaning.
var errOnlyStar = errors.New(`must not have "?", "[", "]", "{", "}", "\" or quotes: only "*" stands for others, any number of any characters`)

func readGlob(text string) (glob, error) {
	if strings.ContainsAny(text, "?[]{}\\\"'`") {
		return glob{}, errOnlyStar
	}
	if err := printable(text); err != nil {
		return glob{}, err
	}
	template, err := ParseTemplate(text, func(name string) bool { return "$"+name == OfNamespace })
	if err != nil {
		return glob{}, fmt.Errorf("%w; the only one here is %q", err, OfNamespace)
	}
	return glob{template}, nil
}

// fits says whether a value is one of those that a namespace may ask for. The namespace stands for itself, whatever characters it has.
func (g glob) fits(value, namespace string) bool {
	return fits(value, g.pieces(namespace))
}

// pieces are the texts before, between and behind the stars.
func (g glob) pieces(namespace string) []string {
	pieces := []string{""}
	for _, part := range g.template.parts {
		if part.Variable != "" {
			pieces[len(pieces)-1] += namespace
			continue
		}
		literals := strings.Split(part.Literal, "*")
		pieces[len(pieces)-1] += literals[0]
		pieces = append(pieces, literals[1:]...)
	}
	return pieces
}

// fits says whether a value consists of the pieces, with anything between two of them. Each is taken at its first place, which leaves the
// most for the others: time grows with the length of the value times that of the pieces.
func fits(value string, pieces []string) bool {
	first, last := pieces[0], pieces[len(pieces)-1]
	if len(pieces) == 1 {
		return value == first
	}
	if len(value) < len(first)+len(last) || !strings.HasPrefix(value, first) || !strings.HasSuffix(value, last) {
		return false
	}
	rest := value[len(first) : len(value)-len(last)]
	for _, piece := range pieces[1 : len(pieces)-1] {
		_, behind, found := strings.Cut(rest, piece)
		if !found {
			return false
		}
		rest = behind
	}
	return true
}

// shownTo is the glob as a namespace may read it.
func (g glob) shownTo(namespace string) string { return strings.Join(g.pieces(namespace), "*") }

// only returns the value of a glob that stands for one value alone.
func (g glob) only(namespace string) (string, bool) {
	pieces := g.pieces(namespace)
	return pieces[0], len(pieces) == 1
}

// pinned says whether no value fits the globs of two namespaces: whatever a namespace may ask for, no other may.
//
//	$namespace            yes
//	$namespace.*          yes: no namespace has a "."
//	prod:$namespace/*     yes
//	$namespace-*          no: that of "shop" has what "shop-admin" calls its own
//	$namespace*           no, likewise
//	*.$namespace          no: only what stands before $namespace is looked at, and it must be text
//	shared.*              no
//
// Two globs must not be mistaken for each other either: with "$namespace.*" and "team.$namespace.*", "team.shop.orders" would be of "shop" as well as
// of a namespace that is called "team". So the text before $namespace is the same in all of them, or neither begins with the other.
func pinned(globs []glob) bool {
	var before []string
	for _, g := range globs {
		text, ok := g.fixed()
		if !ok {
			return false
		}
		before = append(before, text)
	}
	for _, a := range before {
		for _, b := range before {
			if a != b && strings.HasPrefix(b, a) {
				return false
			}
		}
	}
	return len(globs) > 0
}

// fixed returns the text before $namespace, and whether that is literal, and what is behind $namespace ends the namespace.
func (g glob) fixed() (string, bool) {
	parts, before := g.template.parts, ""
	if len(parts) > 0 && parts[0].Variable == "" {
		before, parts = parts[0].Literal, parts[1:]
	}
	if len(parts) == 0 || strings.Contains(before, "*") {
		return "", false
	}
	behind := parts[1:]
	return before, len(behind) == 0 || behind[0].Variable == "" && !strings.ContainsAny(behind[0].Literal[:1], "*-abcdefghijklmnopqrstuvwxyz0123456789")
}

// pattern is a glob of namespaces, with "!" before it if it excludes.
type pattern struct {
	excludes bool
	pieces   []string
}

func readPattern(text string) (pattern, error) {
	rest, excludes := strings.CutPrefix(text, "!")
	if rest == "" || len(rest) > maxLabel || strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789-*") != "" {
		return pattern{}, fmt.Errorf(`must be a namespace, in which "*" stands for any number of any characters; "!" before it excludes`)
	}
	return pattern{excludes, strings.Split(rest, "*")}, nil
}

// admits says whether the first pattern that fits a namespace does not exclude it.
func admits(patterns []pattern, namespace string) bool {
	for _, p := range patterns {
		if fits(namespace, p.pieces) {
			return !p.excludes
		}
	}
	return false
}
