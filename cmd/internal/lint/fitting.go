package lint

import (
	"encoding/base64"
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

// fitting makes a tree fit the type that it is to be decoded into.
type fitting struct {
	problems field.ErrorList
	structs
	// written is a scalar as the manifest has it: what was read of Off is false.
	written func(path string, value any) string
}

// structs are the types of the fields of each struct that was met, by their JSON names.
type structs map[reflect.Type]map[string]reflect.Type

// fit returns a copy of a tree of JSON without what does not fit the type, and whether anything is left. Null fits everything.
func (f *fitting) fit(value any, t reflect.Type, at *field.Path) (any, bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if value == nil {
		return nil, true
	}
	switch t {
	case reflect.TypeFor[resource.Quantity]():
		return f.quantity(value, at)
	case reflect.TypeFor[intstr.IntOrString]():
		return f.intOrString(value, at)
	case reflect.TypeFor[metav1.Time]():
		text, ok := value.(string)
		_, err := time.Parse(time.RFC3339, text)
		return f.demand(ok && err == nil, value, at, `must be a time such as "2026-01-31T12:00:00Z"`)
	case reflect.TypeFor[[]byte]():
		text, ok := value.(string)
		_, err := base64.StdEncoding.DecodeString(text)
		return f.demand(ok && err == nil, value, at, "must be text in base64")
	case reflect.TypeFor[metav1.FieldsV1]():
		return value, true // anything
	}
	switch t.Kind() {
	case reflect.Struct:
		return f.mapping(value, at, func(name string) reflect.Type { return f.fieldsOf(t)[name] }, (*field.Path).Child)
	case reflect.Map:
		key := func(at *field.Path, name string, _ ...string) *field.Path { return at.Key(name) }
		return f.mapping(value, at, func(string) reflect.Type { return t.Elem() }, key)
	case reflect.Slice:
		return f.list(value, t.Elem(), at)
	default:
		return f.scalar(value, t, at)
	}
}

// mapping is fit for what has named parts. Of what no type is known for, nothing is read.
func (f *fitting) mapping(value any, at *field.Path, typeOf func(name string) reflect.Type, step func(*field.Path, string, ...string) *field.Path) (any, bool) {
	members, ok := value.(map[string]any)
	if !ok {
		return f.demand(false, value, at, "must be a mapping of names to values")
	}
	fitted := make(map[string]any, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		t := typeOf(name)
		if t == nil {
			continue
		}
		if part, ok := f.fit(members[name], t, step(at, name)); ok {
			fitted[name] = part
		}
	}
	return fitted, true
}

// list is fit for lists. An item that does not fit leaves its place empty, so that those behind it keep theirs.
func (f *fitting) list(value any, item reflect.Type, at *field.Path) (any, bool) {
	items, ok := value.([]any)
	if !ok {
		return f.demand(false, value, at, `must be a list; begin each of its items with "- "`)
	}
	fitted, end := make([]any, len(items)), 0
	for i := range items {
		var fits bool
		if fitted[i], fits = f.fit(items[i], item, at.Index(i)); fits {
			end = i + 1
		}
	}
	return fitted[:end], true
}

func (f *fitting) scalar(value any, t reflect.Type, at *field.Path) (any, bool) {
	switch t.Kind() {
	case reflect.String:
		_, ok := value.(string)
		return f.demand(ok, value, at, "must be a string"+f.quotesFor(value, at, ok))
	case reflect.Bool:
		_, ok := value.(bool)
		return f.demand(ok, value, at, "must be true or false, without quotes")
	case reflect.Int32, reflect.Int64:
		return f.demand(isWhole(value, t.Bits()), value, at, "must be a whole number, without quotes")
	default:
		return value, true // the library decides; the objects that are read have nothing else
	}
}

// quotesFor is the advice for a scalar that should be a string.
func (f *fitting) quotesFor(value any, at *field.Path, isString bool) string {
	switch value.(type) {
	case map[string]any, []any:
		return ""
	}
	if isString {
		return ""
	}
	return "; put it in quotes: " + cli.Quote(f.written(at.String(), value))
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

func (f *fitting) intOrString(value any, at *field.Path) (any, bool) {
	_, isText := value.(string)
	return f.demand(isText || isWhole(value, 32), value, at, `must be a whole number or a string such as "25%"`)
}

// quantity takes what the API server takes, numbers too, but in bounded time; see amount.Read.
func (f *fitting) quantity(value any, at *field.Path) (any, bool) {
	text, ok := value.(string)
	switch n := value.(type) {
	case int64:
		text, ok = strconv.FormatInt(n, 10), true
	case float64:
		text, ok = strconv.FormatFloat(n, 'g', -1, 64), true
	}
	q, err := amount.Read(strings.TrimSpace(text))
	if !ok || err != nil {
		return f.demand(false, value, at, `must be a quantity such as "500m", "2" or "1Gi"`)
	}
	return q.String(), true
}

// demand reports a value that is not what it must be.
func (f *fitting) demand(ok bool, value any, at *field.Path, what string) (any, bool) {
	if ok {
		return value, true
	}
	shown := value
	switch v := value.(type) {
	case map[string]any, []any:
		shown = field.OmitValueType{}
	case string:
		shown = shortened(v)
	}
	f.problems = append(f.problems, field.Invalid(at, shown, what).WithOrigin(annotations.FoundInvalidField))
	return nil, false
}

// shortened is enough of a user's text to know it by.
func shortened(text string) string {
	const enough = 64
	if runes := []rune(text); len(runes) > enough {
		return string(runes[:enough]) + "…"
	}
	return text
}

// fieldsOf are the types of a struct's fields by their JSON names, those of inlined structs included.
func (s structs) fieldsOf(t reflect.Type) map[string]reflect.Type {
	if known, ok := s[t]; ok {
		return known
	}
	fields := map[string]reflect.Type{}
	for part := range t.Fields() {
		name, _, _ := strings.Cut(part.Tag.Get("json"), ",")
		switch {
		case name == "" && part.Anonymous:
			maps.Copy(fields, s.fieldsOf(part.Type))
		case name != "" && name != "-":
			fields[name] = part.Type
		}
	}
	s[t] = fields
	return fields
}
