package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func declares(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

func TestParseTemplate(t *testing.T) {
	tests := map[string]struct {
		text  string
		want  []Part
		wrong string
	}{
		"nothing":                       {"", nil, ""},
		"text":                          {"up == 1", []Part{{"up == 1", ""}}, ""},
		"a variable":                    {"$a", []Part{{"", "a"}}, ""},
		"in quotes and brackets":        {`rate(x{n="$a"}[$b])`, []Part{{`rate(x{n="`, ""}, {"", "a"}, {`"}[`, ""}, {"", "b"}, {"])", ""}}, ""},
		"next to each other":            {"$a$b", []Part{{"", "a"}, {"", "b"}}, ""},
		"dollars":                       {"$$a $$$a $$", []Part{{"$a $", ""}, {"", "a"}, {" $", ""}}, ""},
		"a name ends at other letters":  {"$a_b $a-b $aé", []Part{{"", "a"}, {"_b ", ""}, {"", "a"}, {"-b ", ""}, {"", "a"}, {"é", ""}}, ""},
		"the longest name":              {"$a1", []Part{{"", "a1"}}, ""},
		"a name that begins like one":   {"$ab", nil, `has "$ab", which is no parameter; the character "$" is written "$$"`},
		"another case":                  {"$A", nil, `has "$A", which is no parameter; the character "$" is written "$$"`},
		"a bind parameter":              {"id = $1", nil, `has a "$" before "1"; it must be before the name of a parameter, and the character itself is written "$$"`},
		"at the end":                    {"a$", nil, `has a "$" before ""; it must be before the name of a parameter, and the character itself is written "$$"`},
		"braces":                        {"${a}", nil, `has a "$" before "{a}"; it must be before the name of a parameter, and the character itself is written "$$"`},
		"the end of a line of a regexp": {`x=~"a$"`, nil, `has a "$" before "\""; it must be before the name of a parameter, and the character itself is written "$$"`},
		"what follows is cut":           {"$ äöüäöüäöü", nil, `has a "$" before " äöüäöüä"; it must be before the name of a parameter, and the character itself is written "$$"`},
		"a look-alike of a letter":      {"$\u0430", nil, "has a \"$\" before \"\u0430\"; it must be before the name of a parameter, and the character itself is written \"$$\""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseTemplate(tt.text, declares("a", "b", "a1"))
			if said := message(err); said != tt.wrong {
				t.Errorf("error %s, want %s", said, tt.wrong)
			}
			if diff := cmp.Diff(tt.want, got.Parts()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestTemplateUses(t *testing.T) {
	template, err := ParseTemplate("a $b $$c", declares("b"))
	if err != nil || !template.Uses("b") || template.Uses("a") || template.Uses("c") || template.Uses("") {
		t.Errorf("%v, %v", template, err)
	}
	template.Parts()[0].Literal = "x"
	if template.Parts()[0].Literal != "a " {
		t.Error("whoever got the parts has changed the template")
	}
}

// written is the text of a template.
func written(t Template) string {
	var text strings.Builder
	for _, part := range t.Parts() {
		if part.Variable != "" {
			text.WriteString("$" + part.Variable)
		} else {
			text.WriteString(strings.ReplaceAll(part.Literal, "$", "$$"))
		}
	}
	return text.String()
}

// FuzzTemplate: a template is its parts, and nothing of a text is lost or made up.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{"", "$a", "$$", "$$$a$$", "$ab", "a$b-$c", "$", "$1", "é$aé", "\xff$a\x00", `{n="$a"}[$b]`, "$a$$$b", "${a}", strings.Repeat("$a", 100)} {
		f.Add(text)
	}
	declared := declares("a", "b", "ab", "namespace")
	f.Fuzz(func(t *testing.T, text string) {
		template, err := ParseTemplate(text, declared)
		if err != nil {
			if len(template.Parts()) > 0 || !strings.Contains(text, "$") {
				t.Errorf("%q is %v, with %v", text, template, err)
			}
			mustPrint(t, err.Error())
			return
		}
		if got := written(template); got != text {
			t.Errorf("%q became %q", text, got)
		}
		literal := false
		for _, part := range template.Parts() {
			if (part.Literal == "") == (part.Variable == "") || literal && part.Literal != "" || part.Variable != "" && !declared(part.Variable) {
				t.Errorf("%q has the parts %q", text, template.Parts())
			}
			literal = part.Literal != ""
		}
	})
}
