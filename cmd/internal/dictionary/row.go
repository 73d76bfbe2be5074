package dictionary

import (
	"fmt"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// takes is what Parse says that a value must be.
func takes(row annotations.Row) string {
	if row.Pattern == "" {
		return fmt.Sprintf("a text of at most %d bytes; see docs/annotations.md", row.MaxLength)
	}
	// A value that nothing takes is refused with what is taken.
	_, _, problems := annotations.DefaultDefaults().Parse(map[string]string{row.Name: "?"})
	for _, p := range problems {
		if p.Field == annotations.Path(row.Name).String() {
			return strings.TrimPrefix(strings.TrimPrefix(p.Detail, `policy "?" `), "must be ")
		}
	}
	return "a text"
}

// plain is Markdown without its marks.
func plain(doc string) string {
	text, _, _ := strings.Cut(strings.ReplaceAll(doc, "`", ""), " See [")
	return text
}

// yamlOf is an annotation in YAML.
func yamlOf(name, value string) string {
	if !strings.Contains(value, "\n") {
		return fmt.Sprintf("%s: %q\n", name, value)
	}
	return name + ": |\n  " + strings.ReplaceAll(strings.TrimSpace(value), "\n", "\n  ") + "\n"
}
