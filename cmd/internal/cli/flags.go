package cli

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Value is a flag's value that knows what is allowed, so that a wrong one is refused where it is read.
type Value[T any] struct {
	Var    *T
	Kind   string // the placeholder in the flag's help
	Want   string // what is allowed, in words that follow "want"
	Parse  func(string) (T, bool)
	Format func(T) string
	// Words are what a shell completes; nil if there are none to choose from.
	Words []string
}

// Choices are the words that a shell completes.
func (c Value[T]) Choices() []string { return c.Words }

// String renders the value as a user would write it.
func (c Value[T]) String() string { return c.Format(*c.Var) }

// Type is the placeholder in the flag's help.
func (c Value[T]) Type() string { return c.Kind }

// Allowed says in words what may be written.
func (c Value[T]) Allowed() string { return c.Want }

// Set takes the value, or refuses it without a word: the caller asks Allowed for the words.
func (c Value[T]) Set(s string) error {
	v, ok := c.Parse(s)
	if !ok {
		return errors.New("not allowed")
	}
	*c.Var = v
	return nil
}

// Allowed says in words what a flag may be set to.
func Allowed(f *pflag.Flag) string {
	if c, ok := f.Value.(interface{ Allowed() string }); ok {
		return c.Allowed()
	}
	if f.Value.Type() == "bool" {
		return "true or false"
	}
	return "a " + f.Value.Type()
}

// Text is a string that is allowed or not; kind and want are Value's.
func Text(value *string, kind, want string, isAllowed func(string) bool) Value[string] {
	return Value[string]{Var: value, Kind: kind, Want: want, Format: func(s string) string { return s },
		Parse: func(s string) (string, bool) { return s, isAllowed(s) }}
}

// Duration is a Go duration from lo to hi.
func Duration(value *time.Duration, lo, hi time.Duration) pflag.Value {
	return within(value, lo, hi, "a duration")
}

// Seconds is a Go duration from lo to hi for something that the API keeps in whole seconds.
func Seconds(value *time.Duration, lo, hi time.Duration) pflag.Value {
	c := within(value, lo, hi, "a duration of whole seconds")
	parse := c.Parse
	c.Parse = func(s string) (time.Duration, bool) {
		d, ok := parse(s)
		return d, ok && d%time.Second == 0
	}
	return c
}

func within(value *time.Duration, lo, hi time.Duration, what string) Value[time.Duration] {
	return Value[time.Duration]{Var: value, Kind: "duration", Format: Short,
		Want: fmt.Sprintf("%s from %s to %s, such as %s", what, Short(lo), Short(hi), Short(*value)),
		Parse: func(s string) (time.Duration, bool) {
			d, err := time.ParseDuration(s)
			return d, err == nil && lo <= d && d <= hi
		}}
}

// Short is d without the zero units that time.Duration prints: 5m instead of 5m0s.
func Short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Count is an integer from lo to hi.
func Count(value *int, lo, hi int) pflag.Value {
	return Value[int]{Var: value, Kind: "int", Format: strconv.Itoa,
		Want: fmt.Sprintf("an integer from %d to %d", lo, hi),
		Parse: func(s string) (int, bool) {
			n, err := strconv.Atoi(s)
			return n, err == nil && lo <= n && n <= hi
		}}
}

// Rate is requests per second; -1 is no limit, as in rest.Config.QPS.
func Rate(value *float32) pflag.Value {
	return Value[float32]{Var: value, Kind: "float", Want: "a number from 0.1 to 10000, or -1 for no limit",
		Format: func(f float32) string { return strconv.FormatFloat(float64(f), 'g', -1, 32) },
		Parse: func(s string) (float32, bool) {
			f, err := strconv.ParseFloat(s, 32)
			return float32(f), err == nil && (f == -1 || 0.1 <= f && f <= 10000)
		}}
}

// fraction is a decimal fraction from 0 to 1, or a percentage from 0% to 100%.
func fraction(value *resource.Quantity) pflag.Value {
	return Value[resource.Quantity]{Var: value, Kind: "fraction", Parse: parseFraction,
		Want:   "a decimal fraction from 0 to 1 or a percentage from 0% to 100%, such as 0.1 or 10%",
		Format: func(q resource.Quantity) string { return strconv.FormatFloat(q.AsApproximateFloat64(), 'g', -1, 64) }}
}

func parseFraction(s string) (resource.Quantity, bool) {
	const longest = 16 // more digits say nothing, and cost the parser
	number, percent := strings.CutSuffix(s, "%")
	if number == "" || len(number) > longest || strings.Trim(number, "0123456789.") != "" {
		return resource.Quantity{}, false
	}
	if percent {
		number += "e-2" // exact, where a division by 100 in floating point is not
	}
	q, err := resource.ParseQuantity(number)
	q.Format = resource.DecimalSI
	return q, err == nil && q.Cmp(resource.MustParse("1")) <= 0
}

// OneOf is one of a few words.
func OneOf(value *string, words ...string) pflag.Value {
	v := Text(value, strings.Join(words, "|"), strings.Join(words, " or "), func(s string) bool { return slices.Contains(words, s) })
	v.Words = words
	return v
}

// Address is where a server listens, in controller-runtime's convention: host:port, :port, or 0 for not at all.
func Address(value *string) pflag.Value {
	const want = "host:port or :port with a port from 0 to 65535 (0 picks a free one), or 0 to serve nothing"
	return Text(value, "address", want, func(s string) bool {
		_, port, err := net.SplitHostPort(s)
		_, bad := strconv.ParseUint(port, 10, 16)
		return s == NoAddress || err == nil && bad == nil
	})
}

// NoAddress as an address means that the server is not started.
const NoAddress = "0"

// Namespace is the name of a namespace; empty where the flag has an own meaning for that.
func Namespace(value *string) pflag.Value {
	return Text(value, "namespace", "the name of a namespace (a DNS label)", func(s string) bool {
		return s == "" || len(validation.IsDNS1123Label(s)) == 0
	})
}

// Class is the class of an installation of mini-hpa, or nothing for the one that has none.
func Class(value *string) pflag.Value {
	return Text(value, "class", "the class of an installation (a DNS label), such as batch, or nothing", func(s string) bool {
		return s == "" || annotations.IsClass(s)
	})
}

// OptionalName is the name of an API object, or nothing.
func OptionalName(value *string) pflag.Value {
	return Text(value, "name", "the name of an object (a DNS subdomain), or nothing", func(s string) bool {
		return s == "" || len(validation.IsDNS1123Subdomain(s)) == 0
	})
}

// ObjectName is the name of an API object.
func ObjectName(value *string) pflag.Value {
	return Text(value, "name", "the name of an object (a DNS subdomain)", func(s string) bool { return len(validation.IsDNS1123Subdomain(s)) == 0 })
}
