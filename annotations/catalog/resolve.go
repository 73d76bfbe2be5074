package catalog

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

// Workload is who asks.
type Workload struct{ Namespace, Kind, Name string }

// Asked is what a line asks for: the words and values of it, without those that say what the number is held at.
type Asked struct {
	Source, Query string
	Given         map[string]string
}

// Problem is why a line may not ask what it asks. Rule is the name of a finding.
type Problem struct{ Rule, Message string }

// The rules of Problem.
const (
	UnknownSource   = "UnknownSource"   // no such entry, or none that the namespace may know of
	UnknownQuery    = "UnknownQuery"    // the entry has no such query
	SourceForbidden = "SourceForbidden" // Allow says no
	BadParameter    = "BadParameter"    // missing, unknown, or out of its range
)

// Resolve says what a line asks, with defaults filled in and each value in its only form, or everything that is wrong with it. A namespace is
// told of nothing that it may not ask: a source of others is as unknown to it as one that is not there.
func (c *Catalog) Resolve(w Workload, a Asked) (Parameters, []Problem) {
	if len(validation.IsDNS1123Label(w.Namespace)) > 0 {
		return "", []Problem{{SourceForbidden, fmt.Sprintf("namespace %s cannot be one, and may ask no source", lines.Quote(w.Namespace))}}
	}
	k := c.knownTo(w.Namespace, a.Source)
	if k == nil {
		return "", []Problem{{UnknownSource, fmt.Sprintf("source %s is none that namespace %q may ask; %s", lines.Quote(a.Source), w.Namespace, instead(a.Source, c.namesFor(w.Namespace)))}}
	}
	q, ok := k.questions[a.Query]
	if !ok {
		return "", []Problem{{UnknownQuery, k.noQuery(a.Query)}}
	}
	r := resolution{known: k, question: q, workload: w, given: a.Given, values: map[string]string{}}
	r.refuseUnknown()
	r.chooseOne()
	for i := range q.parameters {
		r.resolve(&q.parameters[i])
	}
	r.addWorkload()
	if len(r.problems) > 0 {
		return "", r.problems
	}
	return ParametersOf(r.values), nil
}

// knownTo returns the source of a name, if the namespace may ask it.
func (c *Catalog) knownTo(namespace, name string) *known {
	if c == nil {
		return nil
	}
	if k := c.named[name]; k != nil && admits(k.patterns, namespace) {
		return k
	}
	return nil
}

// namesFor are the sources that a namespace may ask.
func (c *Catalog) namesFor(namespace string) []string {
	if c == nil {
		return nil
	}
	var names []string
	for _, k := range c.entries {
		if admits(k.patterns, namespace) {
			names = append(names, k.Name)
		}
	}
	return names
}

func (k *known) noQuery(asked string) string {
	switch {
	case !k.Type.Queries:
		return fmt.Sprintf("source %q has no queries; after it there may be keys with values, but not the word %s", k.Name, lines.Quote(asked))
	case asked == "":
		return fmt.Sprintf("source %q needs the name of a query behind it; %s", k.Name, instead(asked, k.queries()))
	}
	return fmt.Sprintf("source %q has no query %s; %s", k.Name, lines.Quote(asked), instead(asked, k.queries()))
}

// resolution is one Resolve.
type resolution struct {
	*known
	question
	workload Workload
	given    map[string]string
	values   map[string]string
	problems []Problem
}

func (r *resolution) wrong(rule, format string, args ...any) {
	r.problems = append(r.problems, Problem{rule, fmt.Sprintf(format, args...)})
}

// refuseUnknown is about the keys that nothing is known of.
func (r *resolution) refuseUnknown() {
	var keys []string
	for i := range r.parameters {
		if p := &r.parameters[i]; !p.Allowed || len(r.allow[p.Name]) > 0 {
			keys = append(keys, p.Name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.given)) {
		if r.parameter(key) == nil {
			r.wrong(BadParameter, "key %s is no parameter of %s; %s", lines.Quote(key), r.what(), instead(key, keys))
		}
	}
}

// what is what messages call that which is asked.
func (r *resolution) what() string {
	if r.Type.Queries {
		return fmt.Sprintf("this query of source %q", r.Name)
	}
	return fmt.Sprintf("source %q", r.Name)
}

// chooseOne is about the keys of which there is exactly one.
func (r *resolution) chooseOne() {
	if len(r.oneOf) == 0 {
		return
	}
	var chosen, can []string
	for _, name := range r.oneOf {
		if _, ok := r.given[name]; ok {
			chosen = append(chosen, name)
		}
		if !r.parameter(name).Allowed || len(r.allow[name]) > 0 {
			can = append(can, name)
		}
	}
	if len(chosen) == 0 {
		r.wrong(BadParameter, "%s needs a key: %s", r.what(), oneOf(can))
	}
	if len(chosen) > 1 {
		r.wrong(BadParameter, "keys %s must not be there together: %s takes one of them", quoted(chosen), r.what())
	}
}

// resolve is about one parameter.
func (r *resolution) resolve(p *Parameter) {
	text, isGiven := r.given[p.Name]
	if p.With != "" {
		if _, ok := r.given[p.With]; !ok {
			if isGiven {
				r.wrong(BadParameter, "key %q must not be there without key %q", p.Name, p.With)
			}
			return
		}
	}
	if !isGiven {
		var ok bool
		if text, ok = r.otherwise(p); !ok {
			if !p.Optional && !slices.Contains(r.oneOf, p.Name) {
				r.wrong(BadParameter, "key %q is missing: %s needs it", p.Name, r.what())
			}
			return
		}
	}
	globs := r.allow[p.Name]
	if p.Allowed && len(globs) == 0 {
		r.wrong(SourceForbidden, "key %q must not be given: source %q does not allow it", p.Name, r.Name)
		return
	}
	value, err := p.read(text)
	if err != nil {
		r.wrong(BadParameter, "%s %s %v", p.Name, lines.Quote(text), err)
		return
	}
	if p.Allowed && !slices.ContainsFunc(globs, func(g glob) bool { return g.fits(value, r.workload.Namespace) }) {
		r.wrong(SourceForbidden, "%s %s is not what namespace %q may ask of source %q; allowed is %s", p.Name, lines.Quote(text), r.workload.Namespace, r.Name, r.allowed(globs))
		return
	}
	r.values[p.Name] = value
}

// otherwise is the value of a parameter that is not given.
func (r *resolution) otherwise(p *Parameter) (string, bool) {
	if slices.Contains(r.oneOf, p.Name) {
		return "", false
	}
	if globs := r.allow[p.Name]; len(globs) == 1 && !p.Optional {
		if only, ok := globs[0].only(r.workload.Namespace); ok {
			return only, true
		}
	}
	switch p.Default {
	case "":
		return "", false
	case OfNamespace:
		return r.workload.Namespace, true
	case OfWorkload:
		return r.workload.Name, true
	}
	return p.Default, true
}

// allowed are globs, as a namespace may read them.
func (r *resolution) allowed(globs []glob) string {
	texts := make([]string, len(globs))
	for i, g := range globs {
		texts[i] = g.shownTo(r.workload.Namespace)
	}
	return quoted(texts)
}

// addWorkload adds who asks, where the answer depends on it.
func (r *resolution) addWorkload() {
	for _, name := range r.of {
		value, bad := r.workload.Namespace, []string(nil)
		switch name {
		case OfWorkload:
			value, bad = r.workload.Name, validation.IsDNS1123Subdomain(r.workload.Name)
		case OfKind:
			value, bad = r.workload.Kind, notKind(r.workload.Kind)
		}
		if len(bad) > 0 {
			r.wrong(BadParameter, "%s %s cannot be asked for: %s", name[1:], lines.Quote(value), bad[0])
			continue
		}
		r.values[name] = value
	}
}

// notKind says why a text cannot be the kind of an object.
func notKind(text string) []string {
	if text == "" || len(text) > maxLabel || variableLength(text) != len(text) {
		return []string{"must be letters and digits"}
	}
	return nil
}
