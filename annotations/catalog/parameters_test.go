package catalog

import (
	"maps"
	"math/rand/v2"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestParameters(t *testing.T) {
	p := ParametersOf(map[string]string{"topic": `a "b" c="d"`, "group": "ä\n", OfNamespace: "shop", "empty": ""})
	if want := `$namespace="shop" empty="" group="ä\n" topic="a \"b\" c=\"d\""`; p.String() != want {
		t.Errorf("got %s, want %s", p, want)
	}
	for key, want := range map[string]string{OfNamespace: "shop", "topic": `a "b" c="d"`, "empty": "", "group": "ä\n"} {
		if got, ok := p.Get(key); got != want || !ok {
			t.Errorf("%s is %q, %t", key, got, ok)
		}
	}
	for _, key := range []string{"c", "namespace", "", "b", "topi", "topic=\"a"} {
		if got, ok := p.Get(key); ok {
			t.Errorf("%q is there, as %q", key, got)
		}
	}
	for key := range p.All() {
		if key != OfNamespace {
			t.Errorf("%s comes first", key)
		}
		break
	}
	if got := maps.Collect(Parameters("a=b c").All()); len(got) > 0 {
		t.Errorf("%v was read out of text that is none", got)
	}
}

// TestParametersRoundTrip has values of any characters.
func TestParametersRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		values := map[string]string{}
		for range r.IntN(5) {
			values[string(rune('a'+r.IntN(6)))] = randomText(r)
		}
		p := ParametersOf(values)
		if diff := cmp.Diff(values, maps.Collect(p.All())); diff != "" {
			t.Fatalf("%s: %s", p, diff)
		}
		for _, c := range p.String() {
			if !unicode.IsPrint(c) {
				t.Fatalf("%q has %q", p, c)
			}
		}
	}
}

// randomText has what is written in quotes, and bytes that are no text.
func randomText(r *rand.Rand) string {
	const odd = "\"\\= $'`\x00\n\xff"
	var text []byte
	for range r.IntN(8) {
		if r.IntN(2) == 0 {
			text = append(text, odd[r.IntN(len(odd))])
		} else {
			text = append(text, string(rune(r.IntN(0x3000)))...)
		}
	}
	return string(text)
}
