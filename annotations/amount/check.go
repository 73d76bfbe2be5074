package amount

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Check finds the first quantity of a JSON document that would take hours to read or to compare, where the document is to be read into a value
// of a type that has fields of resource.Quantity. It is for types that are too large to hide each of these fields by one of JSON. The error is a
// *field.Error with the path of the quantity. What is no JSON is left to what reads it, and names count in any case, as encoding/json reads them.
func Check(document []byte, into any) error {
	if !json.Valid(document) { // which also bounds how deep it is
		return nil
	}
	c := checker{json.NewDecoder(bytes.NewReader(document))}
	c.tokens.UseNumber()
	if problem := c.value(reflect.TypeOf(into), nil); problem != nil {
		return problem
	}
	return nil
}

var quantity = reflect.TypeFor[resource.Quantity]()

// checker goes through the tokens of a document. Of two members with the same name both are looked at, as both are read.
type checker struct{ tokens *json.Decoder }

// value looks at the next one, which is to be read into a type; nil is one that is not known.
func (c *checker) value(t reflect.Type, at *field.Path) *field.Error {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch token, _ := c.tokens.Token(); token := token.(type) {
	case json.Delim:
		return c.parts(token, t, at)
	case string:
		return slow(token, t, at)
	case json.Number:
		return slow(string(token), t, at)
	}
	return nil
}

// parts looks at the members of an object, or the items of a list, up to its end.
func (c *checker) parts(opening json.Delim, t reflect.Type, at *field.Path) *field.Error {
	for i := 0; c.tokens.More(); i++ {
		part, of := at.Index(i), item(t)
		if opening == '{' {
			token, _ := c.tokens.Token()
			name, _ := token.(string)
			part, of = at.Child(name), member(t, name)
		}
		if problem := c.value(of, part); problem != nil {
			return problem
		}
	}
	_, _ = c.tokens.Token()
	return nil
}

// slow is the error of a text that is to be read as a quantity, and would take hours; nil for all others.
func slow(text string, t reflect.Type, at *field.Path) *field.Error {
	if t != quantity {
		return nil
	}
	err := CheckText(strings.TrimSpace(text)) // as the API server reads it
	if err == nil {
		return nil
	}
	const shown = 40
	if len(text) > shown {
		text = strings.ToValidUTF8(text[:shown], "") + "..."
	}
	return field.Invalid(at, text, err.Error())
}

var errSlow = fmt.Errorf("must be at most %d bytes long, with an exponent of at most %d digits", longestAmount, exactExponent)

// CheckText is the error of a text that resource.ParseQuantity, or whatever is done with what that makes of it, would take hours for. It says what is
// allowed, without the text.
func CheckText(text string) error {
	if IsQuick(text, exactExponent) && len(text) <= longestAmount {
		return nil
	}
	return errSlow
}

// item is the type of the items of a list; nil if it is none.
func item(t reflect.Type) reflect.Type {
	if t != nil && t.Kind() == reflect.Slice {
		return t.Elem()
	}
	return nil
}

// member is the type of a member of an object; nil if it has none of that name. One of a struct hides those of structs in it.
func member(t reflect.Type, name string) reflect.Type {
	switch {
	case t != nil && t.Kind() == reflect.Map:
		return t.Elem()
	case t == nil || t.Kind() != reflect.Struct:
		return nil
	}
	var inlined []reflect.Type
	for f := range t.Fields() {
		switch known, _, _ := strings.Cut(f.Tag.Get("json"), ","); {
		case known == "" && f.Anonymous:
			inlined = append(inlined, f.Type)
		case strings.EqualFold(known, name):
			return f.Type
		}
	}
	for _, part := range inlined {
		if found := member(part, name); found != nil {
			return found
		}
	}
	return nil
}
