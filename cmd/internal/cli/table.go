package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Page is text in sections, some of which are tables. All of it goes through Line and Row, which make strings from a cluster or a file
// harmless.
type Page struct{ onto sheet }

// sheet is what a page is written onto.
type sheet interface {
	line(text string)
	row(cells []string)
	// title starts a section with columns of its own.
	title(text string)
	// flush returns the first failure to write, of all that was.
	flush() error
	err() error
}

// NewPage writes to w.
func NewPage(w io.Writer) *Page {
	return &Page{&printed{out: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}}
}

// Line is text without columns.
func (p *Page) Line(format string, args ...any) { p.onto.line(Clean(fmt.Sprintf(format, args...))) }

// Row is indented, in columns.
func (p *Page) Row(cells ...string) {
	for i := range cells {
		cells[i] = Clean(cells[i])
	}
	p.onto.row(cells)
}

// Title starts a section.
func (p *Page) Title(format string, args ...any) { p.onto.title(Clean(fmt.Sprintf(format, args...))) }

// Flush writes what is left. The error is the first failure to write, of all that was.
func (p *Page) Flush() error { return p.onto.flush() }

// Err is the first failure to write so far.
func (p *Page) Err() error { return p.onto.err() }

// printed is a page as text.
type printed struct {
	out    *tabwriter.Writer
	failed error // the first failure to write
}

func (p *printed) line(text string) { fmt.Fprintln(p.out, text) }

func (p *printed) row(cells []string) {
	p.line("  " + strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

// title flushes in between, which gives each section columns of its own.
func (p *printed) title(text string) {
	p.line("")
	_ = p.flush() // it keeps the failure
	p.line(text)
}

func (p *printed) flush() error {
	if err := p.out.Flush(); p.failed == nil {
		p.failed = err
	}
	return p.failed
}

func (p *printed) err() error { return p.failed }

// Section is a part of a page: its title, which the first one need not have, its lines, and its table.
type Section struct {
	Title string     `json:"title,omitempty"`
	Lines []string   `json:"lines,omitempty"`
	Rows  [][]string `json:"rows,omitempty"`
}

// Sections is what is written onto a page, for those who show it otherwise.
func Sections(write func(p *Page)) []Section {
	k := &kept{{}}
	write(&Page{k})
	return *k
}

// kept is a page as values.
type kept []Section

func (k kept) last() *Section { return &k[len(k)-1] }

func (k *kept) line(text string) { k.last().Lines = append(k.last().Lines, text) }

func (k *kept) row(cells []string) { k.last().Rows = append(k.last().Rows, cells) }

func (k *kept) title(text string) { *k = append(*k, Section{Title: text}) }

func (k *kept) flush() error { return nil }

func (k *kept) err() error { return nil }

// Change is a number of replicas, or a change of it.
func Change(from, to int32) string {
	if from == to {
		return fmt.Sprint(to)
	}
	return fmt.Sprintf("%d -> %d", from, to)
}
