package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/json"
	kubectl "sigs.k8s.io/yaml"
)

// FuzzValue: what is made of the nodes of a document is what kubectl's parser makes of its text, with the names and the numbers quoted that it would
// change.
func FuzzValue(f *testing.F) {
	for _, text := range []string{
		"a: 1\n", "- 1_000\n- 0x1F\n- 010\n- 0b11\n- 1e3\n- 1.50\n- .5\n- -0.0\n- 99999999999999999999\n- 1e999\n- 1:30:00\n", "yes: no\non: [y, N, True, off]\n",
		"- ~\n-\n- null\n- Null\n- ''\n", "- 2001-12-14\n- 2001-12-14t21:59:43.10-05:00\n", "a: .nan\nb: [.inf, -.Inf, +.INF]\n", "a: b\na: c\n", `{"a\x41": "é\u263a", b: 'it''s'}`,
		"a: |\n  x\n y: z\n", "a: |+\n  x\n\nb: >-\n  y\n  z\n", "? a\n: b\n", "? a\n", "{a, b: c, ? d : e, : f}", "[a: b, c]", "--- a\n...\n", "%YAML 1.1\n---\na: b\n", "a: &x b\n",
		"a: b # c\n# d\ne:\n  # f\n  - g\n", "a:\tb\t\n", "a: b\n  # c\n\t# d\n", "a: b # c\n\t\n", "a: b\r\nc: d\r", "a: x\u0085b: y\n", "a\u2028b: c", "- - - a\n  -\n    b\n", "a:\n- b\n-  c: d\n   e: f\n", "a: b:c\n", "0x10: a\n1.0: b\n",
		"a: 'x\n\n  y'\nb: \"x \\\n  y\\t\"\n", "a: b\n  c\n\n  d\n", "[]\n", "{}\n", "\ufeffa: b\n", "a: - b\n", "-a: -\n", "a: [b,\n c]\n", "+12: +.5e-3\n._: .e1\n", "<<: a\n", "'<<': {a: b}\n", "a: {\"b\":c}",
		"a: &x {b: c, d: ~}\ne: {<<: *x, b: f}\ng: {b: f, d: h, <<: *x}\n", "a: &x {b: c}\nd: &y {b: e, f: g}\nh: {<<: [*x, *y, {i: j}]}\nk: *y\n", "<<: {a: b}\n'<<': c\n", "a: &x b\n<<: *x\n", "a: &x b\n*x : c\n", "<<: ~\na: b\n", "<<: []\na: b\n", "<<: &a {<<: {b: c}, d: *e}\n", "a: &e 010\nb: [*e, *e]\n<<: [[{}]]\n", "a: &a\n  <<: &b {c: d}\ne: [*a, *b]\n", "a: 1\n<<: {a: ~}\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := chunk{text: text, line: 1, always: true}
		root, err := c.nodes()
		if err != nil || root == nil {
			return
		}
		renumber(root, c.lines())
		x := expansion{room: maxRepeated}
		if _, err := x.measure(root); err != nil {
			return
		}
		var scalars odd
		scalars.look(root, false)
		got, ok := c.value(root, &scalars, x.repeated)
		if !ok {
			return
		}
		quoted, _ := c.quoted(scalars.all())
		read, err := kubectl.YAMLToJSON([]byte(quoted.text))
		if err != nil {
			t.Fatalf("made %#v of %q, of which kubectl says: %v", got, text, err)
		}
		var want any
		if err := json.Unmarshal(read, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("of %q (-kubectl +made):\n%s", text, diff)
		}
	})
}
