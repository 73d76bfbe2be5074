package cli

import (
	"strings"
	"testing"
)

func TestDidYouMean(t *testing.T) {
	candidates := []string{"controller", "explain", "version"}
	for word, want := range map[string]string{"explian": ` (did you mean "explain"?)`, "versions": ` (did you mean "version"?)`, "scale": "", "": ""} {
		if got := DidYouMean(word, candidates); got != want {
			t.Errorf("didYouMean(%q) = %q, want %q", word, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"web", "\x1b[2J", "a\nb", "\u202e", "\xff", "ü", "\u0085"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got := Clean(line)
		if i := strings.IndexFunc(got, func(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 || 0x202a <= r && r <= 0x202e }); i >= 0 {
			t.Errorf("%q became %q", line, got)
		}
		if Clean(got) != got {
			t.Errorf("%q is not clean", got)
		}
	})
}

func TestCleanLeavesTextAlone(t *testing.T) {
	for text, want := range map[string]string{"web-1 ü 日本": "web-1 ü 日本", "a\tb": `a\tb`, "\x1b[31m": `\x1b[31m`, "\u202e": `\u202e`, `"x"`: `"x"`, "'": "'"} {
		if got := Clean(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
