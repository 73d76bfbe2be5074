package catalog

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func globOf(t testing.TB, text string) glob {
	t.Helper()
	g, err := readGlob(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGlob(t *testing.T) {
	tests := map[string]struct {
		glob, namespace string
		fit, others     []string
	}{
		"literal":            {"orders", "shop", []string{"orders"}, []string{"", "order", "orderss", "Orders", "orders\n", "\u043erders"}},
		"everything":         {"*", "shop", []string{"", "a", "a.b/c:d"}, nil},
		"a namespace":        {"$namespace", "shop", []string{"shop"}, []string{"", "$namespace", "shop2", "sho", "SHOP"}},
		"of a namespace":     {"$namespace.*", "shop", []string{"shop.", "shop.orders", "shop.a.b"}, []string{"shop", "shopping.x", "shop-admin.x", "x.shop.y", "shop\u2024x", "$namespace.x", "\u0455hop.x"}},
		"ends":               {"*.$namespace", "shop", []string{".shop", "a.b.shop"}, []string{"shop", "a.shop.b", "a.shop2"}},
		"in the middle":      {"a*b*c", "shop", []string{"abc", "aXbYc", "abbc", "abcbc"}, []string{"ac", "acb", "ab", "bc", "abcd"}},
		"no overlap":         {"ab*ba", "shop", []string{"abba", "abXba"}, []string{"aba", "ab"}},
		"first place":        {"*aab*b", "shop", []string{"aabb", "aaabab", "xaabyaabb"}, []string{"aab", "abab"}},
		"stars in a row":     {"a**b", "shop", []string{"ab", "axb"}, []string{"a", "b"}},
		"more than once":     {"$namespace/$namespace", "shop", []string{"shop/shop"}, []string{"shop/other", "other/shop"}},
		"a dollar":           {"$$a", "shop", []string{"$a"}, []string{"a", "$$a"}},
		"a star for a space": {"$namespace.*", "*", []string{"*.x"}, []string{"shop.x", ".x", "a.x"}},
		"a hostile space":    {"x$namespace", "a*b?", []string{"xa*b?"}, []string{"xab", "xaXb?"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := globOf(t, tt.glob)
			for _, value := range tt.fit {
				if !g.fits(value, tt.namespace) {
					t.Errorf("%q does not fit %q", value, tt.glob)
				}
			}
			for _, value := range tt.others {
				if g.fits(value, tt.namespace) {
					t.Errorf("%q fits %q", value, tt.glob)
				}
			}
		})
	}
}

// TestGlobEnds has what a matcher that tries all ways never ends with.
func TestGlobEnds(t *testing.T) {
	if globOf(t, strings.Repeat("*a", 100)+"*b").fits(strings.Repeat("a", maxOpen), "shop") {
		t.Error("it fits")
	}
}

func TestPinned(t *testing.T) {
	tests := []struct {
		globs string
		want  bool
	}{
		{"$namespace", true},
		{"$namespace.*", true},
		{"$namespace:*", true},
		{"$namespace/*/x", true},
		{"$namespace_*", true},
		{"prod-$namespace.*", true},
		{"prod:$namespace", true},
		{"$namespace.* $namespace/*", true},
		{"a.$namespace.* b.$namespace.*", true},
		{"$namespace.* .$namespace.*", false},         // namespaces are not empty, but one text begins with the other
		{"$namespace-*", false},                       // shop has shop-admin-x
		{"$namespace*", false},                        // likewise
		{"$namespace0*", false},                       // no name of this
		{"*", false},                                  //
		{"shared.*", false},                           //
		{"$namespace.* shared.*", false},              //
		{"*$namespace", false},                        // op has shop
		{"*.$namespace", false},                       //
		{"*.$namespace.*", false},                     // a has a.shop.b, which is of shop
		{"$namespace$namespace", false},               // aa and a
		{"$namespace.* team.$namespace.*", false},     // a namespace called team
		{"$namespace.* prod-$namespace.*", false},     // a namespace called prod-shop
		{"x-$namespace.* x-y-$namespace.*", false},    //
		{"$namespace.* $namespace*", false},           //
		{"$$namespace.*", false},                      // the text $namespace
		{"", false},                                   //
		{"prod.$namespace.* prod.$namespace", true},   //
		{"prod.$namespace.* *prod.$namespace", false}, //
	}
	for _, tt := range tests {
		t.Run(tt.globs, func(t *testing.T) {
			var globs []glob
			for _, text := range strings.Fields(tt.globs) {
				g, err := readGlob(text)
				if err != nil {
					if tt.want {
						t.Fatal(err)
					}
					return
				}
				globs = append(globs, g)
			}
			if got := pinned(globs); got != tt.want {
				t.Errorf("%v", got)
			}
		})
	}
}

// TestPinnedKeepsNamespacesApart looks for a value that two namespaces may ask for, with namespaces, globs and values of few characters.
func TestPinnedKeepsNamespacesApart(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	text := func(of string, least, most int) string {
		var b strings.Builder
		for range least + r.IntN(most-least+1) {
			b.WriteByte(of[r.IntN(len(of))])
		}
		return b.String()
	}
	namespace := func() string {
		for {
			if n := text("ab-", 1, 3); !strings.HasPrefix(n, "-") && !strings.HasSuffix(n, "-") {
				return n
			}
		}
	}
	held, shared := 0, 0
	for range 20000 {
		var globs []glob
		var texts []string
		for range 1 + r.IntN(3) {
			texts = append(texts, text("ab-.*", 0, 2)+"$namespace"+text("-.*", 0, 2))
			globs = append(globs, globOf(t, texts[len(texts)-1]))
		}
		isPinned := pinned(globs)
		if isPinned {
			held++
		}
		for range 30 {
			a, b := namespace(), namespace()
			// A value that the one has, by a glob of which the stars stand for a few characters.
			value := ""
			for i, piece := range globs[r.IntN(len(globs))].pieces(a) {
				if i > 0 {
					value += text("ab-.", 0, 3)
				}
				value += piece
			}
			both := false
			for _, g := range globs {
				both = both || a != b && g.fits(value, b)
			}
			if both && isPinned {
				t.Fatalf("with %q, %q is of %q and of %q", texts, value, a, b)
			}
			if both {
				shared++
			}
		}
	}
	if held < 1000 || shared < 1000 {
		t.Errorf("%d were pinned, %d values were of two namespaces: this shows nothing", held, shared)
	}
}

func TestPatterns(t *testing.T) {
	tests := map[string]struct {
		patterns    string
		may, mayNot []string
	}{
		"all":                  {"*", []string{"a", "kube-system"}, nil},
		"the first counts":     {"!kube-* *", []string{"a", "kube", "my-kube-x"}, []string{"kube-", "kube-system"}},
		"the first counts too": {"* !kube-*", []string{"kube-system"}, nil},
		"one, and some":        {"shop shop-*", []string{"shop", "shop-eu"}, []string{"shops", "my-shop", "sh"}},
		"none fits":            {"!a b", []string{"b"}, []string{"a", "c"}},
		"nobody":               {"", nil, []string{"a"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var all []pattern
			for _, text := range strings.Fields(tt.patterns) {
				p, err := readPattern(text)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, p)
			}
			for _, namespace := range tt.may {
				if !admits(all, namespace) {
					t.Errorf("%q may not", namespace)
				}
			}
			for _, namespace := range tt.mayNot {
				if admits(all, namespace) {
					t.Errorf("%q may", namespace)
				}
			}
		})
	}
	for _, text := range []string{"", "!", "A", "a.b", "a b", "!!a", "$namespace", "a?", "[a]", "ä", strings.Repeat("a", 64), "a\n"} {
		if _, err := readPattern(text); err == nil {
			t.Errorf("%q is a pattern", text)
		} else {
			mustPrint(t, fmt.Sprint(err))
		}
	}
}
