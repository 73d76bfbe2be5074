package schedule

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

// Parse reads the lines of an annotation; zones remembers its zone. Either the error is nil and there is at least one line, or the
// schedule is the zero value and the error joins a lines.Problem for each thing that is wrong, in the order of the text.
func Parse(text string, zones *Zones) (Schedule, error) {
	read, problems := lines.Read(text)
	p := parser{zones: zones, zone: time.UTC, problems: problems}
	for i, line := range read {
		if line.Words[0].Value == "zone" {
			p.readZone(line, i == 0)
		} else {
			p.readLine(line)
		}
	}
	if len(p.lines) == 0 && len(p.problems) == 0 {
		p.problems = append(p.problems, lines.Problem{Message: "must have at least one line such as " + example})
	}
	if len(p.problems) > 0 {
		return Schedule{}, lines.Join(p.problems)
	}
	for i := range p.lines {
		p.lines[i].zone = p.zone.String()
	}
	return Schedule{p.zone, p.lines}, nil
}

const example = `"Mon-Fri 07:30-20:00 min=5 max=40"`

type parser struct {
	zones    *Zones
	zone     *time.Location
	lines    []Line
	problems []lines.Problem
}

func (p *parser) wrong(line lines.Line, column int, format string, args ...any) {
	p.problems = append(p.problems, lines.Problem{Line: line.Number, Column: column, Message: fmt.Sprintf(format, args...)})
}

func (p *parser) readZone(line lines.Line, isFirst bool) {
	switch {
	case !isFirst:
		p.wrong(line, line.Words[0].Column, "zone must be the first line; it is that of all lines")
		return
	case len(line.Words) != 2 || line.Words[1].Key != "":
		p.wrong(line, line.Words[0].Column, `zone must have one name, such as "zone Europe/Berlin"`)
		return
	}
	name := line.Words[1]
	zone, err := p.zones.load(name.Value)
	if err != nil {
		p.wrong(line, name.Column, "zone %s %v", lines.Quote(name.Value), err)
		return
	}
	p.zone = zone
}

func (p *parser) readLine(line lines.Line) {
	l := Line{Number: line.Number, min: unset, max: unset}
	found := len(p.problems)
	words := line.Words
	if len(words) < 2 || words[1].Key != "" {
		p.wrong(line, words[0].Column, "must begin with days and hours, such as %s", example)
		return
	}
	var err error
	if l.days, err = readDays(words[0].Value); err != nil {
		p.wrong(line, words[0].Column, "days %s %v", lines.Quote(words[0].Value), err)
	}
	if l.from, l.to, err = readHours(words[1].Value); err != nil {
		p.wrong(line, words[1].Column, "hours %s %v", lines.Quote(words[1].Value), err)
	}
	l.text = words[0].Value + " " + words[1].Value
	p.readBounds(&l, line)
	if len(p.problems) == found {
		p.lines = append(p.lines, l)
	}
}

// readHours reads "07:30-20:00" into seconds of the day.
func readHours(word string) (from, to int32, err error) {
	first, last, _ := strings.Cut(word, "-")
	from, ok := clock(first)
	to, lastOK := clock(last)
	switch {
	case !ok || !lastOK || from == secondsOfDay:
		return 0, 0, errors.New(`must be two times of day from "00:00" to "24:00", such as "07:30-20:00" or, over midnight, "22:00-06:00"`)
	case from == to:
		return 0, 0, errors.New(`must not end when they begin; a whole day is "00:00-24:00"`)
	}
	return from, to, nil
}

// readBounds reads what follows days and hours.
func (p *parser) readBounds(l *Line, line lines.Line) {
	const allowed = `"min", "max" or "replicas"`
	found, replicas, column := len(p.problems), false, line.Words[1].Column
	for _, word := range line.Words[2:] {
		if word.Key == "" {
			p.wrong(line, word.Column, "word %s must not be there; after the hours there may be %s, each with a value", lines.Quote(word.Value), allowed)
			continue
		}
		column = word.Column
		n, err := strconv.ParseUint(word.Value, 10, 31)
		switch word.Key {
		case "min":
			l.min = int32(n)
		case "max":
			l.max = int32(n)
		case "replicas":
			l.min, l.max, replicas = int32(n), int32(n), true
		default:
			p.wrong(line, word.Column, "key %s must be %s", lines.Quote(word.Key), allowed)
			continue
		}
		if err != nil {
			p.wrong(line, word.Column, "%s %s must be a whole number of replicas from 0 to %d, in digits only", word.Key, lines.Quote(word.Value), math.MaxInt32)
		}
	}
	switch {
	case len(p.problems) > found:
	case replicas && len(line.Words) > 3:
		p.wrong(line, column, "must have either replicas or min and max")
	case l.min == unset && l.max == unset:
		p.wrong(line, column, "must have min, max or replicas after the hours, such as %s", example)
	case l.min != unset && l.max != unset && l.min > l.max:
		p.wrong(line, column, "min %d must not be above max %d", l.min, l.max)
	}
}
