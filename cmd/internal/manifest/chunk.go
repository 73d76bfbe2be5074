package manifest

import (
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// Place is where in a text something is. Both begin at 1; a column is that of a character.
type Place struct{ Line, Column int }

func placeOf(n *yaml.Node) Place { return Place{Line: n.Line, Column: n.Column} }

// LineError is an error with the line of the file that it is about.
type LineError struct {
	Line int
	Err  error
}

// Error does not have the line, which the caller writes behind the name of the file.
func (e LineError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong there.
func (e LineError) Unwrap() error { return e.Err }

// chunk is a part of a file: one YAML document, or any number of JSON values.
type chunk struct {
	text string
	line int // the line of the file that it begins with
	// always says that its objects need not name their kind.
	always bool
	// common is what it shares with others; nil if it is alone.
	common *common
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
