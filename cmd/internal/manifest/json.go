package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	kubejson "k8s.io/apimachinery/pkg/util/json"
	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// readJSON reads a stream of JSON objects. Not all JSON is YAML: "\ud83d\ude80" is not. With an error it returns the objects before the
// error, and none if no object begins here.
func (c chunk) readJSON() ([]Document, error) {
	if text := strings.TrimLeft(c.text, " \t\r\n"); !strings.HasPrefix(text, "{") || strings.HasPrefix(text, "{{") {
		return nil, nil
	}
	var documents []Document
	decoder := json.NewDecoder(strings.NewReader(c.text))
	at := cursor{Place: Place{c.line, 1}}
	all := &sheet{chunk: c, isJSON: true}
	for {
		var raw json.RawMessage // also bounds the depth
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		d := Document{sheet: all}
		if err == nil {
			err = kubejson.Unmarshal(raw, &d.Value)
		}
		end := int(decoder.InputOffset())
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) && raw == nil {
			end = int(syntax.Offset)
		} else if errors.Is(err, io.ErrUnexpectedEOF) {
			end, err = len(strings.TrimRight(c.text, " \t\r\n")), errors.New("it ends too early")
		}
		if err != nil {
			return documents, LineError{c.line + strings.Count(c.text[:end], "\n"), fmt.Errorf("cannot be parsed as JSON: %w", err)}
		}
		at.advance(c.text[:end-len(raw)])
		if d.Node, err = nodesOf(string(raw), at); err != nil {
			return documents, LineError{at.Line, err}
		}
		documents = append(documents, d)
	}
}

// cursor is a place in a text and its offset.
type cursor struct {
	Place
	offset int
}

// advance goes to the end of a text that is longer than what was seen before.
func (p *cursor) advance(text string) {
	passed := text[p.offset:]
	if i := strings.LastIndexByte(passed, '\n'); i >= 0 {
		p.Line += strings.Count(passed, "\n")
		p.Column, passed = 1, passed[i+1:]
	}
	p.Column += utf8.RuneCountInString(passed)
	p.offset = len(text)
}

// jsonNodes makes the nodes of a JSON value that YAML would have.
type jsonNodes struct {
	text    string
	decoder *json.Decoder
	at      cursor
}

func nodesOf(text string, at cursor) (*yaml.Node, error) {
	at.offset = 0
	r := jsonNodes{text: text, decoder: json.NewDecoder(strings.NewReader(text)), at: at}
	r.decoder.UseNumber()
	return r.node()
}

func (r *jsonNodes) node() (*yaml.Node, error) {
	// Between two tokens there are only these.
	behind := r.text[r.decoder.InputOffset():]
	r.at.advance(r.text[:len(r.text)-len(strings.TrimLeft(behind, " \t\r\n,:"))])
	token, err := r.decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("cannot read the next token: %w", err)
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: r.at.Line, Column: r.at.Column}
	switch token {
	case json.Delim('{'):
		return n, r.fill(n, yaml.MappingNode)
	case json.Delim('['):
		return n, r.fill(n, yaml.SequenceNode)
	case nil:
		n.Value = "null"
	default:
		n.Value = fmt.Sprint(token)
		if _, isText := token.(string); isText {
			n.Style = yaml.DoubleQuotedStyle
		}
	}
	return n, nil
}

// fill reads the rest of an array, or of an object, whose names and values are nodes in turn.
func (r *jsonNodes) fill(n *yaml.Node, kind yaml.Kind) error {
	n.Kind = kind
	for r.decoder.More() {
		child, err := r.node()
		if err != nil {
			return err
		}
		n.Content = append(n.Content, child)
	}
	_, err := r.decoder.Token()
	return err
}
