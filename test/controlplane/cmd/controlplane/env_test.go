//go:build unix

package main

import "testing"

func TestShellQuote(t *testing.T) {
	tests := map[string]string{
		"/root/.cache/mini-hpa": "/root/.cache/mini-hpa",
		"":                      "''",
		"two words":             "'two words'",
		"it's":                  `'it'\''s'`,
		"$(reboot)":             "'$(reboot)'",
		"ä;\n":                  "'ä;\n'",
	}
	for word, want := range tests {
		t.Run(word, func(t *testing.T) {
			got := shellQuote(word)
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if value := evaluated(t, "export WORD="+got, "WORD"); value != word {
				t.Errorf("the shell makes %q of it", value)
			}
		})
	}
}
