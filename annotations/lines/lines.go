// Package lines reads annotations that hold one entry in each line, such as
//
//	# Office hours, and Black Friday
//	Mon-Fri 07:30-20:00 min=5 max=40
//	2026-11-27 00:00-24:00 note="a b"  # a value with a blank
//
// The grammar is the same for all of them; what the words mean is said elsewhere:
//
//	line  = word { blanks ( word | key "=" value ) }
//	key   = a-z, then up to 31 of a-z, A-Z, 0-9 and "-"
//	word  = printable characters without blanks, quotes and "="
//	value = printable characters without blanks and quotes, or a Go string in "" or ``
//
// Blanks are spaces and tabs. A "#" at the beginning of a word makes the rest of the line a comment. Lines end with LF or CRLF.
package lines

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxLength is how many bytes an annotation of lines may have.
	MaxLength = 4096
	// maxLines is how many lines may have words.
	maxLines = 32
	// maxKey is how many characters a key may have.
	maxKey = 32
	// shown is how many characters of the user's text a message repeats.
	shown = 64
)

// Line is a line that has words. The first of them has no key.
type Line struct {
	// Number is the line's place in the text; the first is 1. Blank lines and comments count.
	Number int
	Words  []Word
}

// Word is one of the words of a line, or a value with its key. No key is in a line twice.
type Word struct {
	// Column is where it begins, with its key; the first character of a line is 1.
	Column int
	// Key is empty for a plain word.
	Key string
	// Value is the word, or the value without its quotes. A value that was in quotes may hold any character, or be empty.
	Value string
}

// Problem says what is wrong with a line.
type Problem struct {
	// Line and Column are where, as in Line and Word; Line is 0 where it is about the whole text.
	Line, Column int
	// Message says what was seen, in quotes and cut, and what is allowed.
	Message string
}

// Error names the line.
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.Message
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Message)
}

// Join is errors.Join of all problems, in the order of their places; nil if there is none.
func Join(problems []Problem) error {
	sorted := slices.SortedStableFunc(slices.Values(problems), func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	errs := make([]error, len(sorted))
	for i, problem := range sorted {
		errs[i] = problem
	}
	return errors.Join(errs...)
}

// Quote is how a message repeats text of the user: in quotes, without characters that do not print, and cut.
func Quote(text string) string {
	characters := 0
	for at := range text {
		if characters == shown {
			return strconv.Quote(text[:at] + "…")
		}
		characters++
	}
	return strconv.Quote(text)
}

// Read returns the lines that have words, and everything that is wrong with the others.
func Read(text string) ([]Line, []Problem) {
	switch {
	case len(text) > MaxLength:
		return nil, []Problem{{Message: fmt.Sprintf("is %d bytes long; must be at most %d", len(text), MaxLength)}}
	case !utf8.ValidString(text):
		return nil, []Problem{{Message: "must be valid UTF-8"}}
	}
	var read []Line
	var problems []Problem
	number, full := 0, 0
	for row := range strings.SplitSeq(text, "\n") {
		number++
		r := reader{rest: strings.TrimSuffix(row, "\r"), line: number, column: 1}
		words := r.words()
		if len(words) == 0 && len(r.problems) == 0 {
			continue
		}
		if full++; full > maxLines {
			problems = append(problems, Problem{number, 1, fmt.Sprintf("is one too many; at most %d lines may have words", maxLines)})
			break
		}
		problems = append(problems, r.problems...)
		if len(r.problems) == 0 {
			read = append(read, Line{Number: number, Words: words})
		}
	}
	return read, problems
}

// reader reads one line. The column is that of the rest.
type reader struct {
	rest         string
	line, column int
	problems     []Problem
}

func (r *reader) words() []Word {
	var words []Word
	for {
		r.take(len(r.rest) - len(strings.TrimLeft(r.rest, " \t")))
		if r.rest == "" || r.rest[0] == '#' {
			return words
		}
		word, ok := r.word()
		if !ok {
			continue
		}
		switch {
		case word.Key != "" && len(words) == 0 && len(r.problems) == 0:
			r.wrong(word.Column, "must begin with a word, not with key %s", Quote(word.Key))
		case word.Key != "" && slices.ContainsFunc(words, func(w Word) bool { return w.Key == word.Key }):
			r.wrong(word.Column, "key %s must not be there twice", Quote(word.Key))
		}
		words = append(words, word)
	}
}

// word reads what is next, up to a blank, and says whether it is as it has to be.
func (r *reader) word() (Word, bool) {
	column, found := r.column, len(r.problems)
	text := r.take(bare(r.rest))
	word := Word{Column: column, Value: text}
	if key, value, ok := strings.Cut(text, "="); ok {
		word.Key, word.Value = key, value
		if !IsKey(key) {
			r.wrong(column, "key %s must be a lower-case letter, then up to %d letters of a-z and A-Z, digits and \"-\"", Quote(key), maxKey-1)
		}
		if value == "" {
			word.Value = r.quoted(key)
		}
	}
	r.end()
	return word, len(r.problems) == found
}

// quoted reads the value of a key behind which there are no bare characters.
func (r *reader) quoted(key string) string {
	if !strings.HasPrefix(r.rest, `"`) && !strings.HasPrefix(r.rest, "`") {
		if bad, _ := utf8.DecodeRuneInString(r.rest); r.rest == "" || bad == ' ' || bad == '\t' {
			r.wrong(r.column, `key %s must have a value; one that is empty is written ""`, Quote(key))
		}
		return ""
	}
	column := r.column
	prefix, err := strconv.QuotedPrefix(r.rest)
	if err != nil {
		r.wrong(column, "value %s of key %s must be a Go string, such as \"a b\", that ends in the same line", Quote(r.take(len(r.rest))), Quote(key))
		return ""
	}
	value, _ := strconv.Unquote(r.take(len(prefix))) // which QuotedPrefix has tried
	return value
}

// end goes to the next blank, and reports what stands before it.
func (r *reader) end() {
	if r.rest == "" || r.rest[0] == ' ' || r.rest[0] == '\t' {
		return
	}
	column := r.column
	bad, size := utf8.DecodeRuneInString(r.rest)
	seen := Quote(r.rest[:size])
	skip := strings.IndexAny(r.rest, " \t")
	if skip < 0 {
		skip = len(r.rest)
	}
	r.take(skip)
	switch {
	case strings.ContainsRune(quotes, bad):
		r.wrong(column, "quote %s must not be in a word; a value with blanks is written key=\"a b\"", seen)
	case unicode.IsPrint(bad):
		r.wrong(column, "a blank is missing before %s", seen)
	default:
		r.wrong(column, "character %s must not be there; words are of printable characters, with spaces and tabs between them", seen)
	}
}

func (r *reader) wrong(column int, format string, args ...any) {
	r.problems = append(r.problems, Problem{r.line, column, fmt.Sprintf(format, args...)})
}

// take moves on by so many bytes, and returns them.
func (r *reader) take(bytes int) string {
	taken := r.rest[:bytes]
	r.rest, r.column = r.rest[bytes:], r.column+utf8.RuneCountInString(taken)
	return taken
}

const quotes = "\"'`"

// bare is how many bytes may be in a word.
func bare(text string) int {
	end := strings.IndexFunc(text, func(c rune) bool {
		return c == ' ' || !unicode.IsPrint(c) || strings.ContainsRune(quotes, c)
	})
	if end < 0 {
		return len(text)
	}
	return end
}

// IsKey says whether a value can have such a key. Capitals are for names that others have made, such as databaseId.
func IsKey(key string) bool {
	const lower, upper = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return key != "" && len(key) <= maxKey && strings.Contains(lower, key[:1]) && strings.Trim(key, lower+upper+"0123456789-") == ""
}
