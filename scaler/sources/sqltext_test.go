package sources

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// sqlQuery is a query that may name its parameters $name, $n, $window.
func sqlQuery(text string) *catalog.Query {
	return &catalog.Query{Name: "q", Query: text, Parameters: map[string]catalog.Parameter{
		"name": {Name: "name", Kind: catalog.KindWord}, "n": {Name: "n", Kind: catalog.KindInteger}, "window": {Name: "window", Kind: catalog.KindDuration},
	}}
}

func sqlValue(variable string) (string, error) {
	return map[string]string{"name": "'; DROP TABLE jobs; -- $1 ? \\", "n": "-7", "window": "90s", "namespace": "shop"}[variable], nil
}

// TestWhereParametersMayStandInSQL: a statement has places for values, and only where the server takes them for such.
func TestWhereParametersMayStandInSQL(t *testing.T) {
	const hostile = "'; DROP TABLE jobs; -- $1 ? \\"
	for name, tt := range map[string]struct {
		query             string
		postgresql, mysql string // the statement within its parentheses, or "!" and what is wrong with it
		values            []any  // that of MySQL, if not all the same
	}{
		"nothing":                       {"SELECT 1", "SELECT 1", "SELECT 1", nil},
		"in lower case":                 {" with x as (select 1) select * from x", " with x as (select 1) select * from x", " with x as (select 1) select * from x", nil},
		"text":                          {"SELECT count(*) FROM jobs WHERE kind=$name", "SELECT count(*) FROM jobs WHERE kind=$1", "SELECT count(*) FROM jobs WHERE kind=?", []any{hostile}},
		"who asks":                      {"SELECT $namespace", "SELECT $1", "SELECT ?", []any{"shop"}},
		"each time anew":                {"SELECT $name, $n, $name", "SELECT $1, $2, $3", "SELECT ?, ?, ?", []any{hostile, int64(-7), hostile}},
		"a duration":                    {"SELECT now() - $window, 1", "SELECT now() - $1::interval, 1", "SELECT now() - ?, 1", []any{int64(90)}},
		"behind a minus":                {"SELECT 5-$n", "SELECT 5-$1", "SELECT 5-?", []any{int64(-7)}},
		"characters in quotes":          {`SELECT '$$1 ? ; -- ( /*', "?;$$x" WHERE $name`, `SELECT '$1 ? ; -- ( /*', "?;$x" WHERE $1`, `SELECT '$1 ? ; -- ( /*', "?;$x" WHERE ?`, []any{hostile}},
		"a quote that is written twice": {"SELECT 'it''s', $name", "SELECT 'it''s', $1", "SELECT 'it''s', ?", []any{hostile}},
		"backslashes":                   {`SELECT 'a\\', $name, '\n'`, `SELECT 'a\\', $1, '\n'`, `SELECT 'a\\', ?, '\n'`, []any{hostile}},
		"comments":                      {"SELECT -- it's ? ; (\n $name /* $$1 ' ? */ -- the end", "SELECT -- it's ? ; (\n $1 /* $1 ' ? */ -- the end", "SELECT -- it's ? ; (\n ? /* $1 ' ? */ -- the end", []any{hostile}},
		"another comment":               {"SELECT 1 # '\n + $n", "!has $n within quotes, where it is text and no parameter", "SELECT 1 # '\n + ?", []any{int64(-7)}},
		"no comment of MySQL":           {"SELECT 1--'a'\n-$n", "SELECT 1--'a'\n-$1", "SELECT 1--'a'\n-?", []any{int64(-7)}},
		"comments in comments":          {"SELECT /* /* */ ' */ $n", "SELECT /* /* */ ' */ $1", "!has $n within quotes, where it is text and no parameter", []any{int64(-7)}},
		"an operator of PostgreSQL":     {"SELECT data ? 'a'", "SELECT data ? 'a'", `!has a "?" outside of quotes and comments, where it would be a parameter; those of the file are written $NAME`, nil},
		"a quoted name of MySQL":        {"SELECT `it's` + $n", "!has $n within quotes, where it is text and no parameter", "SELECT `it's` + ?", []any{int64(-7)}},
		"within quotes":                 {"SELECT 'a $name'", "!has $name within quotes, where it is text and no parameter", "", nil},
		"within double quotes":          {`SELECT "$name"`, "!has $name within quotes, where it is text and no parameter", "", nil},
		"within a comment":              {"SELECT 1 /* $name */", "!has $name within a comment, where it is text and no parameter", "", nil},
		"behind dashes":                 {"SELECT 1 -- $name", "!has $name within a comment, where it is text and no parameter", "", nil},
		"behind two values and dashes":  {"SELECT $n -- $name", "!has $name within a comment, where it is text and no parameter", "", nil},
		"a quote behind a backslash":    {`SELECT 'it\'s' + $name`, "!has a backslash before a quote, which ends the text or not as the server is set: write the quote twice instead", "", nil},
		"behind a name":                 {"SELECT x$name", "!has $name directly behind a name, a number or another parameter", "", nil},
		"before a name":                 {"SELECT $n_x", "!has a name or a number directly behind $n", "", nil},
		"next to each other":            {"SELECT $n$name", "!has $name directly behind a name, a number or another parameter", "", nil},
		"a parameter of the server":     {"SELECT $$1 + $n", `!has a "$" outside of quotes and comments, where it would begin something else than a parameter of the file`, "", nil},
		"quotes of dollars":             {"SELECT $$$$a$$$$", `!has a "$" outside of quotes and comments, where it would begin something else than a parameter of the file`, "", nil},
		"two statements":                {"SELECT 1; DROP TABLE jobs", `!has a ";": want one statement, without it`, "", nil},
		"a semicolon at the end":        {"SELECT 1;", `!has a ";": want one statement, without it`, "", nil},
		"out of its parentheses":        {"SELECT 1) INTO OUTFILE '/x' -- ", "!closes a parenthesis that it has not opened", "", nil},
		"parentheses that stay open":    {"SELECT (1", "!opens 1 more parentheses than it closes", "", nil},
		"quotes that stay open":         {"SELECT 'a", "!has no end of quotes", "", nil},
		"a comment that stays open":     {"SELECT 1 /* a", "!has no end of a comment", "", nil},
		"a comment that is executed":    {"SELECT 1 /*!50000 + 1 */", "SELECT 1 /*!50000 + 1 */", "!has a comment that some servers execute (/*!)", nil},
		"one that MariaDB executes":     {"SELECT 1 /*M! + 1 */", "SELECT 1 /*M! + 1 */", "!has a comment that some servers execute (/*!)", nil},
		"what writes":                   {"INSERT INTO jobs VALUES (1)", "!must begin with SELECT or WITH", "", nil},
		"a command of the server":       {"COPY jobs TO PROGRAM 'id'", "!must begin with SELECT or WITH", "", nil},
		"a word that begins like it":    {"SELECTED", "!must begin with SELECT or WITH", "", nil},
		"nothing but the word":          {"SELECT", "!must begin with SELECT or WITH", "", nil},
		"a character without a sense":   {"SELECT 1\x00", "!has a character that no statement may have (NUL)", "", nil},
		"what is no parameter":          {"SELECT $names", `!has "$names", which is no parameter; the character "$" is written "$$"`, "", nil},
		"in parentheses of its own":     {"(SELECT 1)", "(SELECT 1)", "(SELECT 1)", nil},
	} {
		for kind, d := range map[string]*sqlDialect{"postgresql": postgresqlDialect(), "mysql": mysqlDialect()} {
			want := tt.postgresql
			if kind == "mysql" && tt.mysql != "" {
				want = tt.mysql
			}
			text, values, err := d.statement(sqlQuery(tt.query), sqlValue)
			got := strings.TrimSuffix(strings.TrimPrefix(text, sqlBegins), "\n)"+d.ends)
			if err != nil {
				got, values = "!"+err.Error(), tt.values
			}
			if got != want {
				t.Errorf("%s, %s: %q, want %q", name, kind, got, want)
			}
			if kind == "mysql" {
				if diff := gocmp.Diff(tt.values, values); diff != "" {
					t.Errorf("%s: values (-want +got):\n%s", name, diff)
				}
			}
		}
	}
}

// FuzzSQL: no value becomes text of a statement, and there are as many places as values.
func FuzzSQL(f *testing.F) {
	for _, text := range []string{"SELECT $name", "SELECT '$$' || $name -- '\n, $n", `SELECT "a" /* /* */ */ # $n`, "WITH x AS (SELECT $window) SELECT 1", `SELECT '\'$name`, "SELECT `$$?` + $n", "SELECT '$n' $n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for kind, d := range map[string]*sqlDialect{"$": postgresqlDialect(), "?": mysqlDialect()} {
			const marked = "\x01"
			place := d.place
			d.place = func(n int, kind catalog.Kind) string { return marked + place(n, kind) }
			got, values, err := d.statement(sqlQuery(text), sqlValue)
			if err != nil || strings.Contains(text, marked) {
				continue
			}
			if n := strings.Count(got, marked+kind); n != len(values) || strings.Count(got, marked) != n {
				t.Errorf("%q has %d places for %d values", got, n, len(values))
			}
			if !strings.Contains(text, "DROP TABLE") && strings.Contains(got, "DROP TABLE") {
				t.Errorf("%q has a value in it", got)
			}
			if !strings.HasPrefix(got, sqlBegins) || !strings.HasSuffix(got, "\n)"+d.ends) {
				t.Errorf("%q is not within parentheses", got)
			}
		}
	})
}
