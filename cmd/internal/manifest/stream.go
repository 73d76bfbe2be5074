package manifest

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"

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
	return read(text, all, nil, newCommon(len(text)))
}

// ReadText reads the documents in a scalar of this one. Their places are those in the file.
func (d Document) ReadText(scalar *yaml.Node) iter.Seq[Part] {
	with := newCommon(len(scalar.Value))
	if d.sheet != nil {
		with = d.sheet.common
	}
	return read(scalar.Value, true, &host{outside: placeOf(scalar), sheet: d.sheet, text: scalar}, with)
}

func read(text string, all bool, h *host, with *common) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		parsed := run{chunks: chunks(text)}
		for i := range parsed.chunks {
			parsed.chunks[i].always, parsed.chunks[i].common = all, with
		}
		for i, c := range parsed.chunks {
			p := Part{chunk: c, host: h}
			if h != nil {
				with.inside--
			}
			if with.inside < 0 {
				yield(p.refused())
				return
			}
			p.Documents, p.Err = c.read(func() (*yaml.Node, error) { return parsed.nodes(i) })
			if len(p.Documents) > 0 {
				p.share(atlas{})
			}
			if !yield(p) {
				return
			}
		}
	}
}

// refused is a part that is one too many.
func (p Part) refused() Part {
	p.Err = LineError{p.line, fmt.Errorf("the texts in this file have too many documents; they may have %d, and one more for every %d bytes of the file", spareInside, sizeInside)}
	return p
}

// share gives the documents what they have in common.
func (p Part) share(known atlas) {
	for i := range p.Documents {
		p.Documents[i].atlas, p.Documents[i].host = known, p.host
	}
}

// Size is how long the part is, in bytes.
func (p Part) Size() int { return len(p.text) }

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

// read reads the documents of the chunk, with its nodes if it is YAML.
func (c chunk) read(nodes func() (*yaml.Node, error)) ([]Document, error) {
	if c.isEmpty() {
		return []Document{{}}, nil
	}
	documents, bad := c.readJSON()
	if len(documents) > 0 && bad == nil {
		return documents, nil
	}
	d, err := c.readYAML(nodes)
	switch {
	case err != nil && len(documents) > 0:
		return documents, bad
	case err == nil && bad != nil && strings.Contains(c.text, annotations.Prefix) && hasComments(d.Node):
		return nil, bad // it means something else as YAML
	}
	if err != nil && d.Value == nil {
		return nil, err
	}
	return []Document{d}, err
}
