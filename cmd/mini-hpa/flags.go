package main

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
)

// checked is a flag's value that knows what is allowed, so that a wrong one is refused where it is read.
type checked[T any] struct {
	value  *T
	kind   string // the placeholder in the flag's help
	want   string // what is allowed, in words that follow "want"
	parse  func(string) (T, bool)
	format func(T) string
}

// String renders the value as a user would write it.
func (c checked[T]) String() string { return c.format(*c.value) }

// Type is the placeholder in the flag's help.
func (c checked[T]) Type() string { return c.kind }

// Allowed says in words what may be written.
func (c checked[T]) Allowed() string { return c.want }

// Set takes the value, or refuses it without a word: the caller asks Allowed for the words.
func (c checked[T]) Set(s string) error {
	v, ok := c.parse(s)
	if !ok {
		return errors.New("not allowed")
	}
	*c.value = v
	return nil
}

// allowed says in words what a flag may be set to.
func allowed(f *pflag.Flag) string {
	if c, ok := f.Value.(interface{ Allowed() string }); ok {
		return c.Allowed()
	}
	if f.Value.Type() == "bool" {
		return "true or false"
	}
	return "a " + f.Value.Type()
}

func asIs(s string) string { return s }

// duration is a Go duration from lo to hi.
func duration(value *time.Duration, lo, hi time.Duration) pflag.Value {
	return within(value, lo, hi, "a duration")
}

// seconds is a Go duration from lo to hi for something that the API keeps in whole seconds.
func seconds(value *time.Duration, lo, hi time.Duration) pflag.Value {
	c := within(value, lo, hi, "a duration of whole seconds")
	parse := c.parse
	c.parse = func(s string) (time.Duration, bool) {
		d, ok := parse(s)
		return d, ok && d%time.Second == 0
	}
	return c
}

func within(value *time.Duration, lo, hi time.Duration, what string) checked[time.Duration] {
	return checked[time.Duration]{value: value, kind: "duration", format: short,
		want: fmt.Sprintf("%s from %s to %s, such as %s", what, short(lo), short(hi), short(*value)),
		parse: func(s string) (time.Duration, bool) {
			d, err := time.ParseDuration(s)
			return d, err == nil && lo <= d && d <= hi
		}}
}

// short is d without the zero units that time.Duration prints: 5m instead of 5m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// count is an integer from lo to hi.
func count(value *int, lo, hi int) pflag.Value {
	return checked[int]{value: value, kind: "int", format: strconv.Itoa,
		want: fmt.Sprintf("an integer from %d to %d", lo, hi),
		parse: func(s string) (int, bool) {
			n, err := strconv.Atoi(s)
			return n, err == nil && lo <= n && n <= hi
		}}
}

// rate is requests per second; -1 is no limit, as in rest.Config.QPS.
func rate(value *float32) pflag.Value {
	return checked[float32]{value: value, kind: "float", want: "a number from 0.1 to 10000, or -1 for no limit",
		format: func(f float32) string { return strconv.FormatFloat(float64(f), 'g', -1, 32) },
		parse: func(s string) (float32, bool) {
			f, err := strconv.ParseFloat(s, 32)
			return float32(f), err == nil && (f == -1 || 0.1 <= f && f <= 10000)
		}}
}

// fraction is a decimal fraction from 0 to 1, or a percentage from 0% to 100%.
func fraction(value *resource.Quantity) pflag.Value {
	return checked[resource.Quantity]{value: value, kind: "fraction", parse: parseFraction,
		want:   "a decimal fraction from 0 to 1 or a percentage from 0% to 100%, such as 0.1 or 10%",
		format: func(q resource.Quantity) string { return strconv.FormatFloat(q.AsApproximateFloat64(), 'g', -1, 64) }}
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

// oneOf is one of a few words.
func oneOf(value *string, words ...string) pflag.Value {
	return checked[string]{value: value, kind: strings.Join(words, "|"), format: asIs, want: strings.Join(words, " or "),
		parse: func(s string) (string, bool) { return s, slices.Contains(words, s) }}
}

// address is where a server listens, in controller-runtime's convention: host:port, :port, or 0 for not at all.
func address(value *string) pflag.Value {
	return checked[string]{value: value, kind: "address", format: asIs,
		want: "host:port or :port with a port from 0 to 65535 (0 picks a free one), or 0 to serve nothing",
		parse: func(s string) (string, bool) {
			_, port, err := net.SplitHostPort(s)
			n, bad := strconv.ParseUint(port, 10, 16)
			return s, s == disabled || err == nil && bad == nil && n <= 65535
		}}
}

// disabled, as an address, means that the server is not started.
const disabled = "0"

// namespaced is the name of a namespace; empty where the flag has an own meaning for that.
func namespaced(value *string) pflag.Value {
	return checked[string]{value: value, kind: "namespace", format: asIs, want: "the name of a namespace (a DNS label)",
		parse: func(s string) (string, bool) { return s, s == "" || len(validation.IsDNS1123Label(s)) == 0 }}
}

// objectName is the name of an API object.
func objectName(value *string) pflag.Value {
	return checked[string]{value: value, kind: "name", format: asIs, want: "the name of an object (a DNS subdomain)",
		parse: func(s string) (string, bool) { return s, len(validation.IsDNS1123Subdomain(s)) == 0 }}
}
