package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// page is text for people in sections, some of which are tables. Everything goes through line and row, where strings from a cluster or a file
// are made harmless.
type page struct {
	out *tabwriter.Writer
	err error // the first failure to write
}

// newPage writes to w.
func newPage(w io.Writer) *page { return &page{out: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// line is text without columns.
func (p *page) line(format string, args ...any) {
	fmt.Fprintln(p.out, clean(fmt.Sprintf(format, args...)))
}

// row is indented, in columns.
func (p *page) row(cells ...string) {
	for i := range cells {
		cells[i] = clean(cells[i])
	}
	fmt.Fprintln(p.out, "  "+strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

// title starts a section. The flush in between gives each section columns of its own.
func (p *page) title(format string, args ...any) {
	p.line("")
	_ = p.flush() // it keeps the failure
	p.line(format, args...)
}

// flush writes what is left. The error is the first failure to write, of all that was.
func (p *page) flush() error {
	if err := p.out.Flush(); p.err == nil {
		p.err = err
	}
	return p.err
}

// failed is the first failure to write so far.
func (p *page) failed() error { return p.err }

// move is a number of replicas, or a change of it.
func move(from, to int32) string {
	if from == to {
		return fmt.Sprint(to)
	}
	return fmt.Sprintf("%d -> %d", from, to)
}
