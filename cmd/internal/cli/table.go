package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Page is text in sections, some of which are tables. All of it goes through line and row, which make strings from a cluster or a file
// harmless.
type Page struct {
	out *tabwriter.Writer
	err error // the first failure to write
}

// NewPage writes to w.
func NewPage(w io.Writer) *Page { return &Page{out: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// Line is text without columns.
func (p *Page) Line(format string, args ...any) {
	fmt.Fprintln(p.out, Clean(fmt.Sprintf(format, args...)))
}

// Row is indented, in columns.
func (p *Page) Row(cells ...string) {
	for i := range cells {
		cells[i] = Clean(cells[i])
	}
	fmt.Fprintln(p.out, "  "+strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

// Title starts a section. The flush in between gives each section columns of its own.
func (p *Page) Title(format string, args ...any) {
	p.Line("")
	_ = p.Flush() // it keeps the failure
	p.Line(format, args...)
}

// Flush writes what is left. The error is the first failure to write, of all that was.
func (p *Page) Flush() error {
	if err := p.out.Flush(); p.err == nil {
		p.err = err
	}
	return p.err
}

// Err is the first failure to write so far.
func (p *Page) Err() error { return p.err }

// Change is a number of replicas, or a change of it.
func Change(from, to int32) string {
	if from == to {
		return fmt.Sprint(to)
	}
	return fmt.Sprintf("%d -> %d", from, to)
}
