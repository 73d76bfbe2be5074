package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode"

	"github.com/mini-hpa/mini-hpa/annotations/spelling"
)

// Clean makes one line of text that may hold strings from a cluster safe for a terminal: control characters, line
// breaks and characters that reorder text are shown as escapes instead of being obeyed (CVE-2021-25743).
func Clean(line string) string {
	if isPlain(line) || strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return line
	}
	var b strings.Builder
	for _, r := range line {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// isPlain says whether a line is printable ASCII, as nearly all are.
func isPlain(line string) bool {
	for i := range len(line) {
		if line[i] < ' ' || line[i] > '~' {
			return false
		}
	}
	return true
}

// DidYouMean names the candidate that was probably meant, or nothing where none is close.
func DidYouMean(word string, candidates []string) string {
	best := spelling.Nearest(word, candidates)
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// Quote makes text from a user or a cluster safe to print: quoted, and at most 64 runes.
func Quote(s string) string {
	const most = 64
	if runes := []rune(s); len(runes) > most {
		return strconv.Quote(string(runes[:most])) + "..."
	}
	return strconv.Quote(s)
}

// ShellWords is a line that a POSIX shell takes for these words: those are in quotes that have characters which it would take for something else.
func ShellWords(words []string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:@=,+%"
	quoted := make([]string, len(words))
	for i, word := range words {
		if quoted[i] = word; word == "" || strings.Trim(word, plain) != "" {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// Plural is a number of things: 1 file, 2 files.
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Bare is an error without the name of the file, which is told anyway.
func Bare(err error) error {
	if wrapped := (*fs.PathError)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
