package manifest

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Part is a part of a text: one YAML document, or any number of JSON values.
type Part struct {
	chunk
	// Documents are those that could be read. Err says why some or all could not.
	Documents []Document
	Err       error
	host      *host
}

// Read takes a text apart, as kubectl does at each line that begins with ---, and reads each part when it is asked for. A part that is broken is
// no reason not to read the others. Unless all is true, documents that name no kind have nodes and no value: large files are often none of
// Kubernetes.
func Read(text string, all bool) iter.Seq[Part] {
	return read(text, all, nil)
}

func read(text string, all bool, h *host) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		for _, c := range chunks(text) {
			c.always = all
			p := Part{chunk: c, host: h}
			p.Documents, p.Err = c.read()
			if len(p.Documents) > 0 {
				p.share(atlas{})
			}
			if !yield(p) {
				return
			}
		}
	}
}

// share gives the documents what they have in common.
func (p Part) share(known atlas) {
	for i := range p.Documents {
		p.Documents[i].atlas, p.Documents[i].host = known, p.host
	}
}

// Told is Err in words, with its line of the file. It takes the time of another look at the part.
func (p Part) Told() LineError {
	at := LineError{Line: p.line, Err: p.told(p.Err)}
	errors.As(at.Err, &at)
	if p.host != nil {
		at.Line = p.host.place(Place{Line: at.Line, Column: 1}).Line
	}
	return at
}

// Advised is Told, and says what to do with what is no manifest yet.
func (p Part) Advised() LineError {
	at := p.Told()
	switch {
	case errors.Is(at.Err, errAnother):
		at.Err = fmt.Errorf("%w; separate documents with ---", at.Err)
	case strings.Contains(p.text, "{{"):
		at.Err = fmt.Errorf(`%w; if this is a Helm template, run "helm template ... | mini-hpa lint -"`, at.Err)
	}
	return at
}

// MayBeManifest says whether a text that cannot be parsed has the fields that every object has. It decides on files that the user did not
// name.
func (p Part) MayBeManifest() bool {
	return (strings.Contains(p.text, "apiVersion") && strings.Contains(p.text, "kind")) || strings.Contains(p.text, annotations.Prefix)
}

// chunk is a part of a file: one YAML document, or any number of JSON values.
type chunk struct {
	text string
	line int // the line of the file that it begins with
	// always says that its objects need not name their kind.
	always bool
}

// chunks takes a stream apart as kubectl does: at each line that begins with ---. A document that is broken is no reason
// not to read the others.
func chunks(text string) []chunk {
	var parts []chunk
	start, first := 0, 1
	for offset, line := 0, 1; offset < len(text); line++ {
		end := len(text)
		if i := strings.IndexByte(text[offset:], '\n'); i >= 0 {
			end = offset + i + 1
		}
		if offset > 0 && isSeparator(text[offset:end]) {
			parts = append(parts, chunk{text: text[start:offset], line: first})
			start, first = offset, line
		}
		offset = end
	}
	parts = append(parts, chunk{text: text[start:], line: first})
	for i := range parts {
		parts[i].text = withoutMark(parts[i].text)
	}
	if !isSeparator(parts[0].text) && parts[0].isEmpty() {
		return parts[1:] // comments and directives before the first document
	}
	return parts
}

// withoutMark is a document without the mark of UTF-8, which files that were put together have behind the separator, on its line or the next.
func withoutMark(text string) string {
	first, rest, found := strings.Cut(text, "\n")
	if !isSeparator(text) || !found || !strings.Contains(first, "\ufeff") && !strings.HasPrefix(rest, "\ufeff") {
		return text
	}
	return strings.Replace(first, "\ufeff", "", 1) + "\n" + strings.TrimPrefix(rest, "\ufeff")
}

func isSeparator(line string) bool {
	rest, ok := strings.CutPrefix(line, "---")
	return ok && (rest == "" || strings.ContainsAny(rest[:1], " \t\r\n"))
}

// isEmpty says whether a text has only comments and directives, perhaps behind a separator.
func (c chunk) isEmpty() bool {
	for line := range strings.Lines(c.text) {
		if line = strings.TrimSpace(strings.TrimPrefix(line, "---")); line != "" && line[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}

// read reads the documents of the chunk.
func (c chunk) read() ([]Document, error) {
	if c.isEmpty() {
		return []Document{{}}, nil
	}
	documents, bad := c.readJSON()
	if len(documents) > 0 && bad == nil {
		return documents, nil
	}
	d, err := c.readYAML()
	switch {
	case err != nil && len(documents) > 0:
		return documents, bad
	case err == nil && bad != nil && strings.Contains(c.text, annotations.Prefix) && !isObject(d.Value):
		return nil, bad // JSON with comments, say, means something else as YAML
	}
	if err != nil && d.Value == nil {
		return nil, err
	}
	return []Document{d}, err
}
