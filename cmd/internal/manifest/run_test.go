package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// alone reads each part of a text with a parser of its own.
func alone(text string) []Part {
	with := newCommon(len(text))
	var parts []Part
	for _, c := range chunks(text) {
		c.always, c.common = true, with
		p := Part{chunk: c}
		p.Documents, p.Err = c.read(c.nodes)
		parts = append(parts, p)
	}
	return parts
}

// seen is what callers see of a part: its nodes with their places, its values, and what is wrong.
type seen struct {
	Nodes  []*yaml.Node
	Values []any
	Told   string
	Line   int
}

func seenOf(p Part) seen {
	var s seen
	for _, d := range p.Documents {
		if d.Node != nil {
			withoutComments(d.Node)
		}
		s.Nodes, s.Values = append(s.Nodes, d.Node), append(s.Values, d.Value)
	}
	if p.Err != nil {
		told := p.Told()
		s.Told, s.Line = told.Error(), told.Line
	}
	return s
}

// withoutComments takes away what nothing reads, and what comparing would follow in circles.
func withoutComments(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment, n.Alias = "", "", "", nil
	for _, child := range n.Content {
		withoutComments(child)
	}
}

// FuzzRun: a parser for many documents makes of each what one of its own does, with the same places, whatever is before and behind it.
func FuzzRun(f *testing.F) {
	for _, text := range []string{
		"---\na: 1\n---\na: 1\n---\n\n\na: 1\n", "---\na: |\n  x\n---\na: >-\n  x\n\n---\na:\n---\n- \n---\n? a\n---\nb\n", "---\na: &x b\n---\na: *x\n---\na: &x c\nb: *x\n",
		"---\na: 1\n...\n---\nb: 2\n---\na: 1\n... # c\nd: e\n---\nf\n", "---\na\n%YAML 1.1\n---\nb\n---\nc: 25%\n---\n%TAG\n", "---\na: [\n---\nb: c\n---\n}\n---\nd: e\n---\nf: \"\n---\ng: \"\n",
		"---\n# c\n---\na: b # d\n# e\n---\n\n---\nf: g\n", "--- a\n--- {b: c}\n---\td\n--- |\n e\n--- # f\ng: h\n", "---\r\na: b\r\n---\r\nc: d\r---\r\n", "---\na\u0085b: c\n---\nd: e\u2028\n---\nf: g\n",
		"---\n\ufeffa: b\n---\n\ufeffc: d\n--- \ufeff\ne: f\n", "---\na: b\n---\na: \x01\n---\nc: d\n", "---\na: b\n---\na: \xff\n---\nc: d\n", "a: b\n---\nc: d\n---\ne: f", "---\na: &x [*x]\n---\nb: c\n",
		"---\n{\"a\":1}\n{\"b\":2}\n---\n{a: 1}\n---\nc\n", "---\n!!str a\n---\n!x b\n---\n<<: {a: b}\n---\n- <<: *a\n", "---\n\ta: b\n---\na:\tb\n---\na: b\n  c\n---\na: 'b\n\n  c'\n", strings.Repeat("---\na: [\n---\nb: c\n", 20),
		"---\n" + strings.Repeat("a: b\n", 200) + "---\na: \x01\n---\nc: d\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want := alone(text)
		i := 0
		for p := range Read(text, true) {
			if diff := cmp.Diff(seenOf(want[i]), seenOf(p)); diff != "" {
				t.Fatalf("part %d of %q (-alone +in a run):\n%s", i, text, diff)
			}
			i++
		}
		if i != len(want) {
			t.Errorf("%d parts of %q, want %d", i, text, len(want))
		}
	})
}

// TestRunStartsOneParser for documents that follow each other, as long as none of them is broken.
func TestRunStartsOneParser(t *testing.T) {
	read := func(text string) float64 {
		return testing.AllocsPerRun(3, func() {
			for range Read(text, true) {
			}
		})
	}
	const one = "---\na: b\n"
	if together, apart := read(strings.Repeat(one, 100)), read(one)*100; together > apart*2/3 {
		t.Errorf("%v allocations for 100 documents, where each alone takes %v", together, apart/100)
	}
}
