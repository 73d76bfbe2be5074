package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// The webhook answers anyone who reaches its port. Decoded into the API's own types, a body of a few MiB takes gigabytes: each
// "{}," in a list of containers is three bytes of text, but a Container of nearly a kilobyte. Parsing a quantity takes more than
// linear time. So only the fields that the checks read are decoded, into types that are as small as their text, and an object
// that no cluster could run is refused before it is decoded.
const (
	// maxContainers is per list. Real lists are far shorter; by default, a kubelet runs at most 110 pods.
	maxContainers = 1000
	// maxAnnotations is in bytes of JSON. The API server allows 256 KiB in all (TotalAnnotationSizeLimitB), of which each byte
	// may take six in JSON.
	maxAnnotations = 6 * 256 << 10
	// maxOwners is how many owners an object may have; real ones have one or two.
	maxOwners = 1000
	// maxResources is per container, of requests and of limits.
	maxResources = 20
	// maxQuantity is in bytes. The API server sends quantities in their shortest form.
	maxQuantity = 128
)

// errTooLarge is the error for an object that no cluster could run, or that was made to exhaust memory.
var errTooLarge = errors.New("too large")

// isNull says whether a value is null, which counts as absent.
func isNull(raw []byte) bool { return string(raw) == "null" }

// enter reads the beginning of an object or a list.
func enter(raw []byte, begin json.Delim) (*json.Decoder, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	token, err := decoder.Token()
	if err == nil && token != begin {
		err = fmt.Errorf("it begins with %v", token)
	}
	return decoder, err
}

// members visits the members of an object one after the other, since a map of them would take many times their text. The next one
// overwrites the value.
func members(raw []byte, visit func(name string, value json.RawMessage) error) error {
	decoder, err := enter(raw, '{')
	var value json.RawMessage
	for err == nil && decoder.More() {
		var token json.Token
		if token, err = decoder.Token(); err != nil {
			return err
		}
		name, _ := token.(string)
		if err = decoder.Decode(&value); err == nil {
			err = visit(name, value)
		}
	}
	return err
}

// elements visits the elements of a list one after the other. The next one overwrites the value.
func elements(raw []byte, visit func(json.RawMessage) error) error {
	decoder, err := enter(raw, '[')
	var value json.RawMessage
	for err == nil && decoder.More() {
		if err = decoder.Decode(&value); err == nil {
			err = visit(value)
		}
	}
	return err
}

// at is the text of the value at the end of a path of a CustomResourceDefinition; nil if there is none.
func at(raw json.RawMessage, path string) json.RawMessage {
	steps := annotations.Steps(path)
	if len(steps) == 0 {
		return nil
	}
	for _, step := range steps {
		var found json.RawMessage
		err := members(raw, func(name string, value json.RawMessage) error {
			if name == step {
				found = slices.Clone(value) // of two of the same name, the last counts
			}
			return nil
		})
		if err != nil {
			return nil
		}
		raw = found
	}
	return raw
}
