package picture

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var layout string

// HTML writes the page: the picture, what the variants came to, every mark with its tip, the sections. The error is that
// of the writer.
func HTML(w io.Writer, p Page) error {
	t, err := template.New("page").Funcs(template.FuncMap{"clock": Clock, "heading": heading}).Parse(layout)
	if err != nil {
		return fmt.Errorf("could not read the page's template: %w", err)
	}
	// The picture is this package's own markup; every text in it went through escape.
	data := struct {
		Page
		Picture template.HTML
		Compare []compared
	}{p, template.HTML(markup(p)), p.compared()}
	if err := t.Execute(w, data); err != nil {
		return fmt.Errorf("could not write the page: %w", err)
	}
	return nil
}

// compared is one row of the table of summaries: a name, and a value for each variant.
type compared struct {
	Name   string
	Values []string
}

func (p Page) compared() []compared {
	var rows []compared
	index := map[string]int{}
	for i, v := range p.Variants {
		for _, f := range v.Summary {
			at, ok := index[f.Name]
			if !ok {
				at = len(rows)
				index[f.Name] = at
				rows = append(rows, compared{f.Name, make([]string, len(p.Variants))})
			}
			rows[at].Values[i] = f.Value
		}
	}
	return rows
}

// heading says of which variant and panel changes are.
func heading(parts ...string) string {
	text := "Every change"
	for _, part := range parts {
		if part != "" {
			text += ": " + part
		}
	}
	return text
}
