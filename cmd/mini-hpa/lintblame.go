package main

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/json"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// decode makes an API object of the fields as the API server does: names are the same only if their case is.
func (o object) decode(into any) error {
	text, err := stdjson.Marshal(quick("", o.Object))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err == nil {
		return nil
	}
	// The library that tells cases apart does not tell where; the standard one does.
	again := stdjson.Unmarshal(text, into)
	return atLine{o.culprit(again).Line, fmt.Errorf("cannot be read as %s %s: %w", o.GetKind(), o.title(), err)}
}

// slow is a quantity that takes long to read, see annotations.Amount.
var slow = regexp.MustCompile(`^[+-]?[0-9.]+[eE][+-]?[0-9]{3,}$`)

// amounts are the names of lists of quantities in a Deployment and in a LimitRange.
var amounts = []string{"requests", "limits", "overhead", "max", "min", "default", "defaultRequest", "maxLimitRequestRatio"}

// quick is a copy of a tree in which such quantities are bounded. Its parent is the name that it has in the tree.
func quick(parent string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			if text, isText := item.(string); isText && slices.Contains(amounts, parent) {
				out[name] = bounded(text)
			} else {
				out[name] = quick(name, item)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = quick(parent, item)
		}
		return out
	}
	return value
}

func bounded(text string) string {
	if trimmed := strings.TrimSpace(text); slow.MatchString(trimmed) {
		if q, err := annotations.Amount(trimmed); err == nil {
			return q.String()
		}
	}
	return text
}

// culprit is the node that is of the wrong type, or else the object.
func (o object) culprit(err error) *yaml.Node {
	isWrong := isNoQuantity
	if typed := (*stdjson.UnmarshalTypeError)(nil); errors.As(err, &typed) {
		isWrong = func(path []string, value any) bool {
			kind, _, _ := strings.Cut(typed.Value, " ") // such as "number 1.5"
			return withoutIndices(path) == typed.Field && jsonType(value) == kind
		}
	}
	path := search(o.Object, nil, isWrong)
	name, _ := walk(o.node, path)
	return name
}

// search returns the path of the first value of a tree that is wanted; nil if there is none.
func search(value any, path []string, wanted func(path []string, value any) bool) []string {
	if len(path) > 0 && wanted(path, value) {
		return path
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if found := search(v[name], append(slices.Clip(path), name), wanted); found != nil {
				return found
			}
		}
	case []any:
		for i, item := range v {
			if found := search(item, append(slices.Clip(path), strconv.Itoa(i)), wanted); found != nil {
				return found
			}
		}
	}
	return nil
}

// isNoQuantity finds what the decoder names no field for.
func isNoQuantity(path []string, value any) bool {
	if len(path) < 2 || !slices.Contains([]string{"requests", "limits"}, path[len(path)-2]) {
		return false
	}
	text, ok := value.(string)
	if !ok {
		return !slices.Contains([]string{"number", "null"}, jsonType(value))
	}
	_, err := annotations.Amount(strings.TrimSpace(text))
	return err != nil
}

// withoutIndices is how the decoder names a field.
func withoutIndices(path []string) string {
	var names []string
	for _, step := range path {
		if _, err := strconv.Atoi(step); err != nil {
			names = append(names, step)
		}
	}
	return strings.Join(names, ".")
}

func jsonType(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		return "string"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	}
	return "number"
}
