package catalog

import (
	"maps"
	"slices"
)

// add takes an entry with which nothing is wrong.
func (c *Catalog) add(e *Entry) {
	k := &known{Entry: e, allow: e.globs(), questions: map[string]question{}}
	for _, text := range e.Namespaces {
		read, _ := readPattern(text)
		k.patterns = append(k.patterns, read)
	}
	if !e.Type.Queries {
		k.questions[""] = e.question()
	}
	for i := range e.Queries {
		k.questions[e.Queries[i].Name] = e.Queries[i].question()
	}
	c.entries = append(c.entries, k)
	c.named[e.Name] = k
}

// question is that of a type without queries.
func (e *Entry) question() question {
	q := question{parameters: slices.Clone(e.Type.Parameters), oneOf: e.Type.OneOf}
	if e.Type.PerWorkload {
		q.of = []string{OfNamespace, OfWorkload, OfKind}
	}
	if e.Type.Open {
		for _, key := range slices.Sorted(maps.Keys(e.Allow)) {
			if q.parameter(key) == nil {
				q.parameters = append(q.parameters, Parameter{Name: key, Kind: kindOpen, Optional: true, Allowed: true})
			}
		}
	}
	return q
}

// question is what a line gives for a query.
func (q *Query) question() question {
	var asked question
	for _, key := range slices.Sorted(maps.Keys(q.Parameters)) {
		asked.parameters = append(asked.parameters, q.Parameters[key])
	}
	for _, name := range []string{OfNamespace, OfWorkload, OfKind} {
		if q.uses(name[1:]) {
			asked.of = append(asked.of, name)
		}
	}
	return asked
}
