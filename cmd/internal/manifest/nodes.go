package manifest

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	kubectl "sigs.k8s.io/yaml"
	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// Nodes reads the only document of a text, with lines of the text, or returns nil if there is none. The error is a LineError.
func Nodes(text string) (*yaml.Node, error) {
	c := chunk{text: text, line: 1}
	root, err := c.nodes()
	if err != nil || root == nil {
		return nil, c.told(err)
	}
	renumber(root, c.lines())
	return root, nil
}

// nodes reads the only document of the chunk. They have the lines that YAML counts.
func (c chunk) nodes() (node *yaml.Node, err error) {
	// Where a parser contradicts itself, it panics.
	defer func() {
		if recover() != nil {
			node, err = nil, LineError{c.line, errors.New("the YAML parser does not understand it")}
		}
	}()
	if c.common != nil && len(c.text) <= maxShort {
		if known, ok := c.common.broken[c.text]; ok {
			return nil, known
		}
		defer func() {
			if errors.As(err, &unparsed{}) {
				c.common.broken[c.text] = err
			}
		}()
	}
	decoder := yaml.NewDecoder(strings.NewReader(c.text))
	var document, next yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, unparsed{err}
	}
	switch err := decoder.Decode(&next); {
	case err == nil:
		return nil, LineError{lineOf(next.Line, c.lines()), errAnother}
	case !errors.Is(err, io.EOF):
		return nil, unparsed{err}
	}
	return document.Content[0], nil
}

// isYAML says whether the chunk can be parsed.
func (c chunk) isYAML() bool {
	if c.isEmpty() {
		return true
	}
	_, err := c.nodes()
	return err == nil
}

// unparsed is what the parser has said, which may be told better.
type unparsed struct{ error }

var errAnother = errors.New("another document begins here")

// told is an error in words, with its line. It takes the time of another look at the chunk.
func (c chunk) told(err error) error {
	if raw := (unparsed{}); errors.As(err, &raw) {
		return c.failed(c.better(raw.error), c.lines())
	}
	return err
}

// better asks kubectl's parser, which gives the line of the mistake and not that where its part of the document begins. It expands
// aliases, whatever their size.
func (c chunk) better(err error) error {
	if strings.Contains(c.text, "*") {
		return err
	}
	if _, itsOwn := kubectl.YAMLToJSON([]byte(c.text)); itsOwn != nil {
		return itsOwn
	}
	return err
}

// failed turns the parser's line into a line of the file.
func (c chunk) failed(err error, lines []int) error {
	said := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "), "yaml: ")
	line := 0
	if n, scanErr := fmt.Sscanf(said, "line %d:", &line); n == 1 && scanErr == nil {
		_, said, _ = strings.Cut(said, ": ")
		if strings.HasPrefix(said, "did not find expected") {
			line++ // in these errors, the parser counts from 0
		}
		return LineError{lineOf(line, lines), errors.New("cannot be parsed: " + said)}
	}
	return LineError{c.line + strings.Count(c.text[:c.suspect(said)], "\n"), errors.New("cannot be parsed: " + said)}
}

// suspect returns the line of an error that the parser gives without one, or 0 if that is not known.
func (c chunk) suspect(said string) int {
	var name string
	if n, err := fmt.Sscanf(said, "unknown anchor '%s", &name); n == 1 && err == nil {
		unknown := regexp.MustCompile(`\*` + regexp.QuoteMeta(strings.TrimSuffix(name, "'")) + `(?:[\s,\]}]|$)`)
		if at := unknown.FindStringIndex(c.text); at != nil {
			return at[0]
		}
	}
	if strings.Contains(said, "UTF-8") || strings.Contains(said, "control characters") {
		for i, r := range c.text {
			if _, size := utf8.DecodeRuneInString(c.text[i:]); r == utf8.RuneError && size == 1 || !isPrintable(r) {
				return i
			}
		}
	}
	return 0
}

// isPrintable says whether YAML takes a character.
func isPrintable(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r == '\u0085':
		return true
	case r < ' ', '\x7f' <= r && r < '\u00a0', '\ufffe' <= r && r <= '\uffff':
		return false
	}
	return true
}

// lines are the lines of the file, by the lines of the chunk as YAML counts them. It knows more line breaks than editors do.
func (c chunk) lines() []int {
	line := c.line
	lines := []int{line}
	for i, r := range c.text {
		switch r {
		case '\n':
			line++
			lines = append(lines, line)
		case '\r':
			if !strings.HasPrefix(c.text[i+1:], "\n") {
				lines = append(lines, line)
			}
		case '\u0085', '\u2028', '\u2029':
			lines = append(lines, line)
		}
	}
	if last, _ := utf8.DecodeLastRuneInString(c.text); last == '\n' {
		lines[len(lines)-1] = line - 1 // there is no line behind the last one
	}
	return lines
}

// lineOf bounds what a parser says.
func lineOf(line int, lines []int) int {
	return lines[min(max(line, 1), len(lines))-1]
}

func renumber(node *yaml.Node, lines []int) {
	node.Line = lineOf(node.Line, lines)
	for _, child := range node.Content {
		renumber(child, lines)
	}
}
