package manifest

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// piece says that a scalar's value is, from an offset on, what the text has from another one on.
type piece struct{ value, text int }

// scribe writes a scalar's value once more, as the parser has read it, and notes where it comes from.
type scribe struct {
	text   string
	at     int
	value  strings.Builder
	pieces []piece
	// gap says that what follows is no longer beside what was written last.
	gap bool
}

// piecesOf returns the places from which the value of a scalar comes that begins at an offset of a text, in order, or none if that is not certain.
func piecesOf(n *yaml.Node, text string, at int, isJSON bool) []piece {
	s := scribe{text: text, at: at, gap: true}
	s.properties()
	chomped := func(value string) string { return value }
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		s.block(n)
		chomped = func(value string) string { return strings.TrimRight(value, "\n") }
	case n.Style&yaml.DoubleQuotedStyle != 0 && isJSON:
		s.json()
	case n.Style&yaml.DoubleQuotedStyle != 0:
		s.quoted('"')
	case n.Style&yaml.SingleQuotedStyle != 0:
		s.quoted('\'')
	}
	if chomped(s.value.String()) != chomped(n.Value) {
		return nil
	}
	return s.pieces
}

// write writes so many bytes of the text.
func (s *scribe) write(n int) {
	s.put(s.text[s.at:s.at+n], n)
}

// put writes what so many bytes of the text stand for.
func (s *scribe) put(value string, n int) {
	if value == "" {
		s.pass(n)
		return
	}
	if s.gap {
		s.pieces = append(s.pieces, piece{s.value.Len(), s.at})
	}
	s.value.WriteString(value)
	s.gap = value != s.text[s.at:s.at+n]
	s.at += n
}

// pass leaves out so many bytes of the text.
func (s *scribe) pass(n int) {
	s.at, s.gap = s.at+n, s.gap || n > 0
}

func (s *scribe) rest() string { return s.text[min(s.at, len(s.text)):] }

// properties are an anchor and a tag.
func (s *scribe) properties() {
	for rest := s.rest(); rest != "" && strings.Contains("&! \t", rest[:1]); rest = s.rest() {
		n := 1
		if rest[0] == '&' || rest[0] == '!' {
			n = max(strings.IndexAny(rest, " \t\r\n"), 1)
		}
		s.pass(n)
	}
}

// cutLine is the text up to the end of the line, and how long that end is.
func cutLine(text string) (content string, end int) {
	content, _, found := strings.Cut(text, "\n")
	if found {
		end = 1
	}
	if strings.HasSuffix(content, "\r") {
		content, end = content[:len(content)-1], end+1
	}
	return content, end
}

// block is a literal or a folded scalar, whose lines are joined by a blank where neither begins with one.
func (s *scribe) block(n *yaml.Node) {
	header, end := cutLine(s.rest())
	s.pass(len(header) + end)
	indentation := -1
	isFolded := n.Style&yaml.FoldedStyle != 0
	for breaks, wasBlank, isFirst := "", false, true; s.rest() != ""; {
		content, end := cutLine(s.rest())
		bare := strings.TrimLeft(content, " ")
		if indentation < 0 && bare != "" {
			// If the header has a number, the value also begins with blanks.
			value := strings.TrimLeft(n.Value, "\n")
			indentation = len(content) - len(bare) - (len(value) - len(strings.TrimLeft(value, " ")))
		}
		if indent := len(content) - len(bare); bare == "" && (indentation < 0 || indent <= indentation) {
			breaks += "\n"
			s.pass(len(content) + end)
			continue
		} else if indent < indentation || indentation < 0 {
			return
		}
		s.pass(indentation)
		isBlank := content[indentation] == ' ' || content[indentation] == '\t'
		switch {
		case isFirst:
		case isFolded && !wasBlank && !isBlank && breaks == "":
			s.put(" ", 0)
		case isFolded && !wasBlank && !isBlank:
		default:
			s.put("\n", 0)
		}
		s.put(breaks, 0)
		s.write(len(content) - indentation)
		s.pass(end)
		breaks, wasBlank, isFirst = "", isBlank, false
	}
}

// quoted is a scalar in quotes, of whose line breaks one is a blank, and more are one less.
func (s *scribe) quoted(quote byte) {
	s.pass(1)
	for s.rest() != "" {
		rest := s.rest()
		blanks := len(rest) - len(strings.TrimLeft(rest, " \t"))
		switch {
		case blanks > 0 && strings.ContainsAny(rest[blanks:min(blanks+1, len(rest))], "\r\n"):
			s.pass(blanks)
		case blanks > 0:
			s.write(blanks)
		case rest[0] == '\r' || rest[0] == '\n':
			s.put(s.folded(), 0)
		case rest[0] == '\'' && quote == '\'' && strings.HasPrefix(rest[1:], "'"):
			s.put("'", 2)
		case rest[0] == quote:
			return
		case rest[0] == '\\' && quote == '"':
			s.escape()
		default:
			end := strings.IndexAny(rest[1:], " \t\r\n'\"\\") + 1
			if end == 0 {
				return
			}
			s.write(end)
		}
	}
}

// folded passes over line breaks and the blanks around them, and is what they stand for.
func (s *scribe) folded() string {
	breaks := 0
	for {
		rest := strings.TrimLeft(s.rest(), " \t")
		if rest == "" || rest[0] != '\r' && rest[0] != '\n' {
			s.pass(len(s.rest()) - len(rest))
			break
		}
		_, end := cutLine(rest)
		s.pass(len(s.rest()) - len(rest) + max(end, 1))
		breaks++
	}
	if breaks == 1 {
		return " "
	}
	return strings.Repeat("\n", breaks-1)
}

// escape is one of YAML; that of a line break joins lines.
func (s *scribe) escape() {
	rest := s.rest()
	if len(rest) > 1 && (rest[1] == '\r' || rest[1] == '\n') {
		_, end := cutLine(rest[1:])
		s.pass(1 + max(end, 1))
		s.pass(len(s.rest()) - len(strings.TrimLeft(s.rest(), " \t")))
		return
	}
	value, n := unescaped(rest)
	s.put(value, n)
}

// json is a string of JSON.
func (s *scribe) json() {
	s.pass(1)
	for s.rest() != "" {
		rest := s.rest()
		switch rest[0] {
		case '"':
			return
		case '\\':
			value, n := unescaped(rest)
			s.put(value, n)
		default:
			end := strings.IndexAny(rest, `"\`)
			if end < 0 {
				return
			}
			s.write(end)
		}
	}
}

// escapes are those of YAML and of JSON, each before what it stands for.
var escapes = strings.NewReplacer(`\0`, "\x00", `\a`, "\a", `\b`, "\b", `\t`, "\t", "\\\t", "\t", `\n`, "\n", `\v`, "\v", `\f`, "\f", `\r`, "\r", `\e`, "\x1b",
	`\ `, " ", `\"`, `"`, `\/`, "/", `\\`, `\`, `\N`, "\u0085", `\_`, "\u00a0", `\L`, "\u2028", `\P`, "\u2029")

// unescaped is what the escape that a text begins with stands for, and how long it is. Two of JSON may be one character.
func unescaped(text string) (value string, n int) {
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[min(1, len(text)-1)]]
	if n = min(2+digits, len(text)); digits == 0 {
		return escapes.Replace(text[:n]), n
	}
	code, _ := strconv.ParseUint(text[2:n], 16, 32)
	r := rune(code)
	if utf16.IsSurrogate(r) && len(text) >= 12 && text[6:8] == `\u` {
		second, _ := strconv.ParseUint(text[8:12], 16, 32)
		if whole := utf16.DecodeRune(r, rune(second)); whole != utf8.RuneError {
			r, n = whole, 12
		}
	}
	return string(r), n
}
