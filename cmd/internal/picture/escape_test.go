package picture

import (
	"encoding/xml"
	"strings"
	"testing"
)

// TestEscapeIsThatOfXML for whatever stands in a name.
func TestEscapeIsThatOfXML(t *testing.T) {
	for _, text := range []string{"", "web", `<script>alert("1")</script>`, "a & 'b'", "\x1b[2J\x00\a", "\xff\xfe", "tab\tline\nand\r", "ü€😀", "\uFFFE\uFFFF\uFFFD"} {
		var want strings.Builder
		if err := xml.EscapeText(&want, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := escape(text); got != want.String() {
			t.Errorf("%q became %q, want %q", text, got, want.String())
		}
	}
}
