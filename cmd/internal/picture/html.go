package picture

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"strings"
)

//go:embed page.css
var pageStyle string

// HTML writes the page: the picture, what the variants came to, every mark with its tip, the sections. The error is that
// of the writer.
func HTML(w io.Writer, p Page) error {
	// Not html/template: it calls methods by name, so that the linker would keep every method of every type of the Kubernetes API,
	// a third of the whole program. An arch test holds that.
	d := &document{}
	d.add("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n")
	d.element("title", p.Title)
	d.add("\n<style>\n" + pageStyle + "</style>\n</head>\n<body>\n")
	d.add(markup(p) + "\n") // this package's own; every text in it went through escape
	d.comparison(p)
	for _, s := range p.Sections {
		d.section(s)
	}
	for _, v := range p.Variants {
		for _, panel := range v.Panels {
			d.changes(heading(v.Name, panel.Title), panel.Marks)
		}
	}
	d.add("</body>\n</html>\n")
	if _, err := io.WriteString(w, d.String()); err != nil {
		return fmt.Errorf("could not write the page: %w", err)
	}
	return nil
}

// document is HTML that is being put together: add takes markup, everything else takes text.
type document struct{ strings.Builder }

func (d *document) add(markup string) { d.WriteString(markup) }

// element adds text in a tag, which may have attributes.
func (d *document) element(tag, text string) {
	name, _, _ := strings.Cut(tag, " ")
	d.add("<" + tag + ">" + html.EscapeString(text) + "</" + name + ">")
}

// row adds a row of a table; class is none for most.
func (d *document) row(cell, class string, cells ...string) {
	if class != "" {
		class = ` class="` + class + `"`
	}
	d.add("<tr" + class + ">")
	for _, text := range cells {
		d.element(cell, text)
	}
	d.add("</tr>\n")
}

// comparison adds the summaries of the variants, side by side.
func (d *document) comparison(p Page) {
	rows := p.compared()
	if len(rows) == 0 {
		return
	}
	head := []string{""}
	for _, v := range p.Variants {
		head = append(head, v.Name)
	}
	d.element("h2", "What it came to")
	d.add("\n<table>\n")
	d.row("th", "", head...)
	for _, r := range rows {
		d.row("td", "", append([]string{r.Name}, r.Values...)...)
	}
	d.add("</table>\n")
}

func (d *document) section(s Section) {
	d.element("h2", s.Title)
	d.add("\n")
	if len(s.Rows) > 0 {
		d.add("<table>\n")
		d.row("th", "", s.Head...)
		for _, r := range s.Rows {
			class := ""
			if r.Alarm {
				class = "bad"
			}
			d.row("td", class, r.Cells...)
		}
		d.add("</table>\n")
	}
	if s.Text != "" {
		d.element("pre", s.Text)
		d.add("\n")
	}
}

// changes adds the marks of a panel.
func (d *document) changes(title string, marks []Mark) {
	if len(marks) == 0 {
		return
	}
	d.element("h2", title)
	d.add("\n<table>\n<tr><th class=\"number\">Time</th><th>Change</th><th>Reason</th></tr>\n")
	for _, m := range marks {
		d.add("<tr>")
		d.element(`td class="number"`, Clock(m.At))
		d.element(`td class="change"`, fmt.Sprint(m))
		d.element("td", m.Tip)
		d.add("</tr>\n")
	}
	d.add("</table>\n")
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
