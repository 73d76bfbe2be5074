package annotations

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

var (
	errAlias  = errors.New(`must not use YAML anchors, aliases or merges ("&", "*" or "<<" without quotes)`)
	errTag    = errors.New(`must not use YAML tags other than "!!str"`)
	errSingle = errors.New("must be a single YAML document")
)

// readYAML reads the nodes of the only document. Nodes are what was written: they show quotes, and aliases are not expanded, of which a few
// lines can stand for gigabytes.
func readYAML(text string) (tree any, err error) {
	// Where the parser contradicts itself, it panics; an annotation must not end the controller.
	defer func() {
		if recover() != nil {
			tree, err = nil, unreadable(errors.New("the parser does not understand it"))
		}
	}()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var document, next yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, unreadable(err)
	}
	tree, err = treeOf(document.Content[0], 0)
	if err != nil {
		return nil, err
	}
	switch err := decoder.Decode(&next); {
	case err == nil:
		return nil, errSingle
	case !errors.Is(err, io.EOF):
		return nil, unreadable(err)
	}
	return tree, nil
}

func treeOf(node *yaml.Node, depth int) (any, error) {
	isScalar := node.Kind == yaml.ScalarNode
	switch {
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		return nil, errAlias
	case node.Style&yaml.TaggedStyle != 0 && (!isScalar || node.Tag != "!!str"):
		return nil, errTag
	case isScalar:
		return scalar(node), nil
	case depth == maxDepth:
		return nil, errDeep
	case node.Kind == yaml.MappingNode:
		return objectOf(node, depth)
	}
	return listOf(node, depth)
}

func listOf(node *yaml.Node, depth int) (any, error) {
	items := make([]any, len(node.Content))
	for i, item := range node.Content {
		var err error
		if items[i], err = treeOf(item, depth+1); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func objectOf(node *yaml.Node, depth int) (any, error) {
	members := make(object, 0, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, err := treeOf(node.Content[i], depth+1)
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		switch {
		case !ok:
			return nil, fmt.Errorf("name %q in a mapping must be a string; put it in quotes", clean(node.Content[i].Value, shown))
		case node.Content[i].Tag == "!!merge":
			return nil, errAlias
		}
		value, err := treeOf(node.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		members = append(members, member{name: name, value: value})
	}
	return members, nil
}

func scalar(node *yaml.Node) any {
	const isText = yaml.TaggedStyle | yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if node.Style&isText != 0 {
		return node.Value
	}
	return resolve(node.Value)
}

// resolve says what a scalar without quotes stands for when kubectl makes JSON of it for the API server: it reads
// YAML 1.1, in which "no" is false and 010 is 8. What JSON has no number for stays a number that nothing accepts.
func resolve(text string) any {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true
	case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false
	case ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF":
		return json.Number(text)
	}
	if strings.Contains("+-.0123456789", text[:1]) {
		return resolveNumber(text)
	}
	return text
}

// resolveNumber is resolve for what starts like a number.
func resolveNumber(text string) any {
	digits := text
	if text[0] != '.' {
		digits = strings.ReplaceAll(text, "_", "")
	}
	if n, err := strconv.ParseInt(digits, 0, 64); err == nil {
		return json.Number(strconv.FormatInt(n, 10))
	}
	if n, err := strconv.ParseUint(digits, 0, 64); err == nil {
		return json.Number(strconv.FormatUint(n, 10))
	}
	if f, err := strconv.ParseFloat(digits, 64); err == nil && strings.Trim(digits, "+-.eE0123456789") == "" {
		// A float64 that was read without an error is finite, and marshals.
		number, _ := json.Marshal(f)
		return json.Number(number)
	}
	return text
}
