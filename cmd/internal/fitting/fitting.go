// Package fitting makes a value of an API's type of a tree of JSON, as the API server does, and says of each part that does not fit where it is and what it
// must be.
package fitting

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/amount"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// Fit makes a value of an API's type, to which into points, of the members of an object, as the API server does: names are the same only if their case is. What
// does not fit the type is left out, and is a problem. Quantities that take long to read are bounded. The structs are those that were met before. Written is a
// scalar as its text has it: what was read of Off is false. The error is why a part that fits could not be read.
func Fit(members map[string]any, into any, known Structs, written func(path string, value any) string) (field.ErrorList, error) {
	f := fitting{Structs: known, written: written}
	err := f.all(members, reflect.ValueOf(into).Elem())
	return f.problems, err
}

// fitting is one call of Fit.
type fitting struct {
	problems field.ErrorList
	Structs
	written func(path string, value any) string
	// way leads to the part that is being fitted. Of most parts there is nothing to say, so that it is no path yet.
	way []step
	// inOrder says that members are fitted in the order of their names. That counts only where there is something to say.
	inOrder bool
	// err is why a part that fits could not be read.
	err error
}

// step leads to a member of a struct or of a map, or to an item of a list.
type step struct {
	name  string
	index int
	kind  reflect.Kind
}

// Structs are where the fields of each struct are that was met, by their JSON names.
type Structs map[reflect.Type]map[string][]int

// at is the path of the part that is being fitted.
func (f *fitting) at() *field.Path {
	var at *field.Path
	for _, s := range f.way {
		switch s.kind {
		case reflect.Struct:
			at = at.Child(s.name)
		case reflect.Map:
			at = at.Key(s.name)
		default:
			at = at.Index(s.index)
		}
	}
	return at
}

// all fits a whole object.
func (f *fitting) all(members map[string]any, into reflect.Value) error {
	if f.fit(members, into); len(f.problems) > 0 {
		f.inOrder, f.problems, f.err = true, nil, nil
		into.SetZero()
		f.fit(members, into)
	}
	return f.err
}

// fit puts into a value, which is zero, what of a tree of JSON fits its type, and says whether anything does. Null fits everything.
func (f *fitting) fit(value any, into reflect.Value) bool {
	if value == nil {
		return true
	}
	if into.Kind() == reflect.Pointer {
		fitted := reflect.New(into.Type().Elem())
		fits := f.fit(value, fitted.Elem())
		if fits {
			into.Set(fitted)
		}
		return fits
	}
	switch known := into.Addr().Interface().(type) {
	case *resource.Quantity:
		return f.quantity(value, known)
	case *intstr.IntOrString:
		return f.intOrString(value, known)
	case *metav1.Time:
		text, ok := value.(string)
		_, err := time.Parse(time.RFC3339, text)
		return f.demand(ok && err == nil, value, `must be a time such as "2026-01-31T12:00:00Z"`) && f.restored(value, known)
	case *[]byte:
		text, ok := value.(string)
		_, err := base64.StdEncoding.DecodeString(text)
		return f.demand(ok && err == nil, value, "must be text in base64") && f.restored(value, known)
	case *metav1.FieldsV1, *json.RawMessage: // anything
		return f.restored(value, known)
	}
	switch into.Kind() {
	case reflect.Struct:
		fields := f.fieldsOf(into.Type())
		return f.mapping(value, reflect.Struct, func(name string, value any) {
			if index, ok := fields[name]; ok {
				f.fit(value, into.FieldByIndex(index))
			}
		})
	case reflect.Map:
		return f.members(value, into)
	case reflect.Slice:
		return f.list(value, into)
	default:
		return f.scalar(value, into)
	}
}

// restored is fit for what its own type reads.
func (f *fitting) restored(value, into any) bool {
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	f.err = cmp.Or(f.err, err)
	return true
}

// mapping fits what has named parts, each by itself. Of what no type is known for, nothing is read.
func (f *fitting) mapping(value any, kind reflect.Kind, fit func(name string, value any)) bool {
	members, ok := value.(map[string]any)
	if !ok {
		return f.demand(false, value, "must be a mapping of names to values")
	}
	one := func(name string) {
		f.way = append(f.way, step{name: name, kind: kind})
		fit(name, members[name])
		f.way = f.way[:len(f.way)-1]
	}
	if f.inOrder {
		for _, name := range slices.Sorted(maps.Keys(members)) {
			one(name)
		}
		return true
	}
	for name := range members {
		one(name)
	}
	return true
}

// members is fit for maps.
func (f *fitting) members(value any, into reflect.Value) bool {
	t := into.Type()
	if members, ok := value.(map[string]any); ok {
		into.Set(reflect.MakeMapWithSize(t, len(members)))
	}
	return f.mapping(value, reflect.Map, func(name string, value any) {
		fitted := reflect.New(t.Elem()).Elem()
		if f.fit(value, fitted) {
			into.SetMapIndex(reflect.ValueOf(name).Convert(t.Key()), fitted)
		}
	})
}

// list is fit for lists. An item that does not fit leaves its place empty, so that those behind it keep theirs.
func (f *fitting) list(value any, into reflect.Value) bool {
	items, ok := value.([]any)
	if !ok {
		return f.demand(false, value, `must be a list; begin each of its items with "- "`)
	}
	fitted, end := reflect.MakeSlice(into.Type(), len(items), len(items)), 0
	for i := range items {
		f.way = append(f.way, step{index: i})
		if f.fit(items[i], fitted.Index(i)) {
			end = i + 1
		}
		f.way = f.way[:len(f.way)-1]
	}
	into.Set(fitted.Slice(0, end))
	return true
}

func (f *fitting) scalar(value any, into reflect.Value) bool {
	switch into.Kind() {
	case reflect.String:
		text, ok := value.(string)
		if ok {
			into.SetString(text)
		}
		return ok || f.demand(false, value, "must be a string"+f.quotesFor(value))
	case reflect.Bool:
		truth, ok := value.(bool)
		into.SetBool(truth)
		return f.demand(ok, value, "must be true or false, without quotes")
	case reflect.Int32, reflect.Int64:
		isWhole := isWhole(value, into.Type().Bits())
		if isWhole {
			into.SetInt(whole(value))
		}
		return f.demand(isWhole, value, "must be a whole number, without quotes")
	default:
		return f.restored(value, into.Addr().Interface()) // the objects that are read have nothing else
	}
}

// quotesFor is the advice for a scalar that should be a string.
func (f *fitting) quotesFor(value any) string {
	switch value.(type) {
	case map[string]any, []any:
		return ""
	}
	return "; put it in quotes: " + cli.Quote(f.written(f.at().String(), value))
}

// isWhole says whether a number has no fraction and fits into so many bits.
func isWhole(value any, bits int) bool {
	switch n := value.(type) {
	case int64:
		return bits == 64 || math.MinInt32 <= n && n <= math.MaxInt32
	case float64:
		return n == math.Trunc(n) && math.Abs(n) < math.Ldexp(1, bits-1)
	}
	return false
}

// whole is a number that is whole.
func whole(value any) int64 {
	if n, ok := value.(float64); ok {
		return int64(n)
	}
	n, _ := value.(int64)
	return n
}

func (f *fitting) intOrString(value any, into *intstr.IntOrString) bool {
	text, isText := value.(string)
	switch {
	case isText:
		*into = intstr.FromString(text)
	case isWhole(value, 32):
		*into = intstr.FromInt32(int32(whole(value)))
	default:
		return f.demand(false, value, `must be a whole number or a string such as "25%"`)
	}
	return true
}

// quantity takes what the API server takes, numbers too, but in bounded time; see amount.Read.
func (f *fitting) quantity(value any, into *resource.Quantity) bool {
	text, ok := value.(string)
	switch n := value.(type) {
	case int64:
		text, ok = strconv.FormatInt(n, 10), true
	case float64:
		text, ok = strconv.FormatFloat(n, 'g', -1, 64), true
	}
	q, err := amount.Read(strings.TrimSpace(text))
	if !ok || err != nil {
		return f.demand(false, value, `must be a quantity such as "500m", "2" or "1Gi"`)
	}
	*into = q
	return true
}

// demand reports a value that is not what it must be.
func (f *fitting) demand(ok bool, value any, what string) bool {
	if ok {
		return true
	}
	shown := value
	switch v := value.(type) {
	case map[string]any, []any:
		shown = field.OmitValueType{}
	case string:
		shown = shortened(v)
	}
	f.problems = append(f.problems, field.Invalid(f.at(), shown, what).WithOrigin(annotations.FoundInvalidField))
	return false
}

// shortened is enough of a user's text to know it by.
func shortened(text string) string {
	const enough = 64
	if runes := []rune(text); len(runes) > enough {
		return string(runes[:enough]) + "…"
	}
	return text
}

// fieldsOf are where a struct has its fields, by their JSON names, those of inlined structs included.
func (s Structs) fieldsOf(t reflect.Type) map[string][]int {
	if known, ok := s[t]; ok {
		return known
	}
	fields := map[string][]int{}
	for i := range t.NumField() {
		part := t.Field(i)
		name, _, _ := strings.Cut(part.Tag.Get("json"), ",")
		switch {
		case name == "" && part.Anonymous:
			for inner, index := range s.fieldsOf(part.Type) {
				fields[inner] = append([]int{i}, index...)
			}
		case name != "" && name != "-":
			fields[name] = []int{i}
		}
	}
	s[t] = fields
	return fields
}
