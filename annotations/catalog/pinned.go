package catalog

import (
	"slices"
	"strings"
)

// needs says whether a line cannot be without a parameter that Allow holds.
func (t *Type) needs(p *Parameter, allow map[string][]string) bool {
	if p.With != "" && t.parameter(p.With).Allowed && allow[p.With] == nil {
		return false
	}
	return p.Allowed && !p.Optional && !slices.Contains(t.OneOf, p.Name)
}

// parameter returns the parameter of a name, or nil.
func (t *Type) parameter(name string) *Parameter {
	i := slices.IndexFunc(t.Parameters, func(p Parameter) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Parameters[i]
}

// allowed are the parameters that Allow holds.
func (t *Type) allowed() []string {
	var names []string
	for i := range t.Parameters {
		if t.Parameters[i].Allowed {
			names = append(names, t.Parameters[i].Name)
		}
	}
	return names
}

// globs are those of Allow, with which nothing is wrong.
func (e *Entry) globs() map[string][]glob {
	all := map[string][]glob{}
	for name, texts := range e.Allow {
		for _, text := range texts {
			read, _ := readGlob(text)
			all[name] = append(all[name], read)
		}
	}
	return all
}

// isPinned says whether whatever may be asked for is of the namespace that asks. It is if Allow pins a Scope that every line has, or every
// parameter that a line may give; one that stands With another counts as a part of that. An Open type is never pinned: nobody here knows what it
// means to leave one of its metadata out.
func (e *Entry) isPinned() bool {
	globs := e.globs()
	for i := range e.Type.Parameters {
		p := &e.Type.Parameters[i]
		if p.Scope && p.With == "" && e.Type.needs(p, e.Allow) && pinned(globs[p.Name]) {
			return true
		}
	}
	certain := len(e.Type.OneOf) > 0
	for i := range e.Type.Parameters {
		p := &e.Type.Parameters[i]
		certain = certain || p.With == "" && e.Type.needs(p, e.Allow)
		if p.With == "" && globs[p.Name] != nil && !pinned(globs[p.Name]) {
			return false
		}
	}
	return certain && !e.Type.Open && !e.Type.Queries && len(globs) > 0
}

// Overlapping are the parameters by which a namespace may ask for what another one may, too, although their globs have $namespace in them: with
// "$namespace-*", "shop" has what "shop-admin" calls its own. They are in the order of the Type.
func (e *Entry) Overlapping() (names []string) {
	globs := e.globs()
	if e.isPinned() {
		return nil
	}
	for i := range e.Type.Parameters {
		p := &e.Type.Parameters[i]
		own := slices.DeleteFunc(slices.Clone(globs[p.Name]), func(g glob) bool { return !g.template.Uses(OfNamespace[1:]) })
		if p.With == "" && len(own) > 0 && !pinned(own) && e.overlap(own) {
			names = append(names, p.Name)
		}
	}
	return names
}

// overlap says whether two namespaces of the entry may ask for the same by globs. Where patterns of namespaces admit, there may be any.
func (e *Entry) overlap(globs []glob) bool {
	admitted, isAny := e.admitted()
	if isAny {
		return true
	}
	for _, a := range admitted {
		for _, b := range admitted {
			for _, g := range globs {
				before, other := g.pieces(a)[0], g.pieces(b)[0]
				if a != b && strings.HasPrefix(other, before) {
					return true
				}
			}
		}
	}
	return false
}

// admitted are the namespaces that may ask, or any that there may be, where a pattern admits more than one.
func (e *Entry) admitted() (names []string, isAny bool) {
	var patterns []pattern
	for _, text := range e.Namespaces {
		read, _ := readPattern(text)
		patterns = append(patterns, read)
		isAny = isAny || !read.excludes && len(read.pieces) > 1
		if admits(patterns, text) {
			names = append(names, text)
		}
	}
	return names, isAny
}
