package main

import (
	"strconv"
	"strings"
	"unicode"
)

// clean makes one line of text that may hold strings from a cluster safe for a terminal: control characters, line
// breaks and characters that reorder text are shown as escapes instead of being obeyed (CVE-2021-25743).
func clean(line string) string {
	if strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
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
