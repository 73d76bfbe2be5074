package sources

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// sqlDialect is what the databases' languages do not have in common.
type sqlDialect struct {
	// hasHashes says that "#" begins a comment, and that one behind "--" needs a blank first. nests says that comments may be within comments.
	hasHashes, nests bool
	// quotes are the characters that begin and end what is quoted.
	quotes string
	// ends is what follows the query and its parenthesis: the end of LEFT.
	ends string
	// place is what stands for the nth value, from 1, of a kind.
	place func(n int, kind catalog.Kind) string
	// value is what is sent for it.
	value func(text string, kind catalog.Kind) (any, error)
}

// sqlBegins is what stands before a query.
const sqlBegins = "SELECT LEFT((\n"

// statement is a query with places for its values, which are sent apart from it: no value is ever text of the statement.
//
// The query becomes part of another one, in parentheses: SELECT LEFT((...), 64). Databases take nothing there that could do more than answer, such as INSERT, COPY,
// CALL and SELECT ... INTO OUTFILE, and they refuse more than one column or row. No number has more than 64 characters that count.
func (d *sqlDialect) statement(query *catalog.Query, value func(variable string) (string, error)) (text string, values []any, err error) {
	template, err := catalog.ParseTemplate(query.Query, query.Declares)
	if err != nil {
		return "", nil, err
	}
	if first := strings.TrimLeft(query.Query, " \t\r\n("); !beginsWith(first, "SELECT") && !beginsWith(first, "WITH") {
		return "", nil, errors.New("must begin with SELECT or WITH")
	}
	var b strings.Builder
	b.WriteString(sqlBegins)
	at := sqlPlace{dialect: d}
	for _, part := range template.Parts() {
		if part.Variable == "" {
			if err := at.pass(part.Literal); err != nil {
				return "", nil, err
			}
			b.WriteString(part.Literal)
			continue
		}
		if err := at.passVariable(part.Variable); err != nil {
			return "", nil, err
		}
		kind := query.Parameters[part.Variable].Kind
		given, err := value(part.Variable)
		if err != nil {
			return "", nil, err
		}
		sent, err := d.value(given, kind)
		if err != nil {
			return "", nil, unanswered("was asked for a value that is not of its type", err)
		}
		values = append(values, sent)
		b.WriteString(d.place(len(values), kind))
	}
	if err := at.end(); err != nil {
		return "", nil, err
	}
	b.WriteString("\n)" + d.ends) // on a line of its own, because a comment may end the query
	return b.String(), values, nil
}

// beginsWith says whether text begins with a word.
func beginsWith(text, word string) bool {
	return len(text) > len(word) && strings.EqualFold(text[:len(word)], word) && !inName(text[len(word)])
}

// inName says whether a character may be part of a name or number.
func inName(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// sqlPlace is where in a query one is.
type sqlPlace struct {
	dialect *sqlDialect
	// within is what the text before has left open: "quotes" or "a comment"; isLine says that the comment ends with its line.
	within string
	isLine bool
	// depth is how many parentheses are open.
	depth int
	// last is the character before, 0 at the beginning; behind is the variable before, if it is that.
	last   byte
	behind string
}

// passVariable goes over a variable.
func (p *sqlPlace) passVariable(name string) error {
	switch {
	case p.within != "":
		return fmt.Errorf("has $%s within %s, where it is text and no parameter", name, p.within)
	case p.behind != "" || inName(p.last):
		return fmt.Errorf("has $%s directly behind a name, a number or another parameter", name)
	}
	p.behind = name
	return nil
}

// pass goes over literal text, which begins outside of quotes and comments: variables stand nowhere else.
func (p *sqlPlace) pass(text string) error {
	if p.behind != "" && inName(text[0]) {
		return fmt.Errorf("has a name or a number directly behind $%s", p.behind)
	}
	p.behind, p.last = "", text[len(text)-1]
	for rest := text; rest != ""; {
		length, err := p.token(rest)
		if err != nil {
			return err
		}
		rest = rest[length:]
	}
	return nil
}

// token is how many bytes belong together at the beginning of text.
func (p *sqlPlace) token(text string) (int, error) {
	switch c := text[0]; {
	case strings.IndexByte(p.dialect.quotes, c) >= 0:
		return p.quoted(text)
	case p.beginsLine(text):
		return p.line(text), nil
	case strings.HasPrefix(text, "/*"):
		return p.comment(text)
	case c == '(':
		p.depth++
	case c == ')':
		if p.depth--; p.depth < 0 {
			return 0, errors.New("closes a parenthesis that it has not opened")
		}
	case c == ';':
		return 0, errors.New(`has a ";": want one statement, without it`)
	case c == '$':
		return 0, errors.New(`has a "$" outside of quotes and comments, where it would begin something else than a parameter of the file`)
	case c == '?' && p.dialect.hasHashes:
		return 0, errors.New(`has a "?" outside of quotes and comments, where it would be a parameter; those of the file are written $NAME`)
	case c == 0:
		return 0, errors.New("has a character that no statement may have (NUL)")
	}
	return 1, nil
}

// quoted is the length of what is quoted. A quote that is written twice is two such texts.
func (p *sqlPlace) quoted(text string) (int, error) {
	end := strings.IndexByte(text[1:], text[0]) + 1
	if end == 0 {
		p.within = "quotes"
		return len(text), nil
	}
	if before := strings.TrimRight(text[1:end], `\`); (end-1-len(before))%2 == 1 {
		return 0, errors.New(`has a backslash before a quote, which ends the text or not as the server is set: write the quote twice instead`)
	}
	return end + 1, nil
}

// beginsLine says whether text begins with a comment that ends with its line.
func (p *sqlPlace) beginsLine(text string) bool {
	if p.dialect.hasHashes && text[0] == '#' {
		return true
	}
	return strings.HasPrefix(text, "--") && (!p.dialect.hasHashes || len(text) == 2 || text[2] <= ' ')
}

func (p *sqlPlace) line(text string) int {
	end := strings.IndexByte(text, '\n')
	if end < 0 {
		p.within, p.isLine = "a comment", true
		return len(text)
	}
	return end + 1
}

func (p *sqlPlace) comment(text string) (int, error) {
	if p.dialect.hasHashes && (strings.HasPrefix(text, "/*!") || strings.HasPrefix(text, "/*M!")) {
		return 0, errors.New("has a comment that some servers execute (/*!)")
	}
	for at, depth := 2, 1; at < len(text); {
		switch {
		case strings.HasPrefix(text[at:], "*/"):
			if depth--; depth == 0 {
				return at + 2, nil
			}
			at += 2
		case p.dialect.nests && strings.HasPrefix(text[at:], "/*"):
			depth++
			at += 2
		default:
			at++
		}
	}
	p.within = "a comment"
	return len(text), nil
}

// end says what the query has left open.
func (p *sqlPlace) end() error {
	switch {
	case p.within != "" && !p.isLine:
		return fmt.Errorf("has no end of %s", p.within)
	case p.depth > 0:
		return errors.New("opens " + strconv.Itoa(p.depth) + " more parentheses than it closes")
	}
	return nil
}
