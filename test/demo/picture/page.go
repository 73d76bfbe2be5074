package picture

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
	"github.com/mini-hpa/mini-hpa/test/demo/table"
)

//go:embed page.html
var page string

// HTML writes the page of a recording: the picture, what was expected and seen, every change with its reason, the Events.
func HTML(w io.Writer, r story.Recording) error {
	layout, err := template.New("page").Funcs(template.FuncMap{"clock": table.Clock, "length": length}).Parse(page)
	if err != nil {
		return fmt.Errorf("could not read the page's template: %w", err)
	}
	var svg strings.Builder
	if err := SVG(&svg, r); err != nil {
		return err
	}
	// The picture is this package's own markup; every text in it went through escape.
	data := struct {
		story.Recording
		Picture template.HTML
	}{r, template.HTML(svg.String())}
	if err := layout.Execute(w, data); err != nil {
		return fmt.Errorf("could not write the page: %w", err)
	}
	return nil
}
