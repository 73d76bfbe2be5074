package sources

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

// question is what a source is asked.
type question struct {
	catalog.Asked
	// line is as the user has written it; empty for a query of the file.
	line string
}

// String is how the page names it.
func (q question) String() string {
	if q.line != "" {
		return q.line
	}
	return strings.TrimSpace(q.Source + " " + q.Query)
}

// linesOf reads lines as the annotation has them. What a number is held at counts for nothing here.
func linesOf(args []string) ([]question, error) {
	var all []question
	for _, text := range args {
		read, problems := lines.Read(text)
		switch {
		case len(problems) > 0:
			return nil, fmt.Errorf("line %s %w", lines.Quote(text), errors.New(problems[0].Message))
		case len(read) != 1:
			return nil, fmt.Errorf("line %s has %d lines with words; want one", lines.Quote(text), len(read))
		}
		q := question{Asked: catalog.Asked{Source: read[0].Words[0].Value, Given: map[string]string{}}, line: text}
		for i, word := range read[0].Words[1:] {
			switch {
			case word.Key == "" && i == 0:
				q.Query = word.Value
			case word.Key == "":
				return nil, fmt.Errorf("line %s has the word %s; after the source there may be one query, then keys with values", lines.Quote(text), lines.Quote(word.Value))
			case !catalog.IsReserved(word.Key):
				q.Given[word.Key] = word.Value
			}
		}
		all = append(all, q)
	}
	return all, nil
}

// queriesOf are the questions that an entry has without a line: its queries, or the one that a type without them has.
func queriesOf(e *catalog.Entry) []question {
	if !e.Type.Queries {
		return []question{{Asked: catalog.Asked{Source: e.Name}}}
	}
	var all []question
	for i := range e.Queries {
		all = append(all, question{Asked: catalog.Asked{Source: e.Name, Query: e.Queries[i].Name}})
	}
	return all
}

// inOrderOf compares questions by the places of their sources in the file. Those of none are last.
func inOrderOf(c *catalog.Catalog) func(a, b question) int {
	place := func(q question) int {
		i := slices.Index(c.Entries(), c.Entry(q.Source))
		if i < 0 {
			return len(c.Entries())
		}
		return i
	}
	return func(a, b question) int { return place(a) - place(b) }
}
