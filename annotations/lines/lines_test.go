package lines

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	tests := map[string]struct {
		text string
		want []Line
	}{
		"nothing":                     {"", nil},
		"blanks and comments":         {" \t\r\n# a=\"b\n\n\t# c\r\n", nil},
		"words and values":            {"a b=c d", []Line{{1, []Word{{1, "", "a"}, {3, "b", "c"}, {7, "", "d"}}}}},
		"numbers count every line":    {"\n#\na\n\nb", []Line{{3, []Word{{1, "", "a"}}}, {5, []Word{{1, "", "b"}}}}},
		"CRLF, tabs, blanks at ends":  {"\t a \t b=c  \r\nd\r\n", []Line{{1, []Word{{3, "", "a"}, {7, "b", "c"}}}, {2, []Word{{1, "", "d"}}}}},
		"a comment needs a blank":     {"a#b c=#d #e", []Line{{1, []Word{{1, "", "a#b"}, {5, "c", "#d"}}}}},
		"a key ends at the first =":   {"workload selector=app=web x==", []Line{{1, []Word{{1, "", "workload"}, {10, "selector", "app=web"}, {27, "x", "="}}}}},
		"quoted values":               {`a b="c d" e="\"#\n" f="" g=` + "`\\`", []Line{{1, []Word{{1, "", "a"}, {3, "b", "c d"}, {11, "e", "\"#\n"}, {21, "f", ""}, {26, "g", `\`}}}}},
		"columns count characters":    {"äö ü=ß x", nil},
		"letters of other alphabets":  {"äö k=ß x", []Line{{1, []Word{{1, "", "äö"}, {4, "k", "ß"}, {8, "", "x"}}}}},
		"words are not keys":          {"Mon-Fri 07:30-20:00 2026-11-27..2026-11-30 {a}", []Line{{1, []Word{{1, "", "Mon-Fri"}, {9, "", "07:30-20:00"}, {21, "", "2026-11-27..2026-11-30"}, {44, "", "{a}"}}}}},
		"the longest key":             {"a a" + strings.Repeat("-", 31) + "=b", []Line{{1, []Word{{1, "", "a"}, {3, "a" + strings.Repeat("-", 31), "b"}}}}},
		"capitals after the first":    {"cosmos databaseId=a databaseID=b", []Line{{1, []Word{{1, "", "cosmos"}, {8, "databaseId", "a"}, {21, "databaseID", "b"}}}}},
		"a bad line and a good one":   {"a 'b'\nc", []Line{{2, []Word{{1, "", "c"}}}}},
		"32 lines, comments aside":    {strings.Repeat("#\na\n", 32), numbered(32)},
		"more than 32 lines are left": {strings.Repeat("#\na\n", 34), numbered(32)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, _ := Read(tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// numbered are n lines of one word, below a comment each.
func numbered(n int) []Line {
	all := make([]Line, n)
	for i := range all {
		all[i] = Line{2*i + 2, []Word{{1, "", "a"}}}
	}
	return all
}

func TestProblems(t *testing.T) {
	const key = `must be a lower-case letter, then up to 31 letters of a-z and A-Z, digits and "-"`
	tests := map[string]struct {
		text string
		want []string
	}{
		"too long":                {strings.Repeat("#", MaxLength+1), []string{"0 is 4097 bytes long; must be at most 4096"}},
		"as long as it may be":    {strings.Repeat("#", MaxLength), nil},
		"bytes that are not text": {"a \xff", []string{"0 must be valid UTF-8"}},
		"too many lines":          {strings.Repeat("a\n", 40), []string{"1 line 33: is one too many; at most 32 lines may have words"}},
		"a value first":           {" a=b c=d", []string{`2 line 1: must begin with a word, not with key "a"`}},
		"a key twice":             {"x a=b b=c a=d", []string{`11 line 1: key "a" must not be there twice`}},
		"keys":                    {"x A=b Id=c =d 1=e a_=f aÉ=g", []string{`3 line 1: key "A" ` + key, `7 line 1: key "Id" ` + key, `12 line 1: key "" ` + key, `15 line 1: key "1" ` + key, `19 line 1: key "a_" ` + key, `24 line 1: key "aÉ" ` + key}},
		"a key that is too long":  {"x " + strings.Repeat("a", 33) + "=b", []string{`3 line 1: key "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" ` + key}},
		"a long one is cut":       {"x " + strings.Repeat("É", 70) + "=b", []string{`3 line 1: key "` + strings.Repeat("É", 64) + `…" ` + key}},
		"no value":                {"x a= b=\tc=#d e=", []string{`5 line 1: key "a" must have a value; one that is empty is written ""`, `8 line 1: key "b" must have a value; one that is empty is written ""`, `16 line 1: key "e" must have a value; one that is empty is written ""`}},
		"quotes in words": {`x "a" b'c' d="e"f g=h"i"`, []string{`3 line 1: quote "\"" must not be in a word; a value with blanks is written key="a b"`, `8 line 1: quote "'" must not be in a word; a value with blanks is written key="a b"`,
			`17 line 1: a blank is missing before "f"`, `22 line 1: quote "\"" must not be in a word; a value with blanks is written key="a b"`}},
		"single quotes":        {`x a='b'`, []string{`5 line 1: quote "'" must not be in a word; a value with blanks is written key="a b"`}},
		"a quote without end":  {"x a=\"b c\ny\nz d=`", []string{`5 line 1: value "\"b c" of key "a" must be a Go string, such as "a b", that ends in the same line`, "5 line 3: value \"`\" of key \"d\" must be a Go string, such as \"a b\", that ends in the same line"}},
		"an escape":            {`x a="\z" b=c`, []string{`5 line 1: value "\"\\z\" b=c" of key "a" must be a Go string, such as "a b", that ends in the same line`}},
		"characters":           {"x\x1b[31m \ufeffa b\u00a0c \x00\na\rb\n\u202ec=d", []string{`2 line 1: character "\x1b" must not be there; words are of printable characters, with spaces and tabs between them`, `8 line 1: character "\ufeff" must not be there; words are of printable characters, with spaces and tabs between them`, `12 line 1: character "\u00a0" must not be there; words are of printable characters, with spaces and tabs between them`, `15 line 1: character "\x00" must not be there; words are of printable characters, with spaces and tabs between them`, `2 line 2: character "\r" must not be there; words are of printable characters, with spaces and tabs between them`, `1 line 3: character "\u202e" must not be there; words are of printable characters, with spaces and tabs between them`}},
		"a value of no letter": {"x a=\x01", []string{`5 line 1: character "\x01" must not be there; words are of printable characters, with spaces and tabs between them`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, problems := Read(tt.text)
			var got []string
			for _, problem := range problems {
				got = append(got, fmt.Sprint(problem.Column, " ", problem.Error()))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	if err := Join(nil); err != nil {
		t.Errorf("no problem is %v", err)
	}
	problems := []Problem{{2, 1, "d"}, {1, 5, "b"}, {1, 5, "c"}, {Message: "a"}}
	before := slices.Clone(problems)
	err := Join(problems)
	if want := "a\nline 1: b\nline 1: c\nline 2: d"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if first, ok := errors.AsType[Problem](err); !ok || first != problems[3] {
		t.Errorf("the first problem is %v", first)
	}
	if !slices.Equal(before, problems) {
		t.Error("the problems that were handed in are in another order now")
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", "a b=c\r\n# d\n\te=\"f\\n\" g=``", "zone Europe/Berlin\nMon-Fri 07:30-20:00 min=5 max=40", "cosmos databaseId=a", "x \"", "=", "a =", "a\x00b", "\xff", "ä ö=ü",
		strings.Repeat("a\n", 40), "a b=\"\\xff\"", "a #", "a b=\"c\"#", "a b=`\r`",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read, problems := Read(text)
		if again, same := Read(text); !cmp.Equal(read, again) || !cmp.Equal(problems, same) {
			t.Fatal("the same text is read in two ways")
		}
		mustBeInPlace(t, text, read)
		mustBeReadable(t, problems)
		if len(problems) == 0 {
			mustRoundTrip(t, read)
		}
	})
}

// mustBeInPlace checks what the readers of lines rely on.
func mustBeInPlace(t *testing.T, text string, read []Line) {
	t.Helper()
	if len(read) > maxLines {
		t.Errorf("%d lines", len(read))
	}
	rows := strings.Split(text, "\n")
	for _, line := range read {
		keys := map[string]bool{}
		for i, word := range line.Words {
			if i == 0 && word.Key != "" || keys[word.Key] || word.Key == "" && word.Value == "" {
				t.Errorf("line %d, word %d is %+v", line.Number, i, word)
			}
			keys[word.Key] = word.Key != ""
			rest := string([]rune(rows[line.Number-1])[word.Column-1:])
			want := word.Value
			if word.Key != "" {
				want = word.Key + "="
			}
			if !strings.HasPrefix(rest, want) {
				t.Errorf("%+v is not at the beginning of %q", word, rest)
			}
		}
	}
}

func mustBeReadable(t *testing.T, problems []Problem) {
	t.Helper()
	for _, problem := range problems {
		said := problem.Error()
		if !utf8.ValidString(said) || strings.ContainsFunc(said, func(r rune) bool { return !unicode.IsPrint(r) }) || len(said) > 1200 {
			t.Errorf("message %q", said)
		}
		if (problem.Line == 0) != (problem.Column == 0) {
			t.Errorf("problem at %d:%d", problem.Line, problem.Column)
		}
	}
}

// mustRoundTrip writes lines, with all values in quotes, and reads them again.
func mustRoundTrip(t *testing.T, read []Line) {
	t.Helper()
	var written strings.Builder
	for _, line := range read {
		for _, word := range line.Words {
			if word.Key == "" {
				fmt.Fprintf(&written, "%s ", word.Value)
			} else {
				fmt.Fprintf(&written, "%s=%q ", word.Key, word.Value)
			}
		}
		written.WriteByte('\n')
	}
	if written.Len() > MaxLength {
		return
	}
	again, problems := Read(written.String())
	if len(problems) > 0 || len(again) != len(read) {
		t.Fatalf("%d of %d lines were read again, with %v", len(again), len(read), problems)
	}
	for i := range read {
		for j, word := range read[i].Words {
			if got := again[i].Words[j]; got.Key != word.Key || got.Value != word.Value {
				t.Errorf("%+v became %+v", word, got)
			}
		}
	}
}

func BenchmarkRead(b *testing.B) {
	tests := map[string]string{
		"usual":   "zone Europe/Berlin\n# work\nMon-Fri 07:30-20:00 min=5 max=40\nSat,Sun 00:00-24:00 replicas=0",
		"longest": strings.Repeat("a b=c d=\"e f\" "+strings.Repeat("g", 112)+"\n", 32),
	}
	for name, text := range tests {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Read(text)
			}
		})
	}
}
