package simulate

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// longestCurve is how many points a curve may have, largestCurve how many bytes.
const (
	longestCurve = 1_000_000
	largestCurve = 64 << 20
)

// ReadCSV reads a load from rows of time and a value in the unit, in the order of time. A time is in seconds or a duration with
// units, counted from the start of the simulation. The first row may be a header; rows that begin with # are left out.
// Between two points the load goes straight or, with steps, stays until the next one; see Through. The error says
// which line is wrong.
func ReadCSV(in io.Reader, name string, u Unit, steps bool) (Load, error) {
	text, err := io.ReadAll(io.LimitReader(in, largestCurve+1))
	if err != nil {
		return Load{}, fmt.Errorf("cannot read: %w", err)
	}
	if len(text) > largestCurve {
		return Load{}, fmt.Errorf("it is larger than %d MiB", largestCurve>>20)
	}
	points, err := readPoints(text, u)
	if err != nil {
		return Load{}, err
	}
	if len(points) == 0 {
		return Load{}, fmt.Errorf("there is no point; want rows of %s, such as 90,%s", u.Columns(), u.example)
	}
	return Through(name, points, steps), nil
}

func readPoints(text []byte, u Unit) ([]Point, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	r.Comment, r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = '#', -1, true, true
	var points []Point
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return points, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read: %w", err)
		}
		if first && header(row) {
			continue
		}
		if points, err = follow(points, row, u); err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// header says that neither field begins as a number does.
func header(row []string) bool {
	for _, field := range row {
		if strings.ContainsAny(field[:min(len(field), 1)], "0123456789+-.") {
			return false
		}
	}
	return len(row) == 2
}

func readPoint(row []string, u Unit) (p Point, err error) {
	if len(row) != 2 {
		return p, fmt.Errorf("%d fields; want 2, time and %s", len(row), u.plural)
	}
	if p.At, err = parseTime(strings.TrimSpace(row[0])); err != nil {
		return p, err
	}
	p.Value, err = u.parse(strings.TrimSpace(row[1]))
	return p, err
}

// follow adds the next row to the points.
func follow(points []Point, row []string, u Unit) ([]Point, error) {
	p, err := readPoint(row, u)
	if err != nil {
		return nil, err
	}
	if n := len(points); n > 0 && p.At < points[n-1].At {
		return nil, fmt.Errorf("time %s is before the one above, %s; times must not decrease", p.At, points[n-1].At)
	}
	if len(points) >= longestCurve {
		return nil, fmt.Errorf("more than %d points", longestCurve)
	}
	return append(points, p), nil
}
