package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

const (
	// maxDepth is how many levels a file may have.
	maxDepth = 16
	// maxText is how many bytes a text of it may have.
	maxText = 4096
	// maxItems is how many items a list of it may have, or members a mapping.
	maxItems = 1024
	// maxWork is how much may be read, aliases followed: the bytes of texts, and some for each node.
	maxWork, nodeWork = 4 * MaxLength, 16
)

// decoder fills values from nodes, as json.Unmarshal does, with the names of their json tags; but strictly, and with all problems together.
type decoder struct {
	*problems
	depth, work int
	// spent says that maxWork is used up, of which it is told once.
	spent bool
}

// rawNode is a node that is read later.
type rawNode struct{ *yaml.Node }

// decode fills in what a node says. A scalar that is to be text is what is written: 1 is "1", and no is "no".
func (d *decoder) decode(node *yaml.Node, into reflect.Value, at *field.Path) {
	d.depth++
	defer func() { d.depth-- }()
	node, ok := d.follow(node, at)
	if !ok {
		return
	}
	if raw, ok := into.Addr().Interface().(*rawNode); ok {
		raw.Node = node
		return
	}
	if own, ok := into.Addr().Interface().(json.Unmarshaler); ok {
		d.decodeOwn(node, into, own, at)
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		before, value := d.count(), reflect.New(into.Type().Elem())
		if d.decode(node, value.Elem(), at); d.count() == before {
			into.Set(value)
		}
	case reflect.Struct:
		d.decodeStructs(node, at, into)
	case reflect.Map:
		d.decodeMap(node, into, at)
	case reflect.Slice:
		d.decodeSlice(node, into, at)
	default:
		d.decodeScalar(node, into, at)
	}
}

// follow returns the node that an alias stands for, and whether it may be read.
func (d *decoder) follow(node *yaml.Node, at *field.Path) (*yaml.Node, bool) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	d.work += nodeWork + len(node.Value)
	if d.work > maxWork {
		if !d.spent {
			d.forbid(at, "aliases stand for too much")
		}
		d.spent = true
		return nil, false
	}
	switch {
	case node.Style&yaml.TaggedStyle != 0 && node.Tag != "!!str":
		d.wrong(at, node.Tag, `must not have a YAML tag other than "!!str"`)
	case d.depth > maxDepth:
		d.forbid(at, fmt.Sprintf("is nested too deep; at most %d levels are allowed", maxDepth))
	case node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null":
		d.absent(at, "there is nothing behind the colon; leave the name out, too, or say what it is")
	case len(node.Value) > maxText:
		d.forbid(at, fmt.Sprintf("is %d bytes long; must be at most %d", len(node.Value), maxText))
	case len(node.Content) > 2*maxItems || node.Kind == yaml.SequenceNode && len(node.Content) > maxItems:
		d.forbid(at, fmt.Sprintf("has too much in it; at most %d items are allowed", maxItems))
	default:
		return node, !d.isFull()
	}
	return nil, false
}

// decodeOwn is for what reads itself, from a text.
func (d *decoder) decodeOwn(node *yaml.Node, into reflect.Value, own json.Unmarshaler, at *field.Path) {
	if node.Kind != yaml.ScalarNode {
		d.wrong(at, whatIs(node), "must be text")
		return
	}
	text, _ := json.Marshal(node.Value) // a string always can be
	err := own.UnmarshalJSON(text)
	switch {
	case err == nil:
	case into.Type() == reflect.TypeFor[metav1.Duration]():
		d.wrong(at, node.Value, `must be a duration such as "5s" or "2m"`)
	default:
		d.wrong(at, node.Value, "cannot be read: "+lines.Quote(err.Error()))
	}
}

func (d *decoder) decodeScalar(node *yaml.Node, into reflect.Value, at *field.Path) {
	if node.Kind != yaml.ScalarNode {
		d.wrong(at, whatIs(node), "must be "+wanted(into.Kind()))
		return
	}
	text := node.Value
	var err error
	switch into.Kind() {
	case reflect.String:
		if into.SetString(text); text == "" {
			d.absent(at, "must not be empty")
		}
	case reflect.Bool:
		into.SetBool(text == "true")
		if text != "true" && text != "false" || node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			err = strconv.ErrSyntax
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(text, 10, into.Type().Bits())
		into.SetInt(n)
	default:
		err = strconv.ErrSyntax
	}
	if err != nil {
		d.wrong(at, text, "must be "+wanted(into.Kind()))
	}
}

func (d *decoder) decodeSlice(node *yaml.Node, into reflect.Value, at *field.Path) {
	if node.Kind != yaml.SequenceNode {
		d.wrong(at, whatIs(node), "must be a list")
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content)))
	for i, item := range node.Content {
		d.decode(item, into.Index(i), at.Index(i))
	}
}

func (d *decoder) decodeMap(node *yaml.Node, into reflect.Value, at *field.Path) {
	into.Set(reflect.MakeMap(into.Type()))
	for name, value := range d.members(node, at) {
		item := reflect.New(into.Type().Elem()).Elem()
		d.decode(value, item, named(at, name))
		into.SetMapIndex(reflect.ValueOf(name), item)
	}
}

// decodeStructs fills in several structs, each with those of a mapping's members that are its fields.
func (d *decoder) decodeStructs(node *yaml.Node, at *field.Path, into ...reflect.Value) {
	var names []string
	fields := map[string]reflect.Value{}
	for _, value := range into {
		names = append(names, fieldsOf(value, fields)...)
	}
	for name, value := range d.members(node, at) {
		into, known := fields[name]
		if !known {
			d.wrong(at, name, "is no field here; "+instead(name, names))
			continue
		}
		d.decode(value, into, at.Child(name))
	}
}

// fieldsOf adds the fields of a struct by their names in JSON, and returns these.
func fieldsOf(value reflect.Value, fields map[string]reflect.Value) []string {
	var names []string
	for i := range value.NumField() {
		f := value.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			names = append(names, fieldsOf(value.Field(i), fields)...)
		case f.IsExported() && name != "" && name != "-":
			fields[name], names = value.Field(i), append(names, name)
		}
	}
	return names
}

// peek returns the text of a member, before it is known what else there may be. What is wrong with it will be told when it is decoded.
func (d *decoder) peek(node *yaml.Node, name string) string {
	for i := 0; i+1 < len(node.Content); i += 2 {
		value := node.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if node.Content[i].Value == name && value.Kind == yaml.ScalarNode {
			return value.Value
		}
	}
	return ""
}

// members are the names and values of a mapping. A name that is there twice is reported.
func (d *decoder) members(node *yaml.Node, at *field.Path) func(yield func(name string, value *yaml.Node) bool) {
	return func(yield func(name string, value *yaml.Node) bool) {
		if node.Kind != yaml.MappingNode {
			d.wrong(at, whatIs(node), "must be a mapping")
			return
		}
		seen := map[string]bool{}
		for i := 0; i+1 < len(node.Content) && !d.isFull(); i += 2 {
			key := node.Content[i]
			switch {
			case key.Kind != yaml.ScalarNode || key.Style&yaml.TaggedStyle != 0 || key.Tag == "!!merge":
				d.wrong(at, cmp.Or(key.Value, whatIs(key)), `must not be the name of a member; names are text, and there are no merges ("<<")`)
			case seen[key.Value]:
				d.add(field.Duplicate(named(at, key.Value), key.Value))
			case !yield(key.Value, node.Content[i+1]):
				return
			}
			seen[key.Value] = true
		}
	}
}

// whatIs is what a message calls a node that is not what it should be.
func whatIs(node *yaml.Node) string {
	switch node.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	case yaml.AliasNode:
		return "an alias"
	default:
		return node.Value
	}
}

func wanted(kind reflect.Kind) string {
	switch kind {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	default:
		return "a whole number"
	}
}
