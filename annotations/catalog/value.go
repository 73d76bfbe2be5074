package catalog

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// maxLabel is how long a DNS label may be.
	maxLabel = 63
	// maxValue is how many characters a value may have.
	maxValue = 253
	// maxOpen is how many bytes a value of any printable characters may have.
	maxOpen = 1024
)

// kindOpen is the kind of the parameters that only Allow names: any printable characters.
const kindOpen Kind = "text"

// read returns a value as it is asked for, in which equal ones are written in one way, or says what it must be.
func (p *Parameter) read(value string) (string, error) {
	switch p.Kind {
	case KindName:
		return value, isName(value)
	case KindWord:
		return value, isWord(value)
	case KindInteger:
		return p.readInteger(value)
	case KindDuration:
		return p.readDuration(value)
	case KindEnum:
		if !slices.Contains(p.Values, value) {
			return "", errors.New("must be " + oneOf(p.Values))
		}
		return value, nil
	case kindOpen:
		return value, isOpen(value)
	}
	return "", fmt.Errorf("is of the unknown kind %q", string(p.Kind))
}

func isName(value string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	if value == "" || len(value) > maxValue || strings.ContainsFunc(value, func(r rune) bool { return !strings.ContainsRune(allowed, r) }) {
		return fmt.Errorf(`must be 1 to %d of the characters a-z, A-Z, 0-9, ".", "_" and "-"`, maxValue)
	}
	return noDots(value)
}

func isWord(value string) error {
	switch {
	case value == "" || utf8.RuneCountInString(value) > maxValue:
		return fmt.Errorf("must have 1 to %d characters", maxValue)
	case printable(value) != nil || strings.ContainsAny(value, " \"'`$\\{}"):
		return errors.New("must be of printable characters other than blanks, quotes, \"$\", backslashes and braces")
	}
	return noDots(value)
}

func isOpen(value string) error {
	if value == "" || len(value) > maxOpen {
		return fmt.Errorf("must have 1 to %d bytes", maxOpen)
	}
	if err := printable(value); err != nil {
		return err
	}
	return noDots(value)
}

// printable says that text must be of printable characters: no control characters, none that change the direction or have no width.
func printable(text string) error {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errors.New("must be of printable characters")
	}
	return nil
}

// noDots refuses what servers take for a way to elsewhere where a value becomes part of a path: "shop/../other" fits the glob "$namespace/*".
func noDots(value string) error {
	for part := range strings.SplitSeq(value, "/") {
		if part == "." || part == ".." {
			return errors.New(`must not be, or have between slashes, "." or ".."`)
		}
	}
	return nil
}

func (p *Parameter) readInteger(value string) (string, error) {
	least, most := int64(math.MinInt64), int64(math.MaxInt64)
	if p.Min != "" {
		least, _ = strconv.ParseInt(p.Min, 10, 64)
	}
	if p.Max != "" {
		most, _ = strconv.ParseInt(p.Max, 10, 64)
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < least || n > most || strconv.FormatInt(n, 10) != value {
		return "", fmt.Errorf("must be a whole number%s, in digits only", p.bounds())
	}
	return value, nil
}

// readDuration writes durations in seconds, as all that are asked can read them.
func (p *Parameter) readDuration(value string) (string, error) {
	least, most := time.Duration(0), time.Duration(math.MaxInt64)
	if p.Min != "" {
		least, _ = time.ParseDuration(p.Min)
	}
	if p.Max != "" {
		most, _ = time.ParseDuration(p.Max)
	}
	d, err := time.ParseDuration(value)
	if err != nil || len(value) > maxLabel || d < least || d > most || d < 0 || d%time.Second != 0 {
		return "", fmt.Errorf(`must be a duration of whole seconds%s, such as "90s" or "2m"`, p.bounds())
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s", nil
}

// bounds are Min and Max in words.
func (p *Parameter) bounds() string {
	text := ""
	if p.Min != "" {
		text += " from " + p.Min
	}
	if p.Max != "" {
		text += " to " + p.Max
	}
	return text
}
