package main

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

// readJSON reads a stream of JSON objects. Not all JSON is YAML: "\ud83d\ude80" is not. It says whether it is JSON.
func (c chunk) readJSON() ([]document, bool) {
	if !strings.HasPrefix(strings.TrimLeft(c.text, " \t\r\n"), "{") {
		return nil, false
	}
	var documents []document
	decoder := json.NewDecoder(strings.NewReader(c.text))
	at := place{line: c.line, column: 1}
	for {
		var raw json.RawMessage // also bounds the depth
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return documents, true
		}
		var d document
		if err == nil {
			err = kubejson.Unmarshal(raw, &d.value)
		}
		if err != nil {
			return nil, false
		}
		end := int(decoder.InputOffset())
		at.advance(c.text[:end-len(raw)])
		d.node, err = nodesOf(string(raw), at)
		if err != nil {
			return nil, false
		}
		documents = append(documents, d)
	}
}

// place is where in a text something is.
type place struct{ offset, line, column int }

// advance goes to the end of a text that is longer than what was seen before.
func (p *place) advance(text string) {
	passed := text[p.offset:]
	if i := strings.LastIndexByte(passed, '\n'); i >= 0 {
		p.line += strings.Count(passed, "\n")
		p.column, passed = 1, passed[i+1:]
	}
	p.column += utf8.RuneCountInString(passed)
	p.offset = len(text)
}

// jsonNodes makes the nodes of a JSON value that YAML would have.
type jsonNodes struct {
	text    string
	decoder *json.Decoder
	at      place
}

func nodesOf(text string, at place) (*yaml.Node, error) {
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
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: r.at.line, Column: r.at.column}
	switch token {
	case json.Delim('{'):
		return n, r.fill(n, yaml.MappingNode)
	case json.Delim('['):
		return n, r.fill(n, yaml.SequenceNode)
	case nil:
		n.Value = "null"
	default:
		n.Value = fmt.Sprint(token)
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
