package loadsim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	// longestText bounds the text of a curve, in bytes; a ConfigMap may hold a megabyte.
	longestText = 4096
	// longestLoad bounds the digits of a load, so that every load fits an int64 of millicores with room for sums.
	longestLoad = 12
)

var errForm = errors.New(`want a load ("500m"), steps ("100m@0s,2200m@30s") or burst(low,high,period,on)`)

// ParseCurve reads the textual form of a curve:
//
//	500m                          Constant; a load is written as a CPU quantity without exponent: 500m, 2, 0.5
//	100m@0s,2200m@30s             Steps, in order of time
//	burst(200m,2200m,20s,10s)     Burst: low, high, period, time at high
//
// Spaces around the parts do not matter. The error quotes the text and says what was expected.
func ParseCurve(text string) (Curve, error) {
	if len(text) > longestText {
		return nil, fmt.Errorf("load %s: %d bytes are more than %d", quote(text), len(text), longestText)
	}
	c, err := parse(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", quote(text), err)
	}
	return c, nil
}

func parse(text string) (Curve, error) {
	name, rest, isCall := strings.Cut(text, "(")
	switch {
	case isCall:
		return parseCall(strings.TrimSpace(name), rest)
	case strings.Contains(text, "@"):
		return parseSteps(strings.Split(text, ","))
	}
	load, err := parseLoad(text)
	if err != nil {
		return nil, fmt.Errorf("%w; %w", err, errForm)
	}
	return Constant(load), nil
}

func parseCall(name, rest string) (Curve, error) {
	inner, closed := strings.CutSuffix(rest, ")")
	if !closed {
		return nil, errors.New("the closing parenthesis is missing")
	}
	if name != "burst" {
		return nil, errForm
	}
	a := &arguments{left: strings.Split(inner, ",")}
	low, high, period, on := a.load("low"), a.load("high"), a.duration("period"), a.duration("on")
	switch {
	case period <= 0:
		a.fail("period: want more than 0s")
	case on > period:
		a.fail("on (%s) is longer than the period (%s)", on, period)
	case len(a.left) > 0:
		a.fail("%d arguments too many", len(a.left))
	}
	if a.err != nil {
		return nil, a.err
	}
	return Burst(low, high, period, on), nil
}

func parseSteps(texts []string) (Curve, error) {
	steps := make([]Step, 0, len(texts))
	for _, text := range texts {
		load, at, _ := strings.Cut(text, "@")
		a := &arguments{left: []string{load, at}}
		s := Step{Load: a.load("load"), At: a.duration("time")}
		if len(steps) > 0 && s.At <= steps[len(steps)-1].At {
			a.fail("step at %s is not later than the one before it", s.At)
		}
		if a.err != nil {
			return nil, a.err
		}
		steps = append(steps, s)
	}
	return Steps(steps...), nil
}

// arguments are read from left to right; the first thing wrong with them is kept.
type arguments struct {
	left []string
	err  error
}

func (a *arguments) fail(format string, values ...any) {
	if a.err == nil {
		a.err = fmt.Errorf(format, values...)
	}
}

func (a *arguments) next(name string) string {
	if len(a.left) == 0 {
		a.fail("%s is missing", name)
		return ""
	}
	text := strings.TrimSpace(a.left[0])
	a.left = a.left[1:]
	return text
}

func (a *arguments) load(name string) int64 {
	load, err := parseLoad(a.next(name))
	if err != nil {
		a.fail("%s: %w", name, err)
	}
	return load
}

func (a *arguments) duration(name string) time.Duration {
	text := a.next(name)
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		a.fail("%s: %s is not a duration such as 30s or 1m30s", name, quote(text))
	}
	return d
}

// parseLoad reads a CPU quantity into millicores. Only digits, a point and the suffix m are let through: an exponent
// would make a short text an enormous number.
func parseLoad(text string) (int64, error) {
	number := strings.TrimSuffix(text, "m")
	if len(number) <= longestLoad && strings.Trim(number, "0123456789.") == "" {
		if q, err := resource.ParseQuantity(text); err == nil {
			return q.MilliValue(), nil
		}
	}
	return 0, fmt.Errorf("%s is not a load such as 500m, 2 or 0.5", quote(text))
}

// quote makes a user's text safe to print: quoted, and cut to 64 runes.
func quote(text string) string {
	if runes := []rune(text); len(runes) > 64 {
		return fmt.Sprintf("%q...", string(runes[:64]))
	}
	return fmt.Sprintf("%q", text)
}
