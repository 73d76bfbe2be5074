package annotations

import (
	"errors"
	"fmt"
	"math"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mini-hpa/mini-hpa/annotations/amount"
	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

// The keys of a line that say what its number is held at.
const (
	keyTarget = "target"
	keyTotal  = "total"
	keyActive = "active"
	keyLimit  = "limit"
)

// maxQuery is how many characters the name of a query may have.
const maxQuery = 63

const exampleLine = `"orders-kafka group=shop.orders topic=shop.orders target=100"`

// setSources reads the lines. Which sources there are, and what may be asked of them, the administrator's file says: see checkSources.
func setSources(p *draft, value string) error {
	read, problems := lines.Read(value)
	r := lineReader{problems: problems}
	for _, line := range read {
		r.read(line)
	}
	if len(r.metrics) == 0 && len(r.problems) == 0 {
		r.problems = append(r.problems, lines.Problem{Message: "must have at least one line such as " + exampleLine})
	}
	if len(r.problems) > 0 {
		return lines.Join(r.problems)
	}
	p.lines = r.metrics
	p.warnRepeatedLines()
	p.warnFineLines(p.lines...)
	return nil
}

// warnFineLines warns of amounts in lines that are finer than what is counted in.
func (p *draft) warnFineLines(metrics ...Metric) {
	for i := range metrics {
		line, target := metrics[i].Line, &metrics[i].Spec.External.Target
		for _, given := range [...]struct {
			key    string
			amount *resource.Quantity
		}{{keyTarget, target.AverageValue}, {keyTotal, target.Value}, {keyActive, &line.Active}} {
			if why := tooFine(given.amount); why != "" {
				p.warn(fmt.Sprintf("line %d: %s %s", line.Number, given.key, why))
			}
		}
	}
}

// warnRepeatedLines warns of lines that ask for the same.
func (p *draft) warnRepeatedLines() {
	first := map[string]int{}
	for i := range p.lines {
		m := &p.lines[i]
		what := seriesOf(m).qualified() + " " + string(m.Spec.External.Target.Type)
		before, twice := first[what]
		if !twice {
			first[what] = m.Line.Number
			continue
		}
		p.warn(fmt.Sprintf("line %d: measures the same as line %d; the one that asks for more replicas wins", m.Line.Number, before))
	}
}

// lineReader reads the lines of one annotation.
type lineReader struct {
	metrics  []Metric
	problems []lines.Problem
}

func (r *lineReader) wrong(line lines.Line, column int, format string, args ...any) {
	r.problems = append(r.problems, lines.Problem{Line: line.Number, Column: column, Message: fmt.Sprintf(format, args...)})
}

func (r *lineReader) read(line lines.Line) {
	found := len(r.problems)
	m := Metric{Source: r.source(line), Line: &SourceLine{Number: line.Number, Given: map[string]string{}}}
	target := autoscalingv2.MetricTarget{}
	for i, word := range line.Words[1:] {
		var err error
		switch word.Key {
		case "":
			r.query(m.Line, line, i+1)
		case keyTarget:
			target.Type = autoscalingv2.AverageValueMetricType
			target.AverageValue, err = readTarget(word.Value)
		case keyTotal:
			target.Type = autoscalingv2.ValueMetricType
			target.Value, err = readTarget(word.Value)
		case keyActive:
			m.Line.Active, err = readActive(word.Value)
		case keyLimit:
			m.Line.Limit, err = readLimit(word.Value)
		default:
			m.Line.Given[word.Key] = word.Value
		}
		if err != nil {
			r.wrong(line, word.Column, "%s %s %v", word.Key, lines.Quote(word.Value), err)
		}
	}
	if target.Value != nil && target.AverageValue != nil {
		r.wrong(line, line.Words[0].Column, `must have only one of "target", which is for each pod, and "total", which is for all of them`)
	}
	if len(r.problems) > found {
		return
	}
	m.Line.Signal = target.Type == ""
	m.Spec = autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: m.Source + "@" + m.Line.Counted()}, Target: target}}
	r.metrics = append(r.metrics, m)
}

// source is the first word of a line.
func (r *lineReader) source(line lines.Line) string {
	switch word := line.Words[0]; {
	case len(validation.IsDNS1123Label(word.Value)) > 0:
		r.wrong(line, word.Column, `source %s must be the name of one that the administrator has listed: up to 63 lowercase letters, digits and "-", with a letter or digit at both ends, as in %s`, lines.Quote(word.Value), exampleLine)
	case word.Value == SourceActivator:
		r.wrong(line, word.Column, "source %s must be the name of one that the administrator has listed; requests to the workload belong in %s", lines.Quote(word.Value), WakeKey)
	case word.Value == SourceCustom, word.Value == SourceExternal:
		r.wrong(line, word.Column, "source %s must be the name of one that the administrator has listed; metrics of the %s metrics API belong in %s", lines.Quote(word.Value), word.Value, Metrics)
	}
	return line.Words[0].Value
}

// query takes a word without a key, which is the name of a query if it is the second one.
func (r *lineReader) query(l *SourceLine, line lines.Line, place int) {
	const allowed = "after the source there may be the name of a query, and then only keys, each with a value"
	switch word := line.Words[place]; {
	case place > 1:
		r.wrong(line, word.Column, "word %s must not be there; %s", lines.Quote(word.Value), allowed)
	case !isQuery(word.Value):
		r.wrong(line, word.Column, `query %s must be the name of one: up to %d letters, digits, "-", "_" and "."; %s`, lines.Quote(word.Value), maxQuery, allowed)
	default:
		l.Query = word.Value
	}
}

func isQuery(name string) bool {
	return len(name) <= maxQuery && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", c)
	})
}

func readTarget(value string) (*resource.Quantity, error) {
	q, err := amount.Read(value)
	if err != nil || q.Sign() <= 0 {
		return nil, errors.New(`must be a quantity above 0, such as "100", "0.5" or "2k"`)
	}
	return &q, nil
}

func readActive(value string) (resource.Quantity, error) {
	q, err := amount.Read(value)
	if err != nil || q.Sign() < 0 {
		return resource.Quantity{}, errors.New(`must be a quantity that is not below 0, such as "5": what is above it is active`)
	}
	return q, nil
}

func readLimit(value string) (int32, error) {
	n, ok := number(value, 1, math.MaxInt32)
	return int32(n), bound(ok, 1)
}
