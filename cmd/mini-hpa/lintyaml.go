package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/json"
	kubectl "sigs.k8s.io/yaml"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// document is one document of a file: its value as kubectl reads it, by YAML 1.1, and the nodes that say where each part
// of it is, in lines of the file. The nodes of an empty document are nil.
type document struct {
	node  *yaml.Node
	value any
	sheet *sheet
}

// chunk is a part of a file: one YAML document, or any number of JSON values.
type chunk struct {
	text string
	line int // the line of the file that it begins with
	// always says that its objects need not name their kind.
	always bool
}

// atLine is an error with the line of the file that it is about.
type atLine struct {
	line int
	err  error
}

// Error leaves the line to whoever writes it behind the name of the file.
func (a atLine) Error() string { return a.err.Error() }

// Unwrap returns what is wrong there.
func (a atLine) Unwrap() error { return a.err }

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

// isEmpty says that there are only comments and directives, perhaps behind a separator.
func (c chunk) isEmpty() bool {
	for line := range strings.Lines(c.text) {
		if line = strings.TrimSpace(strings.TrimPrefix(line, "---")); line != "" && line[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}

// reading is a chunk with the documents in it, and why there are none, or not all.
type reading struct {
	chunk
	documents []document
	err       error
}

// readings reads a stream. Always is that of its chunks.
func readings(text string, always bool) iter.Seq[reading] {
	return func(yield func(reading) bool) {
		for _, c := range chunks(text) {
			c.always = always
			documents, err := c.read()
			if !yield(reading{c, documents, err}) {
				return
			}
		}
	}
}

// read reads the documents of the chunk.
func (c chunk) read() ([]document, error) {
	if c.isEmpty() {
		return []document{{}}, nil
	}
	documents, bad := c.readJSON()
	if len(documents) > 0 && bad == nil {
		return documents, nil
	}
	d, err := c.readYAML()
	switch {
	case err != nil && len(documents) > 0:
		return documents, bad
	case err == nil && bad != nil && strings.Contains(c.text, annotations.Prefix) && !isObject(d.value):
		return nil, bad // JSON with comments, say, means something else as YAML
	}
	if err != nil && d.value == nil {
		return nil, err
	}
	return []document{d}, err
}

// readYAML reads the only document of the chunk. With an error there may be a document all the same, of which only a part is wrong.
func (c chunk) readYAML() (d document, err error) {
	// Where a parser contradicts itself, it panics.
	defer func() {
		if recover() != nil {
			d.value, err = nil, atLine{c.line, errors.New("the YAML parser does not understand it")}
		}
	}()
	if d.node, err = c.nodes(); err != nil || d.node == nil {
		return d, err
	}
	renumber(d.node, c.lines())
	if _, err := (&expansion{anchored: map[*yaml.Node]int{}}).measure(d.node); err != nil {
		return d, err
	}
	if isListOfObjects(d.node) {
		return d, atLine{d.node.Line, errors.New("is a list of objects, and only one of kind List can be applied; separate them with ---")}
	}
	d.sheet = &sheet{chunk: c}
	if kind, _ := (atlas{}).part(d.node, "kind"); kind == nil && !c.always {
		return d, nil // large files are often none of Kubernetes
	}
	var scalars odd
	scalars.look(d.node, false)
	text, err := c.withNames(scalars.names)
	var odd error
	if none := scalars.infinite; err != nil && len(none) > 0 {
		odd = atLine{none[0].Line, fmt.Errorf("cannot be parsed: %s is no number in JSON, so the API server gets nothing of this; put it in quotes", none[0].Value)}
		if quoted, ok := c.quoted(scalars.all()); ok {
			text, err = kubectl.YAMLToJSON([]byte(quoted.text))
		} else {
			err = odd
		}
	}
	if err != nil {
		return d, cmp.Or(odd, c.unfit(d.node, scalars.none, err))
	}
	if err := json.Unmarshal(text, &d.value); err != nil {
		return d, atLine{d.node.Line, err}
	}
	return d, odd
}

// unfit says why the chunk, whose nodes could be read, cannot be JSON. None are the names in it that are nothing.
func (c chunk) unfit(root *yaml.Node, none []*yaml.Node, err error) error {
	if len(none) > 0 {
		return atLine{none[0].Line, errors.New("cannot be parsed: a name in a mapping is nothing at all; names must be text")}
	}
	if strings.Contains(err.Error(), "map merge") {
		if wrong := wrongMerge(root); wrong != nil {
			return atLine{wrong.Line, errors.New("cannot be parsed: what is merged with << must be a mapping, or a list of some")}
		}
	}
	return c.failed(err, c.lines())
}

// withNames is the chunk as JSON with these names as they stand there.
func (c chunk) withNames(names []*yaml.Node) ([]byte, error) {
	if quoted, ok := c.quoted(names); ok {
		c = quoted
	}
	return kubectl.YAMLToJSON([]byte(c.text))
}

func isObject(value any) bool {
	fields, _ := value.(map[string]any)
	return fields["apiVersion"] != nil && fields["kind"] != nil
}

// isListOfObjects says whether a document is what no tool applies.
func isListOfObjects(root *yaml.Node) bool {
	if root.Kind != yaml.SequenceNode || len(root.Content) == 0 {
		return false
	}
	kind, _ := (atlas{}).part(root.Content[0], "kind")
	version, _ := (atlas{}).part(root.Content[0], "apiVersion")
	return kind != nil && version != nil
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

// nodes reads the only document of the chunk. They have the lines that YAML counts.
func (c chunk) nodes() (node *yaml.Node, err error) {
	// Where a parser contradicts itself, it panics.
	defer func() {
		if recover() != nil {
			node, err = nil, atLine{c.line, errors.New("the YAML parser does not understand it")}
		}
	}()
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
		return nil, atLine{lineOf(next.Line, c.lines()), errAnother}
	case !errors.Is(err, io.EOF):
		return nil, unparsed{err}
	}
	return document.Content[0], nil
}

// told is an error in words, with its line. It takes the time of another look at the chunk.
func (c chunk) told(err error) error {
	if raw := (unparsed{}); errors.As(err, &raw) {
		return c.failed(c.better(raw.error), c.lines())
	}
	return err
}

// better asks kubectl's parser, which tells of a mistake where it is, and not where that part of the document begins. It
// follows aliases, whatever they stand for.
func (c chunk) better(err error) error {
	if strings.Contains(c.text, "*") {
		return err
	}
	if _, itsOwn := kubectl.YAMLToJSON([]byte(c.text)); itsOwn != nil {
		return itsOwn
	}
	return err
}

// failed makes a line of the file of the line that the parser tells.
func (c chunk) failed(err error, lines []int) error {
	said := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "), "yaml: ")
	line := 0
	if n, scanErr := fmt.Sscanf(said, "line %d:", &line); n == 1 && scanErr == nil {
		_, said, _ = strings.Cut(said, ": ")
		if strings.HasPrefix(said, "did not find expected") {
			line++ // in these errors, the parser counts from 0
		}
		return atLine{lineOf(line, lines), errors.New("cannot be parsed: " + said)}
	}
	return atLine{c.line + strings.Count(c.text[:c.suspect(said)], "\n"), errors.New("cannot be parsed: " + said)}
}

// suspect is where in the text is what the parser tells of without a line; 0 if that is not known.
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

// wrongMerge is the first merge of something else than mappings; nil if there is none.
func wrongMerge(n *yaml.Node) *yaml.Node {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Tag == "!!merge" {
			value := followed(child)
			items := []*yaml.Node{value}
			if value.Kind == yaml.SequenceNode {
				items = value.Content
			}
			for _, item := range items {
				if followed(item).Kind != yaml.MappingNode {
					return item
				}
			}
		}
		if found := wrongMerge(child); found != nil {
			return found
		}
	}
	return nil
}

// advised says what to do with what is no manifest yet.
func (c chunk) advised(err error) error {
	err = c.told(err)
	at := atLine{line: c.line, err: err}
	errors.As(err, &at)
	switch {
	case errors.Is(err, errAnother):
		return atLine{at.line, fmt.Errorf("%w; separate documents with ---", at.err)}
	case strings.Contains(c.text, "{{"):
		return atLine{at.line, fmt.Errorf(`%w; if this is a Helm template, run "helm template ... | mini-hpa lint -"`, at.err)}
	}
	return at
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
		lines[len(lines)-1] = line - 1 // behind the last line there is none
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
