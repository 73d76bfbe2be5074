package spelling

import "testing"

func TestDistance(t *testing.T) {
	tests := map[string]struct {
		a, b string
		want int
	}{
		"equal":      {"max", "max", 0},
		"empty":      {"", "max", 3},
		"to nothing": {"max", "", 3},
		"insertion":  {"max", "maxi", 1},
		"deletion":   {"maxi", "max", 1},
		"exchange":   {"max", "mix", 1},
		"swap":       {"cup", "cpu", 2},
		"all":        {"kitten", "sitting", 3},
		"runes":      {"é", "e", 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Distance(tc.a, tc.b); got != tc.want {
				t.Errorf("Distance(%q, %q) = %d, want %d", tc.a, tc.b, got, tc.want)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	known := []string{"queue", "queries", "vhost"}
	for word, want := range map[string]string{"qeue": "queue", "querys": "queries", "host": "vhost", "topic": "", "": "", "queue": "queue"} {
		if got := Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := Nearest("ab", []string{"abc", "abd"}); got != "abc" {
		t.Errorf("of two that are as near, %q was chosen", got)
	}
}
