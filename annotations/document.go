package annotations

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"sigs.k8s.io/yaml"
)

// maxDepth is how deep lists and mappings may be nested; the deepest of autoscaling/v2 need eight levels.
const maxDepth = 16

// object is a JSON object whose members are in the order, and as often, as they were written.
type object []member

type member struct {
	name  string
	value any
}

// readDocument reads one YAML or JSON document into a tree of nil, bool, json.Number, string, []any and object. JSON,
// which is what programs write, is read as such: it costs a tenth of the time.
func readDocument(text string) (any, error) {
	if json.Valid([]byte(text)) {
		return readTree(text, false)
	}
	if err := refuseAliases(text); err != nil {
		return nil, err
	}
	converted, err := yaml.YAMLToJSONStrict([]byte(enclose(text)))
	if err != nil {
		return nil, unreadable(err)
	}
	tree, err := readTree(string(converted), true)
	if err != nil {
		return nil, err
	}
	entries, _ := tree.([]any)
	if len(entries) != 1 {
		return nil, errors.New("must be a single YAML document")
	}
	return entries[0], nil
}

// enclose makes a document the only entry of a list. The YAML reader stops after the first document and never looks
// at what follows; inside a list, a second one is an error like every other syntax error. Line numbers stay the same.
func enclose(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	if rest, ok := strings.CutPrefix(text, "---"); ok && strings.TrimLeft(rest, " \n") != rest {
		text = rest
	}
	return "- " + strings.ReplaceAll(text, "\n", "\n  ")
}

// unreadable tells what the YAML reader said. Where that depends on the order of a map, it is told in general.
func unreadable(err error) error {
	said := err.Error()
	if strings.Contains(said, "unsupported map key") {
		said = "a name in a mapping must be a string"
	}
	said = clean(strings.Join(strings.Fields(strings.TrimPrefix(said, "yaml: ")), " "), 2*shown)
	return fmt.Errorf("cannot be read as one YAML or JSON document: %s", said)
}

var errAlias = errors.New(`must not use YAML anchors or aliases ("&" or "*" in front of a name), also not within quotes`)

// refuseAliases refuses whatever could be an anchor or an alias before anything expands it: a few lines of them can
// stand for gigabytes. It knows no more of YAML than that a line without quotes ends where a comment begins, and that
// either mark means something only at the start of a word, so it refuses some text that is harmless.
func refuseAliases(text string) error {
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if !strings.ContainsAny(line, `"'`) {
			line = withoutComment(line)
		}
		if hasMark(line) {
			return errAlias
		}
	}
	return nil
}

// hasMark says whether a word of the line starts with the mark of an anchor or of an alias.
func hasMark(line string) bool {
	for i := 0; i+1 < len(line); i++ {
		isMark := line[i] == '&' || line[i] == '*'
		isStart := i == 0 || !isWord(line[i-1])
		if isMark && isStart && (isWord(line[i+1]) || line[i+1] == '-') {
			return true
		}
	}
	return false
}

func withoutComment(line string) string {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// treeReader builds a tree out of JSON.
type treeReader struct {
	decoder *json.Decoder
	// fromYAML says that names may have been numbers or truth values, and no longer be distinct: 1 and "1".
	fromYAML bool
}

func readTree(text string, fromYAML bool) (any, error) {
	r := treeReader{decoder: json.NewDecoder(strings.NewReader(text)), fromYAML: fromYAML}
	r.decoder.UseNumber()
	return r.value(0)
}

func (r *treeReader) value(depth int) (any, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, unreadable(err)
	}
	delimiter, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == maxDepth {
		return nil, fmt.Errorf("is nested too deep; at most %d levels are allowed", maxDepth)
	}
	if delimiter == '[' {
		return r.list(depth)
	}
	return r.object(depth)
}

func (r *treeReader) list(depth int) (any, error) {
	items := []any{}
	for r.decoder.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := r.decoder.Token()
	return items, err
}

func (r *treeReader) object(depth int) (any, error) {
	members := object{}
	for r.decoder.More() {
		name, err := r.name()
		if err != nil {
			return nil, err
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		members = append(members, member{name: name, value: value})
	}
	_, err := r.decoder.Token()
	return members, err
}

func (r *treeReader) name() (string, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return "", unreadable(err)
	}
	name, _ := token.(string)
	if r.fromYAML && json.Valid([]byte(name)) {
		return "", fmt.Errorf("name %q in a mapping must not be a number or a truth value", clean(name, shown))
	}
	return name, nil
}

// isOutOfPlace says whether a document must not hold r: control characters other than blanks and line breaks, and the
// characters that only YAML takes for line breaks or skips.
func isOutOfPlace(r rune) bool {
	switch r {
	case '\n', '\r', '\t':
		return false
	case '\u2028', '\u2029', '\ufeff':
		return true
	}
	return unicode.IsControl(r)
}
