package manifest

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestADocumentInsideIsReadOnce, however often an alias stands for it.
func TestADocumentInsideIsReadOnce(t *testing.T) {
	text := "kind: List\nitems:\n- &a\n  text: |\n    - {b: c}\n    - {b: d}\n" + strings.Repeat("- *a\n", 900)
	parts := slices.Collect(Read(text, false))
	if len(parts) != 1 || len(parts[0].Documents) != 1 || parts[0].Err != nil {
		t.Fatalf("%+v", parts)
	}
	d := parts[0].Documents[0]
	for i := range 901 {
		_, item := d.Walk("items", strconv.Itoa(i))
		if got, want := d.At(item, nil).Locate("text[1].b", nil), (Place{Line: 6, Column: 8}); got != want {
			t.Fatalf("item %d is at %+v, want %+v", i, got, want)
		}
	}
	if n := len(d.sheet.insides); n != 1 {
		t.Errorf("%d documents inside were read, want 1", n)
	}
}

// TestReadText: what stands in a string has its places in the file, and what is wrong with it too.
func TestReadText(t *testing.T) {
	d := first(t, "kind: A\nx: |\n  a: 1\n  b: é\n  ---\n  c: [\n")
	_, scalar := d.Walk("x")
	parts := slices.Collect(d.ReadText(scalar))
	if len(parts) != 2 || len(parts[0].Documents) != 1 || parts[1].Err == nil {
		t.Fatalf("%+v", parts)
	}
	if got, want := parts[0].Documents[0].Locate("b", nil), (Place{Line: 4, Column: 3}); got != want {
		t.Errorf("b is at %+v, want %+v", got, want)
	}
	if got := parts[1].Told(); got.Line != 6 || !strings.HasPrefix(got.Error(), "cannot be parsed: ") {
		t.Errorf("line %d: %v", got.Line, got)
	}
}

// TestWritten: a scalar as it stands there, whatever YAML 1.1 makes of it.
func TestWritten(t *testing.T) {
	d := first(t, "kind: A\na: 010\nb: {c: [Off]}\n")
	for path, want := range map[string]string{"a": "010", "b.c[0]": "Off", "b": "7", "none": "7"} {
		if got := d.Written(path, 7); got != want {
			t.Errorf("%s is written %s, want %s", path, got, want)
		}
	}
}

func first(t *testing.T, text string) Document {
	t.Helper()
	for p := range Read(text, false) {
		if len(p.Documents) == 0 {
			t.Fatal(p.Err)
		}
		return p.Documents[0]
	}
	t.Fatal("nothing to read")
	return Document{}
}

// TestDocumentsThatAreEqual have the places of their own, also where they are equal to others around them.
func TestDocumentsThatAreEqual(t *testing.T) {
	const one = "---\nkind: A\nmetrics: |\n  - a: b\n    c: d\n"
	i := 0
	for p := range Read(strings.Repeat(one, 3), false) {
		for path, want := range map[string]Place{"kind": {2 + 5*i, 1}, "metrics[0][c]": {5 + 5*i, 5}} {
			if got := p.Documents[0].Locate(path, nil); got != want {
				t.Errorf("%s of document %d is at %v, want %v", path, i, got, want)
			}
		}
		i++
	}
}
