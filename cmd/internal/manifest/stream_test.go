package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestEqualPartsAreParsedOnce: a file may have a hundred thousand parts that cannot be parsed, or that can be once they are filled in.
func TestEqualPartsAreParsedOnce(t *testing.T) {
	for _, text := range []string{"---\n[$A\n", "---\na: {{- .x }}\n", "---\n{{x}} ]\n", "---\n[\n"} {
		parts := func(n int) float64 {
			whole := strings.Repeat(text, n)
			return testing.AllocsPerRun(5, func() {
				for p := range Read(whole, false) {
					if p.Err == nil {
						t.Fatalf("%q can be read", text)
					}
					p.IsTemplate(false)
				}
			})
		}
		if one, hundred := parts(1), parts(101); (hundred-one)/100 > one/2 {
			t.Errorf("%q takes %v allocations, and a hundred more of it %v each", text, one, (hundred-one)/100)
		}
	}
}

// TestAPartIsParsedOnce: of the two parsers, kubectl's is asked only where it may read something else.
func TestAPartIsParsedOnce(t *testing.T) {
	read := func(text string) float64 {
		return testing.AllocsPerRun(5, func() {
			for p := range Read(text, false) {
				if len(p.Documents) != 1 {
					t.Fatalf("%q: %v", text, p.Err)
				}
			}
		})
	}
	const text = "kind: A\nspec: {a: [1, 2.5, on, ~], b: 'x'}\nc: |\n  d # e\n"
	if plain, tagged := read(text), read(text+"f: ! g\n"); plain > tagged*2/3 {
		t.Errorf("%v allocations, where with a second parser it is %v", plain, tagged)
	}
}

// TestAliasesOfAFile: what they repeat is bounded for the whole file, and for the texts that stand in it.
func TestAliasesOfAFile(t *testing.T) {
	repeats := "kind: A\na: &a " + strings.Repeat("x", 10_000) + "\nb: [" + strings.Repeat("*a, ", 8) + "]\n"
	const bomb = "kind: A\na: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c]\ne: [*d, *d, *d, *d]\n"
	tests := map[string]struct {
		text string
		read int
	}{
		"one":                         {repeats, 1},
		"two":                         {repeats + "---\n" + repeats, 1},
		"two of a larger file":        {repeats + "---\n" + repeats + "---\nkind: " + strings.Repeat("x", 200_000) + "\n", 3},
		"what is refused costs none":  {bomb + "---\n" + bomb + "---\n" + repeats, 1},
		"hundreds of a few each":      {strings.Repeat("---\nkind: &a A\nb: [*a, *a, *a]\n", 500), 500},
		"a shared block, many times":  {"kind: &k A\nenv: &e [" + strings.Repeat("{name: x, value: y}, ", 50) + "]\nall:\n" + strings.Repeat("- {env: *e, kind: *k}\n", 60), 1},
		"short texts, many times":     {"kind: A\na: &a " + strings.Repeat("x", 64) + "\nb: [" + strings.Repeat("*a, ", 8000) + "]\n", 1},
		"none is left for the others": {strings.Repeat("---\nkind: A\na: &a ["+strings.Repeat("x, ", 1000)+"]\nb: [*a, *a, *a, *a]\n", 20), 4},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			read := 0
			for p := range Read(tt.text, false) {
				read += len(p.Documents)
			}
			if read != tt.read {
				t.Errorf("%d documents were read, want %d", read, tt.read)
			}
		})
	}
	d := first(t, "kind: A\nx: |\n  "+strings.ReplaceAll(repeats, "\n", "\n  ")+"\ny: |\n  "+strings.ReplaceAll(repeats, "\n", "\n  ")+"\n")
	for _, name := range []string{"x", "y"} {
		_, scalar := d.Walk(name)
		for p := range d.ReadText(scalar) {
			if want := name == "x"; want != (p.Err == nil) {
				t.Errorf("%s: %v", name, p.Err)
			}
		}
	}
}

// TestTextsOfAFile: the documents that stand in strings are bounded for the whole file, and the first one too many is named.
func TestTextsOfAFile(t *testing.T) {
	d := first(t, "kind: A\nx: |\n"+strings.Repeat("  ---\n  a: b\n", 900)+"y: |\n"+strings.Repeat("  ---\n  a: b\n", 900))
	read, refused := 0, []string(nil)
	for _, name := range []string{"x", "y"} {
		_, scalar := d.Walk(name)
		for p := range d.ReadText(scalar) {
			read += len(p.Documents)
			if p.Err != nil {
				at := p.Told()
				refused = append(refused, fmt.Sprintf("%d: %v", at.Line, at))
			}
		}
	}
	size := len("kind: A\nx: |\ny: |\n") + 1800*len("  ---\n  a: b\n")
	line := 4 + 2*(1000+size/32)
	if want := fmt.Sprintf("%d: the texts in this file have too many documents; they may have 1000, and one more for every 32 bytes of the file", line); read != 1000+size/32 || len(refused) != 1 || refused[0] != want {
		t.Errorf("%d documents were read, and %q, want %q", read, refused, want)
	}
}

// TestListsOfAFile: the items of its lists are bounded for the whole file, wherever they are.
func TestListsOfAFile(t *testing.T) {
	text := "kind: A\nb: {items: []}\nc:\n  items: []\n"
	d := first(t, text)
	room := 1000 + len(text)/100
	if err := d.List(make([]any, room-1)); err != nil {
		t.Error(err)
	}
	_, inner := d.Walk("c")
	if err := d.At(inner, nil).List(make([]any, 1)); err != nil {
		t.Error(err)
	}
	want := "the list has 1 items, and there is room for 0; the lists of a file may have 1000, and one more for every 100 bytes of the file"
	err := d.At(inner, nil).List(make([]any, 1))
	if at := (LineError{}); !errors.As(err, &at) || at.Line != 4 || at.Err.Error() != want {
		t.Errorf("%v, want %q at line 4", err, want)
	}
}

func BenchmarkRead(b *testing.B) {
	const deployment = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations: {mini-hpa/max: \"10\"}\nspec:\n  template:\n    spec:\n      containers:\n      - {name: web, image: nginx, resources: {requests: {cpu: 100m}}}\n"
	for name, text := range map[string]string{"deployments": deployment, "small": "---\n{kind: A}\n", "templates": "---\na: {{- .x }}\n", "broken": "---\n[\n", "tagged": "---\nkind: ! A\n"} {
		whole := strings.Repeat(text, 100)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(whole)))
			b.ReportAllocs()
			for b.Loop() {
				for _, p := range slices.Collect(Read(whole, false)) {
					_ = p.Err != nil && p.IsTemplate(false)
				}
			}
		})
	}
}
