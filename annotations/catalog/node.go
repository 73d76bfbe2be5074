package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

// MaxLength is how many bytes a file may have, which is what a ConfigMap may have.
const MaxLength = 1 << 20

// readNodes reads the only document of a file. The nodes are what was written: aliases are not followed yet, of which a few lines can stand
// for gigabytes.
func readNodes(data []byte) (root *yaml.Node, err error) {
	switch {
	case len(data) > MaxLength:
		return nil, fmt.Errorf("is %d bytes long; must be at most %d", len(data), MaxLength)
	case !utf8.Valid(data):
		return nil, errors.New("must be valid UTF-8")
	}
	// Where the parser contradicts itself, it panics; a file must not end the controller.
	defer func() {
		if recover() != nil {
			root, err = nil, unreadable(errors.New("the parser does not understand it"))
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, next yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, errors.New(`is empty; must be a mapping with "version: v1"`)
	case err != nil:
		return nil, unreadable(err)
	}
	switch err := decoder.Decode(&next); {
	case err == nil:
		return nil, errors.New("must be a single YAML document")
	case !errors.Is(err, io.EOF):
		return nil, unreadable(err)
	}
	return document.Content[0], nil
}

func unreadable(err error) error {
	return fmt.Errorf("cannot be read as YAML: %s", lines.Quote(strings.TrimPrefix(err.Error(), "yaml: ")))
}
