package annotations

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/amount"
)

// names has the JSON names of the fields of every struct that can be part of a document, in the order of the fields. It is never
// changed.
var names = namesOf(map[reflect.Type][]string{},
	reflect.TypeFor[autoscalingv2.MetricSpec](), reflect.TypeFor[autoscalingv2.HorizontalPodAutoscalerBehavior]())

func namesOf(known map[reflect.Type][]string, types ...reflect.Type) map[reflect.Type][]string {
	for _, t := range types {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || t == reflect.TypeFor[resource.Quantity]() || known[t] != nil {
			continue
		}
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			known[t] = append(known[t], name)
			namesOf(known, f.Type)
		}
	}
	return known
}

// fill puts a tree into a value of autoscaling/v2 the way the API server reads JSON: names in their exact case, null
// like absence. It goes on after a problem, so that all of them are reported at once.
func (p *draft) fill(into reflect.Value, from any, at *field.Path) {
	if from == nil {
		return
	}
	if q, ok := into.Addr().Interface().(*resource.Quantity); ok {
		p.fillQuantity(q, from, at)
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		p.fill(into.Elem(), from, at)
	case reflect.Struct:
		p.fillStruct(into, from, at)
	case reflect.Slice:
		p.fillSlice(into, from, at)
	case reflect.Map:
		p.fillLabels(into, from, at)
	case reflect.String:
		p.fillString(into, from, at)
	case reflect.Int32:
		p.fillNumber(into, from, at)
	default:
		p.wrong(at, describe(from), "is not supported")
	}
}

func (p *draft) fillStruct(into reflect.Value, from any, at *field.Path) {
	members, ok := from.(object)
	fields := names[into.Type()]
	if !ok {
		p.wrong(at, describe(from), "must be a mapping of "+alternatives(fields))
		return
	}
	var seen [16]bool
	for _, m := range members {
		i := slices.Index(fields, m.name)
		if i < 0 {
			p.wrong(at, m.name, cmp.Or(formerly(into.Type(), m.name, m.value), "is not a field here; must be one of "+alternatives(fields)))
			continue
		}
		if seen[i] {
			p.wrong(at, m.name, "is there twice")
			continue
		}
		seen[i] = true
		p.fill(into.Field(i), m.value, at.Child(m.name))
	}
}

func (p *draft) fillSlice(into reflect.Value, from any, at *field.Path) {
	items, ok := from.([]any)
	if !ok {
		p.wrong(at, describe(from), "must be a list")
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(items), len(items)))
	for i, item := range items {
		p.fill(into.Index(i), item, at.Index(i))
	}
}

// fillLabels reads the one kind of map that autoscaling/v2 has.
func (p *draft) fillLabels(into reflect.Value, from any, at *field.Path) {
	members, ok := from.(object)
	if !ok {
		p.wrong(at, describe(from), "must be a mapping of labels to values")
		return
	}
	labels := make(map[string]string, len(members))
	for _, m := range members {
		value, isString := m.value.(string)
		_, twice := labels[m.name]
		switch {
		case twice:
			p.wrong(at, m.name, "is there twice")
		case !isString && m.value != nil:
			p.wrong(at, m.name, "must have a string as its value; put it in quotes")
		default:
			labels[m.name] = value
		}
	}
	into.Set(reflect.ValueOf(labels))
}

func (p *draft) fillString(into reflect.Value, from any, at *field.Path) {
	switch from := from.(type) {
	case json.Number, bool:
		p.wrong(at, describe(from), "must be a string; put it in quotes")
	case string:
		if strings.ContainsFunc(from, func(r rune) bool { return !unicode.IsPrint(r) }) {
			p.wrong(at, from, "must not contain characters that do not print")
			return
		}
		into.SetString(from)
	default:
		p.wrong(at, describe(from), "must be a string")
	}
}

func (p *draft) fillNumber(into reflect.Value, from any, at *field.Path) {
	digits, ok := from.(json.Number)
	n, err := strconv.ParseInt(string(digits), 10, 32)
	if !ok || err != nil {
		p.wrong(at, describe(from), fmt.Sprintf("must be a whole number up to %d, without quotes", math.MaxInt32))
		return
	}
	into.SetInt(n)
}

// maxExponent is the number of digits of an exponent that a document may have, see amount.Read.
const maxExponent = 2

// fillQuantity takes a string, with blanks around it, or a number, as the API server does. It may be larger than what
// Quantity.MilliValue can hold.
func (p *draft) fillQuantity(into *resource.Quantity, from any, at *field.Path) {
	text, _ := from.(string)
	if number, isNumber := from.(json.Number); isNumber {
		text = string(number)
	}
	text = strings.TrimSpace(text)
	if len(text) > maxScalarLength || !amount.IsQuick(text, maxExponent) {
		p.wrong(at, describe(from), fmt.Sprintf("must be at most %d bytes long, with an exponent of at most %d digits", maxScalarLength, maxExponent))
		return
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		p.wrong(at, describe(from), `must be a quantity such as "500m", "40" or "1Gi"`)
		return
	}
	*into = q
}

// alternatives lists the words that are allowed.
func alternatives[T ~string](words []T) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = strconv.Quote(string(word))
	}
	return strings.Join(quoted, ", ")
}
